"""Alternating best responses with UPDATE (MATH §5).

Both players share the reward, so J is a potential: every accepted response raises it, and when neither player finds an
improvement the pair is an approximate Nash equilibrium. UPDATE compares value intervals: statewise for the dispatcher,
the interval of J at the start law for the robots. Accept when the new interval lies above the old one by more than η,
keep the old policy otherwise; overlap means "no improvement found".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from . import policies
from .bounds import ValueInterval
from .evaluation import evaluate
from .game import FloatArray, Game
from .global_learning import BestDispatch, learn_exact
from .local_learning import improve
from .surrogate import KRobotSystem, Surrogate

IntArray = NDArray[np.int64]
Progress = Callable[[str, float], None]


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

    @property
    def expected_return(self) -> float:
        """Lower end of J at the start law."""
        return self.value.mean(self.surrogate.system.start)[0]


@dataclass
class Alternation:
    """One run of alternating best responses from a given π_l."""

    system: KRobotSystem
    tolerance: float = 1e-6
    eta: float = 0.0
    limit: int = 10
    progress: Progress | None = None
    trace: list[float] = field(default_factory=list)

    def run(self, local_policy: FloatArray, start: str) -> Equilibrium:
        """Alternate until neither player improves, `limit` times at most."""
        surrogate = self.system.under(local_policy)
        best = learn_exact(surrogate, self.tolerance, progress=self.progress)
        table, value = best.table, self._value(surrogate, best.table, best.optimal.middle)
        self._note(value)
        settled = False
        for _ in range(self.limit):
            found = improve(surrogate, table, max(self.tolerance, self.eta), progress=self.progress)
            moved = update_expected(value, found.value, self.system.start, self.eta)
            if moved:
                surrogate, value = found.surrogate, found.value
                self._note(value)
                best = learn_exact(surrogate, self.tolerance, value.middle, self.progress)
            new = self._value(surrogate, best.table, best.optimal.middle)
            steered = update_statewise(value, new, self.eta)
            if steered:
                table, value = best.table, new
                self._note(value)
            if not moved and not steered:
                settled = True
                break
        return Equilibrium(surrogate, table, value, best, tuple(self.trace), settled, start)

    def _value(self, surrogate: Surrogate, table: IntArray, first: FloatArray) -> ValueInterval:
        return evaluate(surrogate, table, self.tolerance / 8, first)

    def _note(self, value: ValueInterval) -> None:
        self.trace.append(value.mean(self.system.start)[0])
        if self.progress is not None:
            self.progress("value", self.trace[-1])


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
) -> Equilibrium:
    """Alternate from every start and keep the equilibrium with the highest J."""
    found = [Alternation(system, tolerance, eta, limit, progress).run(policy, name) for name, policy in starts]
    return max(found, key=lambda equilibrium: equilibrium.expected_return)
