"""Point-based value iteration (math.md §10): Γ grows where the dispatcher goes, and only there.

A round gathers points, then sweeps over them. A sweep backs up every point, keeps few vectors that are best at some
point, and lets the plans that result run on for some ticks as graphs (`plans`): that is policy iteration, and spares
most sweeps. Any Γ on the way is a floor, so the work may end after any round. When the floor at the start law hardly
rises, points are doubled, until they are at their most. A round draws from (seed, round), so a run that is resumed
from what was saved is the run that never stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from meanfleet.base.arrays import FloatArray
from meanfleet.base.errors import UserError

from .alphas import Alphas
from .backups import Choices, Lookahead, for_states
from .floors import StartDraws
from .kernels import cover
from .model import MeanField
from .plans import blind_tables, one_tick_more, table_values
from .points import gathered, start_shares


@dataclass(frozen=True)
class Effort:
    """How much a round does.

    Attributes:
        points: at first, over all global states; at least `fewest` for each.
        fewest: for each global state.
        doublings: how often points are doubled once the floor hardly rises.
        starts: share of them from the start law; the others are from paths.
        ticks: length of a path.
        random: share of dispatches on paths that are drawn at random.
        sweeps: per round.
        replays: ticks that plans run on as graphs after each sweep.
        slack: a vector is left out where another is so close, relative to r_max/(1 − γ).
        rise: of the floor in a round, relative to r_max/(1 − γ), below which it hardly rises.
        draws: from the start law, to measure the floor.
    """

    points: int = 6000
    fewest: int = 24
    doublings: int = 2
    starts: float = 0.4
    ticks: int = 15
    random: float = 0.1
    sweeps: int = 4
    replays: int = 10
    slack: float = 5e-6
    rise: float = 1e-5
    draws: int = 1000


@dataclass(frozen=True, eq=False)
class Stage:
    """Where the iteration stands.

    Attributes:
        alphas: Γ.
        witnesses: shares at which each vector was best, float64 [vector, z].
        floor: of Γ at the start law, by draws that no round has seen; it never falls.
        round: rounds done.
        doubled: how often points were doubled.
        settled: whether the floor has stopped to rise.
    """

    alphas: Alphas
    witnesses: FloatArray
    floor: float
    round: int = 0
    doubled: int = 0
    settled: bool = False

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, to be saved."""
        counts = np.array([self.round, self.doubled, self.settled], dtype=np.int64)
        return {
            "vectors": self.alphas.vectors,
            "begins": self.alphas.begins,
            "witnesses": self.witnesses,
            "floor": np.asarray(self.floor),
            "counts": counts,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Stage:
        """From what `arrays` gave.

        Raises:
            UserError: arrays are missing or do not fit together.
        """
        names = ("vectors", "begins", "witnesses", "floor", "counts")
        missing = [name for name in names if name not in arrays]
        if missing:
            raise UserError(f"a stage of the mean-field solver lacks {', '.join(missing)}")
        alphas = Alphas(np.asarray(arrays["vectors"], dtype=np.float64), np.asarray(arrays["begins"], dtype=np.int64))
        witnesses = np.asarray(arrays["witnesses"], dtype=np.float64)
        if witnesses.shape != alphas.vectors.shape or np.shape(arrays["counts"]) != (3,):
            raise UserError("a stage of the mean-field solver has witnesses or counts of another shape")
        done, doubled, settled = (int(one) for one in arrays["counts"])
        return cls(alphas, witnesses, float(arrays["floor"]), done, doubled, bool(settled))


Progress = Callable[[Stage], bool]


class Solver:
    """Point-based value iteration on one fleet.

    Args:
        model: the fleet under a fixed π_l, and the order of moves.
        seed: same seed, same result.
        effort: see `Effort`.
    """

    def __init__(self, model: MeanField, seed: int = 0, effort: Effort | None = None) -> None:
        self.model, self.seed, self.effort = model, seed, effort or Effort()
        self._draws = StartDraws(model, self.effort.draws, seed)
        self._unit = model.reward_bound / (1 - model.discount) or 1.0

    def first(self, warm: Alphas | None = None) -> Stage:
        """The stage before the first round: blind plans, and Γ of an earlier run on this very fleet if given.

        Vectors of another fleet prove nothing here.
        """
        with threadpool_limits(limits=1, user_api="blas"):
            rng = np.random.default_rng([self.seed, 0])
            blind = table_values(self.model, blind_tables(self.model), 1e-7)
            points = [start_shares(self.model, self._per_state(0), rng) for _ in range(self.model.states)]
            stage = self._kept([blind if warm is None else warm.joined(blind)], points)
            return replace(stage, floor=self._draws.floor(stage.alphas))

    def run(self, budget: float | None = None, stage: Stage | None = None, progress: Progress | None = None) -> Stage:
        """Rounds until the floor stops to rise, or another round would go beyond `budget` seconds.

        `progress` sees every stage, and may end the run by returning True.
        """
        began, longest = time.perf_counter(), 0.0
        stage = self.first() if stage is None else stage
        while not stage.settled and not (progress is not None and progress(stage)):
            before = time.perf_counter()
            if budget is not None and before - began + longest > budget:
                break
            stage = self.next(stage)
            longest = 1.2 * (time.perf_counter() - before)
        return stage

    def next(self, stage: Stage) -> Stage:
        """The stage one round later."""
        effort = self.effort
        with threadpool_limits(limits=1, user_api="blas"):
            rng = np.random.default_rng([self.seed, stage.round + 1])
            size = self._per_state(stage.doubled)
            starts = max(1, int(effort.starts * size))
            lookahead = Lookahead(self.model, stage.alphas)
            points = gathered(lookahead, starts, size - starts, effort.ticks, effort.random, rng)
            begins = stage.alphas.begins
            old = [stage.witnesses[begins[s] : begins[s + 1]] for s in range(self.model.states)]
            points = [np.concatenate(pair) for pair in zip(points, old, strict=True)]
            found = stage
            for _ in range(effort.sweeps):
                found = self._sweep(found.alphas, points)
            return self._after(stage, found)

    def _after(self, before: Stage, found: Stage) -> Stage:
        """The stage to go on with: what was found, beside what was there if that is better at the start law."""
        floor = self._draws.floor(found.alphas)
        if floor < before.floor:
            witnesses = Alphas(found.witnesses, found.alphas.begins)
            earlier = Alphas(before.witnesses, before.alphas.begins)
            found = replace(
                found, alphas=found.alphas.joined(before.alphas), witnesses=witnesses.joined(earlier).vectors
            )
            floor = max(self._draws.floor(found.alphas), before.floor)
        stalls = floor - before.floor < self.effort.rise * self._unit
        doubled = before.doubled + int(stalls)
        settled = doubled > self.effort.doublings
        return replace(
            found, floor=floor, round=before.round + 1, doubled=min(doubled, self.effort.doublings), settled=settled
        )

    def _sweep(self, alphas: Alphas, points: Sequence[FloatArray]) -> Stage:
        """Back up all points, keep what is best somewhere, let the plans run on."""
        new, _ = self._backed_up(alphas, points)
        kept = self._kept([new, alphas], points)
        begins = kept.alphas.begins
        places = [kept.witnesses[begins[s] : begins[s + 1]] for s in range(self.model.states)]
        _, graph = self._backed_up(kept.alphas, places)
        later = kept.alphas
        for _ in range(self.effort.replays):
            later = one_tick_more(self.model, later, graph)
        return self._kept([later, kept.alphas], points)

    def _backed_up(self, alphas: Alphas, points: Sequence[FloatArray]) -> tuple[Alphas, list[Choices]]:
        """A vector and its choices at every point [s_g][point]."""
        lookahead = Lookahead(self.model, alphas).prepare()
        vectors: list[FloatArray] = [np.empty(0)] * self.model.states
        graph: list[Choices | None] = [None] * self.model.states

        def fill(state: int) -> None:
            choices = lookahead.choices(state, points[state])
            graph[state], vectors[state] = choices, lookahead.backed_up(state, choices)

        for_states(self.model.states, fill)
        return Alphas.stacked(vectors), [one for one in graph if one is not None]

    def _kept(self, sets: Sequence[Alphas], points: Sequence[FloatArray]) -> Stage:
        """Few vectors of several Γ that are best, or nearly, at every point; the floor is left at −∞."""
        slack = self.effort.slack * self._unit
        vectors: list[FloatArray] = [np.empty(0)] * self.model.states
        witnesses = list(vectors)

        def fill(state: int) -> None:
            together = np.concatenate([one.of(state) for one in sets])
            chosen, places = pruned(together, points[state], slack)
            vectors[state], witnesses[state] = together[chosen], points[state][places]

        for_states(self.model.states, fill)
        return Stage(Alphas.stacked(vectors), np.concatenate(witnesses), -np.inf)

    def _per_state(self, doubled: int) -> int:
        """Points for each global state."""
        return max(self.effort.fewest, self.effort.points // self.model.states) << doubled


def pruned(vectors: FloatArray, points: FloatArray, slack: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of few vectors [vector, z], within `slack` of the best at every point, and of a point for each."""
    chosen, places = np.empty(len(points), dtype=np.int64), np.empty(len(points), dtype=np.int64)
    found = cover(points @ vectors.T, slack, chosen, places)
    return chosen[:found], places[:found]
