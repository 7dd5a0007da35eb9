"""The way without a model: Q-learning on the same log (arXiv 2603.03759, Appendix E), and how it compares.

Any k robots of the log are a k-robot system whose dispatches somebody else chose, which is all that off-policy learning
asks. Disjoint groups of k robots are learned from one after the other; its table is then set beside that of exact
G-LEARN in the fitted game with the robots' recorded behaviour, and both run the fleet of the fitted game.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from meanfleet.base.arrays import IntArray
from meanfleet.base.errors import UserError
from meanfleet.solver import Game
from meanfleet.solver.fleet import Estimate, Fleet, discounted_horizon
from meanfleet.solver.global_learning import learn_exact
from meanfleet.solver.logged import LoggedLearning, StepSize, Trajectory, learn_logged
from meanfleet.solver.surrogate import KRobotSystem

from ..bags.log import UNKNOWN, FleetLog
from .estimating import behaviour

ROLLOUTS = 2000


def dispatches(log: FleetLog) -> IntArray:
    """a_g of every tick by the dispatcher's diagnostics, int64 [tick], UNKNOWN where there are none."""
    index = {name: i for i, name in enumerate(log.steered)}
    found = np.full(len(log.stamps), UNKNOWN, dtype=np.int64)
    half = 0.5 * float(np.median(np.diff(log.stamps))) if len(log.stamps) > 1 else 0.5
    for entry in log.ticks:
        zone, stamp = index.get(entry.get("dispatch", "")), entry.get("stamp")
        if zone is not None and isinstance(stamp, int | float):
            at = int(np.argmin(np.abs(log.stamps - stamp)))
            if abs(log.stamps[at] - stamp) < half:
                found[at] = zone
    return found


def trajectories(log: FleetLog, game: Game, k: int, seed: int = 0) -> Iterator[Trajectory]:
    """Stretches of ticks in which everything of k robots is known, for disjoint groups of robots."""
    if log.moves is None:
        raise UserError(f"{log.source} holds no robots' moves: there is no reward to learn from")
    dispatch = dispatches(log)
    names = np.random.default_rng(seed).permutation(len(log.robots))
    follows = np.concatenate([log.consecutive, [False]])
    for begin in range(0, len(names) - k + 1, k):
        group = names[begin : begin + k]
        zones, moves = log.zones[:, group], log.moves[:, group]
        here = (zones != UNKNOWN).all(axis=1) & (log.priority != UNKNOWN)
        acts = here & (moves != UNKNOWN).all(axis=1) & (dispatch != UNKNOWN) & follows & np.append(here[1:], False)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], acts, [False]]).astype(np.int64)))
        for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            s, a = log.priority[first : end + 1], dispatch[first:end]
            reward = game.r_l[zones[first:end], s[:-1, None], moves[first:end]].mean(axis=1)
            histogram = np.stack([(zones[first : end + 1] == z).sum(axis=1) for z in range(game.zones)], axis=1)
            yield Trajectory(s, histogram, a, game.r_g[s[:-1], a] + reward, game.priorities, game.dispatches)


def learn(log: FleetLog, game: Game, k: int, seed: int = 0) -> LoggedLearning:
    """Q-learning over all of them.

    The step size is that of the rarest pair seen; pairs never seen keep 0.

    Raises:
        UserError: nothing to learn from.
    """
    parts = list(trajectories(log, game, k, seed))
    if not parts:
        raise UserError(f"{log.source} lacks dispatches, moves or priorities of {k} robots at a time: nothing to learn")
    visits = sum((part.visits for part in parts), np.zeros(parts[0].shape, dtype=np.int64))
    rate = float(visits[visits > 0].min() / visits.sum())
    state = None
    for part in parts:
        state = learn_logged(part, game.discount, None if state else StepSize.for_rate(rate, game.discount), state)
    assert state is not None
    return state


def compare(log: FleetLog, game: Game, k: int, seed: int = 0, rollouts: int = ROLLOUTS) -> dict[str, Any]:
    """Q-learning beside exact G-LEARN in the fitted game: agreement where the log has been, and returns; JSON-ready."""
    learned = learn(log, game, k, seed)
    policy = behaviour(log, game.graph)
    exact = learn_exact(KRobotSystem(game, k).under(policy), 1e-7 * game.reward_range)
    seen = learned.visits.sum(axis=2)
    fleet, horizon = Fleet(game, len(log.robots), k, endless=True), discounted_horizon(game.discount)
    own = fleet.returns(learned.table, policy, rollouts, horizon, seed)
    model = fleet.returns(exact.table, policy, rollouts, horizon, seed)
    lead = Estimate.of(model - own, horizon)
    return {
        "k": k,
        "updates": learned.updates,
        "pairs": int(learned.visits.size),
        "pairs_seen": int((learned.visits > 0).sum()),
        "agreement": float(((learned.table == exact.table) * seen).sum() / seen.sum()),
        "return_model_free": Estimate.of(own, horizon).as_dict(),
        "return_model": Estimate.of(model, horizon).as_dict(),
        "model_leads": lead.as_dict() | {"low": lead.interval[0], "high": lead.interval[1]},
    }
