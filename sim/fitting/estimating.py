"""P_l and P_g from a recorded fleet: counts per tick, Dirichlet posteriors, credible intervals.

A row P_l[z, s_g, a, ·] with counts c and prior weights β has the posterior Dirichlet(β + c). Its mean is what the game
gets; a cell's marginal is Beta(w, W − w), with w the cell's weight and W the row's, and gives its 95 % interval.

A robot's move is recorded, or known because the policy it followed leaves no choice, or, as a last resort, inferred
from where it went. The last makes every drive succeed by definition: P_l then says nothing of failed drives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, chi2

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError
from meanfleet.solver.warehouse import by_row, steering_weights, transition_weights
from meanfleet.space.zone_graph import ZoneGraph

from ..bags.log import UNKNOWN, FleetLog

MovesFrom = Literal["recorded", "policy", "way"]
SOURCES: tuple[MovesFrom, ...] = get_args(MovesFrom)
LEVEL = 0.95
DIFFERENT = 1e-3  # chance of so much difference between priorities if there is none, below which they are kept apart
CERTAIN = 1 - 1e-9  # a policy's probability from which a move counts as known
PRIOR = 0.5


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a log says of the game.

    Attributes:
        counts: transitions, int64 [z, s_g, a, z'] or, where the priority makes no difference, [z, a, z'].
        steering: int64 [s_g, a_g, s_g'], None if the log holds no dispatches.
        prior: Dirichlet weight, see `solver.warehouse.transition_weights`.
        moves_from: how moves are known.
        different: p-value of the test that P_l is the same for all priorities; None where that cannot be tested.
        left_out: robots' ticks that could not be counted, by reason.
        graph: the zones and the ways between them.
    """

    counts: IntArray
    steering: IntArray | None
    prior: float
    moves_from: MovesFrom
    different: float | None
    left_out: dict[str, int]
    graph: ZoneGraph

    @property
    def law(self) -> FloatArray:
        """Posterior mean of P_l, of the shape of the counts; nan in rows with no weight, 0 in those that are none."""
        law = _mean(transition_weights(self.counts, self.prior, self.graph))
        return np.asarray(np.where(self.rows[..., None], law, 0.0))

    @property
    def interval(self) -> tuple[FloatArray, FloatArray]:
        """Ends of the 95 % credible intervals of P_l, each of the shape of the counts."""
        return credible(transition_weights(self.counts, self.prior, self.graph))

    @property
    def steering_interval(self) -> tuple[FloatArray, FloatArray] | None:
        """The same of P_g."""
        return None if self.steering is None else credible(steering_weights(self.steering, self.prior))

    @property
    def unseen(self) -> list[list[int]]:
        """Rows of P_l that were never seen: [z, s_g, a] or [z, a]; their law is the prior's."""
        return [[int(i) for i in row] for row in np.argwhere((self.counts.sum(axis=-1) == 0) & self.rows)]

    @property
    def rows(self) -> NDArray[np.bool_]:
        """Which rows of P_l there are: [z, s_g, a] or [z, a] of moves that the zone has."""
        return by_row(self.graph, self.counts)

    @property
    def unseen_steering(self) -> list[list[int]]:
        """[s_g, a_g] never seen."""
        if self.steering is None:
            return []
        return [[int(i) for i in row] for row in np.argwhere(self.steering.sum(axis=-1) == 0)]

    def summary(self) -> dict[str, Any]:
        """Counts, laws, intervals and what was not explored; JSON-ready."""
        rows = self.counts.sum(axis=-1)[self.rows]
        low, high = self.interval
        result: dict[str, Any] = {
            "transitions": int(self.counts.sum()),
            "moves_from": self.moves_from,
            "by_priority": self.counts.ndim == 4,
            "priorities_differ_p": self.different,
            "prior": self.prior,
            "left_out": dict(sorted(self.left_out.items())),
            "coverage": {
                "rows": int(rows.size),
                "seen": int((rows > 0).sum()),
                "fewest": int(rows.min()),
                "median": float(np.median(rows)),
                "widest_interval": float((high - low).max()),
            },
            "unseen": self.unseen,
            "counts": self.counts.tolist(),
            "P_l": self.law.tolist(),
            "P_l_low": low.tolist(),
            "P_l_high": high.tolist(),
        }
        steering = self.steering_interval
        if self.steering is not None and steering is not None:
            cells = self.steering.sum(axis=-1)
            result["steering"] = {
                "transitions": int(cells.sum()),
                "rows": int(cells.size),
                "seen": int((cells > 0).sum()),
                "unseen": self.unseen_steering,
                "counts": self.steering.tolist(),
                "P_g": _mean(steering_weights(self.steering, self.prior)).tolist(),
                "P_g_low": steering[0].tolist(),
                "P_g_high": steering[1].tolist(),
            }
        return result


