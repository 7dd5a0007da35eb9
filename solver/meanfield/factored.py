"""Games whose global state is (priority, demand), without the arrays over all pairs of global states.

Robots move by the priority alone; the demand is a chain of its own and enters rewards:

    P_g(p', d' | p, d, a) = P_p(p' | p, a) · chain(d' | d)        s_g = p · demands + d

A hall of 200 zones and 4 demands would take 2.3 GB as dense arrays, and takes 65 MB as these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from .model import MeanField, checked, distinct, padded

ROW_SUM = 1e-9


@dataclass(frozen=True, eq=False)
class FactoredGame:
    """A game by its factors; the axis `p` of P_l and r_l may be 1 long where robots' chances are the same everywhere.

    Attributes:
        priority_law: P_p, float64 [p, a_g, p'].
        demand_law: the demand's chain, float64 [d, d'].
        P_l: float64 [z, p, a_l, z'].
        r_g: float64 [p, a_g].
        r_l: float64 [z, p, d, a_l].
        discount: γ in [0, 1).
        start: law of the first (priority, demand), float64 [p, d].
        start_concentration: Dirichlet parameters of the first shares [z].

    Raises:
        UserError: shapes that do not fit, rows that are no laws, numbers that are not finite.
    """

    priority_law: FloatArray
    demand_law: FloatArray
    P_l: FloatArray
    r_g: FloatArray
    r_l: FloatArray
    discount: float
    start: FloatArray
    start_concentration: FloatArray

    def __post_init__(self) -> None:
        priorities, dispatches = self.priority_law.shape[:2]
        demands, (zones, shared, moves) = len(self.demand_law), self.P_l.shape[:3]
        expected = {
            "priority_law": (priorities, dispatches, priorities),
            "demand_law": (demands, demands),
            "P_l": (zones, shared, moves, zones),
            "r_g": (priorities, dispatches),
            "r_l": (zones, shared, demands, moves),
            "start": (priorities, demands),
            "start_concentration": (zones,),
        }
        for name, shape in expected.items():
            array = getattr(self, name)
            if array.shape != shape or shared not in (1, priorities):
                raise UserError(f"{name} of a factored game has shape {array.shape}, expected {shape}, p 1 or as many")
            if not np.isfinite(array).all():
                raise UserError(f"{name} of a factored game holds numbers that are not finite")
        laws = {"priority_law": self.priority_law, "demand_law": self.demand_law, "P_l": self.P_l}
        for name, law in (laws | {"start": self.start.reshape(1, -1)}).items():
            if (law < 0).any() or (np.abs(law.sum(axis=-1) - 1) > ROW_SUM).any():
                raise UserError(f"{name} of a factored game has rows that are no laws: they must sum to 1")
        if not 0 <= self.discount < 1 or (self.start_concentration <= 0).any():
            raise UserError("a factored game wants a discount in [0, 1) and start concentrations above 0")

    @property
    def priorities(self) -> int:
        """Priorities."""
        return len(self.priority_law)

    @property
    def demands(self) -> int:
        """Demands."""
        return len(self.demand_law)

    def under(self, local_policy: FloatArray, order: str = "at_once") -> MeanField:
        """The limit of many robots that follow π_l [z, p, a].

        Raises:
            UserError: the policy does not fit, or the order is unknown.
        """
        wanted = (len(self.P_l), self.priorities, self.P_l.shape[2])
        if local_policy.shape != wanted:
            raise UserError(f"the robots' policy has shape {local_policy.shape}, the game wants {wanted}")
        rewards = np.broadcast_to(self.r_l, (wanted[0], self.priorities, *self.r_l.shape[2:]))
        earned = np.einsum("zpa,zpda->pdz", local_policy, rewards)
        steps, group = distinct(self._tilde(local_policy))
        row_of, row_next, row_weight = self._rows()
        return MeanField(
            steps=steps,
            step_of=np.repeat(group, self.demands),
            fleet_reward=np.ascontiguousarray(earned.reshape(-1, wanted[0])),
            dispatch_reward=np.repeat(self.r_g, self.demands, axis=0),
            row_of=row_of,
            row_next=row_next,
            row_weight=row_weight,
            discount=float(self.discount),
            start_priority=self.start.ravel(),
            start_concentration=self.start_concentration,
            order=checked(order),
        )

    def _tilde(self, local_policy: FloatArray) -> FloatArray:
        """P̃ [p, z, z']."""
        if self.P_l.shape[1] == 1:
            return np.asarray(np.einsum("zpa,zay->pzy", local_policy, self.P_l[:, 0], optimize=True))
        return np.asarray(np.einsum("zpa,zpay->pzy", local_policy, self.P_l, optimize=True))

    def _rows(self) -> tuple[IntArray, IntArray, FloatArray]:
        """`MeanField.row_of`, `row_next` and `row_weight`: each law of priorities with each of the demand's rows."""
        demands = self.demands
        laws, law_of = distinct(self.priority_law.reshape(-1, self.priorities))
        ends, weights = padded(laws)
        onward, chances = padded(self.demand_law)
        row_next = ends[:, None, :, None] * demands + onward[None, :, None, :]
        row_weight = weights[:, None, :, None] * chances[None, :, None, :]
        size = (len(laws) * demands, -1)
        row_of = law_of.reshape(self.r_g.shape)[:, None, :] * demands + np.arange(demands)[None, :, None]
        return row_of.reshape(-1, self.r_g.shape[1]), row_next.reshape(size), row_weight.reshape(size)
