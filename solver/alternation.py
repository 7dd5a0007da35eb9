"""Alternating best responses with UPDATE (math.md §5).

Both players share the reward, so J is a potential: every accepted response raises it, and when neither player finds an
improvement the pair is an approximate Nash equilibrium. UPDATE compares value intervals: statewise for the dispatcher,
the interval of J at the start law for the robots. Accept when the new interval lies above the old one by more than η,
keep the old policy otherwise; overlap means "no improvement found".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray, Progress

from . import policies
from .bounds import ValueInterval
from .certificate import Certificate, certify
from .checkpoint import Checkpoint, Stage
from .evaluation import evaluate
from .game import Game
from .global_learning import BestDispatch, learn_exact
from .local_learning import improve
from .surrogate import KRobotSystem, Surrogate


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """A pair from which neither player found an improvement (or the alternations ran out).

    Attributes:
        surrogate: the k-robot system under the pair's π_l.
        table: dispatch [s_g, h].
        value: the pair's value.
        best: the dispatcher's exact best response to π_l, whose value bounds the dispatcher's gap.
        trace: J after every accepted response, never decreasing.
        settled: whether both players stopped improving.
        start: name of the π_l it began from.
    """

    surrogate: Surrogate
    table: IntArray
    value: ValueInterval
    best: BestDispatch
    trace: tuple[float, ...]
    settled: bool
    start: str

    @property
    def policy(self) -> FloatArray:
        """π_l [z, s_g, a]."""
        return self.surrogate.local_policy

    def certificate(self, tolerance: float) -> Certificate:
        """What is proven of the pair."""
        return certify(self.surrogate, self.best, self.table, self.value, tolerance, self.settled)

    @property
    def expected_return(self) -> float:
        """Lower end of J at the start law."""
        return self.value.mean(self.surrogate.system.start)[0]


class Alternation:
    """One run of alternating best responses.

    Args:
        searched: pairs (π_l, table) as bytes in which every single switch was tried in vain; runs may share it.
        on_pair: called with the run after every accepted response; `resume` goes on from what it stood at then.
        switches: whether the robots try single switches where slopes end: most of the work of a run that starts well.
    """

    def __init__(
        self,
        system: KRobotSystem,
        tolerance: float = 1e-6,
        eta: float = 0.0,
        limit: int = 10,
        progress: Progress | None = None,
        searched: set[tuple[bytes, bytes]] | None = None,
        on_pair: Callable[[Alternation], None] | None = None,
        switches: bool = True,
    ) -> None:
        self.system, self.tolerance, self.eta, self.limit = system, tolerance, eta, limit
        self.progress, self.on_pair, self.switches = progress, on_pair, switches
        self.searched = set() if searched is None else searched
        self.trace: list[float] = []
        self.rounds = 0

    def run(self, local_policy: FloatArray, start: str) -> Equilibrium:
        """Alternate from π_l [z, s_g, a] until neither player improves, `limit` rounds at most."""
        self._respond(self.system.under(local_policy), None)
        self.table, self.value = self.best.table, self._value_of_best()
        self._accepted()
        return self._alternate(start)

    def resume(
        self, local_policy: FloatArray, start: str, table: IntArray, trace: Sequence[float], rounds: int
    ) -> Equilibrium:
        """Go on from a pair; `trace` and `rounds` are those of the run that stopped there."""
        self._respond(self.system.under(local_policy), None)
        self.table, self.trace, self.rounds = table, list(trace), rounds
        self.value = evaluate(self.surrogate, table, self.tolerance / 8, self.best.optimal.middle)
        return self._alternate(start)

    def _alternate(self, start: str) -> Equilibrium:
        """Robots follow slopes, the dispatcher responds; only where both are stuck are single switches tried."""
        settled = False
        while not settled and self.rounds < self.limit:
            self.rounds += 1
            moved = self._robots_move(switches=False)
            steered = self._dispatcher_moves()
            if not moved and not steered:
                settled = not self.switches or self._pair in self.searched or not self._robots_move(switches=True)
                if not settled:
                    self._dispatcher_moves()
                elif self.switches:
                    self.searched.add(self._pair)
        return Equilibrium(self.surrogate, self.table, self.value, self.best, tuple(self.trace), settled, start)

    def _robots_move(self, switches: bool) -> bool:
        tolerance = max(self.tolerance, self.eta)
        found = improve(
            self.surrogate, self.table, tolerance, progress=self.progress, value=self.value, switches=switches
        )
        if not update_expected(self.value, found.value, self.system.start, self.eta):
            return False
        self.value = found.value
        self._respond(found.surrogate, found.value.middle)
        self._accepted()
        return True

    def _dispatcher_moves(self) -> bool:
        if np.array_equal(self.best.table, self.table):
            return False
        value = self._value_of_best()
        if not update_statewise(self.value, value, self.eta):
            return False
        self.table, self.value = self.best.table, value
        self._accepted()
        return True

    def _respond(self, surrogate: Surrogate, first: FloatArray | None) -> None:
        self.surrogate = surrogate
        self.best = learn_exact(surrogate, self.tolerance, first, self.progress)

    def _value_of_best(self) -> ValueInterval:
        return evaluate(self.surrogate, self.best.table, self.tolerance / 8, self.best.optimal.middle)

    @property
    def _pair(self) -> tuple[bytes, bytes]:
        return self.surrogate.local_policy.tobytes(), self.table.tobytes()

    def _accepted(self) -> None:
        self.trace.append(self.value.mean(self.system.start)[0])
        if self.progress is not None:
            self.progress("value", self.trace[-1])
            self.progress("gap", float(np.max(self.best.optimal.middle - self.value.middle)))
        if self.on_pair is not None:
            self.on_pair(self)


def update_statewise(old: ValueInterval, new: ValueInterval, eta: float) -> bool:
    """UPDATE for the dispatcher: no state's new interval lies below the old one, some lies above by more than η."""
    rise = new.middle - old.middle
    slack = new.half + old.half
    return bool((rise > eta + slack).any() and (rise >= -slack).all())