def fit(
    log: FleetLog,
    *,
    graph: ZoneGraph | None = None,
    moves_from: str = "",
    policy: FloatArray | None = None,
    by_priority: bool | None = None,
    prior: float = PRIOR,
    steering: bool = True,
) -> Fitted:
    """Estimate P_l, and P_g where the dispatcher's diagnostics are in the log.

    Args:
        log: the recorded fleet; zones and priorities are the same zones.
        graph: the ways between them; None: a ring.
        moves_from: recorded, policy or way (towards where the robot went); empty: the first of recorded and policy that
            is there.
        policy: π_l [z, s_g, a] that the robots followed; only where it leaves no choice does it tell the move.
        by_priority: whether P_l depends on s_g; None: if the log says so at 1 ‰.
        prior: Dirichlet weight.
        steering: count P_g too; not where the dispatcher draws the priority by a P_g that is known.

    Raises:
        UserError: moves are not known in the way asked for, a prior below 0, or nothing to count.
    """
    if not (np.isfinite(prior) and prior >= 0):
        raise UserError(f"prior {prior:g}: expected a number from 0")
    zones = len(log.zone_names)
    graph = graph or ZoneGraph.ring(zones)
    moves, source = _moves(log, graph, moves_from, policy)
    follows = np.concatenate([log.consecutive, [False]])[:, None]
    after = np.concatenate([log.zones[1:], np.full((1, log.zones.shape[1]), UNKNOWN)])
    reasons = {
        "tick before a gap, or the last": ~follows & np.ones_like(moves, dtype=bool),
        "zone unknown": (log.zones == UNKNOWN) | (after == UNKNOWN),
        "move unknown": moves == UNKNOWN,
        "move that its zone does not have": ~_has(graph, log.zones, moves),
    }
    usable, left_out = np.ones(moves.shape, dtype=bool), {}
    for reason, out in reasons.items():
        left_out[reason] = int((usable & out).sum())
        usable &= ~out
    if not usable.any():
        raise UserError(f"{log.source} holds no transition to count: {_commonest(left_out)}")
    priority = np.broadcast_to(log.priority[:, None], moves.shape)
    known = usable & (priority != UNKNOWN)
    counts = np.zeros((zones, zones, graph.moves, zones), dtype=np.int64)
    np.add.at(counts, (log.zones[known], priority[known], moves[known], after[known]), 1)
    different = differs(counts) if known.any() else None
    separate = different is not None and different < DIFFERENT if by_priority is None else by_priority
    if separate:
        left_out["priority unknown"] = int((usable & ~known).sum())
        if not known.any():
            raise UserError(f"{log.source} holds no priorities: P_l by priority cannot be counted")
    else:
        counts = np.zeros((zones, graph.moves, zones), dtype=np.int64)
        np.add.at(counts, (log.zones[usable], moves[usable], after[usable]), 1)
    told = count_steering(log) if steering else None
    left_out = {reason: count for reason, count in left_out.items() if count}
    return Fitted(counts, told, prior, source, different, left_out, graph)


def count_steering(log: FleetLog) -> IntArray | None:
    """How often which priority followed, int64 [s_g, a_g, s_g'], by the dispatcher's diagnostics; None without."""
    index = {name: i for i, name in enumerate(log.steered)}
    keys = ("priority", "dispatch", "next_priority")
    told = [[index.get(str(entry.get(key)), UNKNOWN) for key in keys] for entry in log.ticks]
    steps = np.array([step for step in told if UNKNOWN not in step], dtype=np.int64).reshape(-1, 3)
    if not len(steps):
        return None
    counts = np.zeros((len(index),) * 3, dtype=np.int64)
    np.add.at(counts, tuple(steps.T), 1)
    return counts