def update_expected(old: ValueInterval, new: ValueInterval, law: FloatArray, eta: float) -> bool:
    """UPDATE for the robots: the new interval of J at the start law lies above the old one by more than η."""
    return new.mean(law)[0] > old.mean(law)[1] + eta


def starting_policies(game: Game, names: Sequence[str], seed: int) -> list[tuple[str, FloatArray]]:
    """The named π_l to start from: uniform, shortest, random."""
    rng = np.random.default_rng(seed)
    makers: dict[str, Callable[[], FloatArray]] = {
        "uniform": lambda: policies.uniform(game),
        "shortest": lambda: policies.shortest_way(game),
        "random": lambda: policies.random_pure(game, rng),
    }
    return [(name, makers[name]()) for name in names]


def best_equilibrium(
    system: KRobotSystem,
    starts: Sequence[tuple[str, FloatArray]],
    tolerance: float = 1e-6,
    eta: float = 0.0,
    limit: int = 10,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> Equilibrium:
    """Alternate from every start and keep the equilibrium with the highest J.

    With a checkpoint, every accepted response is on disk before the next is looked for, and a run that was killed goes
    on from the last one.
    """
    done = checkpoint or Checkpoint(None, "")
    searched: set[tuple[bytes, bytes]] = set()
    best: Equilibrium | None = None

    def alternation(start: str) -> Alternation:
        def note(run: Alternation) -> None:
            done.note(Stage(start, run.surrogate.local_policy, run.table, tuple(run.trace), run.rounds, False, False))

        return Alternation(system, tolerance, eta, limit, progress, searched, note)

    for name, policy in starts:
        stage = done.stages.get(name)
        if stage is not None and stage.finished:
            if stage.settled:
                searched.add((stage.local_policy.tobytes(), stage.table.tobytes()))
            continue
        run = alternation(name)
        if stage is None:
            found = run.run(policy, name)
        else:
            found = run.resume(stage.local_policy, name, stage.table, stage.trace, stage.rounds)
        done.note(Stage(name, found.policy, found.table, found.trace, run.rounds, True, found.settled))
        best = found if best is None or found.expected_return > best.expected_return else best
    # Of equilibria alike the first one counts, whether it was found now or by the run that was killed.
    unit = system.game.reward_range
    winner = max((done.stages[name] for name, _ in starts), key=lambda stage: round(stage.trace[-1] / unit, 9))
    if best is None or best.start != winner.start:
        limitless = Alternation(system, tolerance, eta, 0, progress)
        best = limitless.resume(winner.local_policy, winner.start, winner.table, winner.trace, winner.rounds)
        best = replace(best, settled=winner.settled)
    return best