def credible(weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Ends of the 95 % intervals of Dirichlet rows with these weights; 0 where a cell has none."""
    rest = weights.sum(axis=-1, keepdims=True) - weights
    tail = (1 - LEVEL) / 2
    ends = []
    for level, sure in ((tail, 0.0), (1 - tail, 0.0)):
        end = beta.ppf(level, np.maximum(weights, 1e-300), np.maximum(rest, 1e-300))
        ends.append(np.where(weights <= 0, sure, np.where(rest <= 0, 1.0, end)))
    return np.asarray(ends[0]), np.asarray(ends[1])


def differs(counts: IntArray) -> float | None:
    """p-value of the likelihood-ratio test that counts [z, s_g, a, z'] have one law for all s_g; None: no test.

    Only rows with five expected per cell on average are compared, where χ² is a fair approximation.
    """
    statistic, freedom = 0.0, 0
    for z, a in np.ndindex(counts.shape[0], counts.shape[2]):
        rows = counts[z, :, a]
        rows = rows[rows.sum(axis=1) >= 5 * rows.shape[1]]
        cells = rows[:, rows.sum(axis=0) > 0]
        if len(rows) < 2 or cells.shape[1] < 2:
            continue
        expected = np.outer(cells.sum(axis=1), cells.sum(axis=0)) / cells.sum()
        seen = cells > 0
        statistic += 2 * float((cells[seen] * np.log(cells[seen] / expected[seen])).sum())
        freedom += (cells.shape[0] - 1) * (cells.shape[1] - 1)
    return float(chi2.sf(statistic, freedom)) if freedom else None


def behaviour(log: FleetLog, graph: ZoneGraph | None = None, moves: IntArray | None = None) -> FloatArray:
    """What the robots did: moves' shares π_l [z, s_g, a] in the log; equal shares where nothing was seen."""
    zones, moved = len(log.zone_names), log.moves if moves is None else moves
    graph = graph or ZoneGraph.ring(zones)
    seen = np.zeros((zones, len(log.steered), graph.moves))
    if moved is not None:
        priority = np.broadcast_to(log.priority[:, None], moved.shape)
        known = (log.zones != UNKNOWN) & (priority != UNKNOWN) & _has(graph, log.zones, moved)
        np.add.at(seen, (log.zones[known], priority[known], moved[known]), 1)
    total = seen.sum(axis=2, keepdims=True)
    equal = graph.allowed / graph.allowed.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total > 0, seen / np.maximum(total, 1), equal[:, None]))


def _has(graph: ZoneGraph, zones: IntArray, moves: IntArray) -> NDArray[np.bool_]:
    """Whether a robot in a known zone has the move, bool of the shape of both."""
    known = (zones != UNKNOWN) & (moves >= 0) & (moves < graph.moves)
    return np.asarray(known & graph.allowed[zones, np.where(known, moves, 0)])


def _moves(log: FleetLog, graph: ZoneGraph, wanted: str, policy: FloatArray | None) -> tuple[IntArray, MovesFrom]:
    """Moves [tick, robot], UNKNOWN where they are, and how they are known."""
    if wanted not in ("", *SOURCES):
        raise UserError(f"moves from {wanted!r}: expected {', '.join(SOURCES)}")
    recorded = log.moves is not None and bool((log.moves != UNKNOWN).any())
    source = wanted or ("recorded" if recorded else "policy" if policy is not None else "")
    if source == "recorded" and recorded:
        assert log.moves is not None
        return np.asarray(log.moves), "recorded"
    if source == "policy" and policy is not None:
        return _by_policy(log, graph, policy), "policy"
    if source == "way":
        ahead = np.concatenate([log.zones[1:], log.zones[-1:]])
        inferred = graph.towards[log.zones, ahead]
        unknown = (log.zones == UNKNOWN) | (ahead == UNKNOWN)
        return np.asarray(np.where(unknown, UNKNOWN, inferred)), "way"
    if source == "policy":
        raise UserError("moves from policy: give the policy that the robots followed with --policy")
    raise UserError(
        f"{log.source} holds no robots' moves: record their diagnostics, or give the policy they followed with "
        "--policy, or let moves be inferred from where they went with --moves way, which sees no failed drive"
    )


def _by_policy(log: FleetLog, graph: ZoneGraph, policy: FloatArray) -> IntArray:
    expected = (graph.zones, graph.zones, graph.moves)
    if policy.shape != expected:
        raise UserError(f"the robots' policy has shape {policy.shape}, expected {expected}")
    sure = np.where(policy.max(axis=2) >= CERTAIN, policy.argmax(axis=2), UNKNOWN)
    priority = np.broadcast_to(log.priority[:, None], log.zones.shape)
    known = (log.zones != UNKNOWN) & (priority != UNKNOWN)
    return np.asarray(np.where(known, sure[np.maximum(log.zones, 0), np.maximum(priority, 0)], UNKNOWN))


def _mean(weights: FloatArray) -> FloatArray:
    total = weights.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(weights, total, out=np.full_like(weights, np.nan), where=total > 0))


def _commonest(left_out: dict[str, int]) -> str:
    return max(left_out, key=lambda reason: left_out[reason])
