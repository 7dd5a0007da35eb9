"""L-LEARN against the dispatcher that remembers, in the n-robot system with the observer in the loop.

Robots of the n-robot system have no gradient at hand, but the κ-robot system's is a good guide: its dispatcher sees
κ robots, the one that remembers nearly as much. Cells that gain there are switched, all at once and one by one; what
counts is the return of n robots under the dispatcher that remembers, whose model of the robots is the new π_l. A step
is accepted only when its paired gain lies above 0 at 95 %, with Q_κ learned anew and random numbers not seen before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from meanfleet.base.arrays import FloatArray
from meanfleet.base.errors import UserError

from .filter_selection import USUAL_RHO, FilterSelection
from .fleet.candidates import Remembering
from .fleet.choice import affordable, paired_lead, race
from .fleet.counts import CHUNK
from .global_learning import learn_exact
from .local_learning import gradient
from .selection import ROBOTS, ROBOTS_FRESH
from .surrogate import KRobotSystem

SHORTEST_WAY = "shortest way"
ROUNDS = 4
SINGLES = 6  # cells switched one by one per round
GUIDE = 10  # robots of the system whose gradient guides, at most


@dataclass(frozen=True, eq=False)
class Fitted:
    """The robots' policy for a dispatcher that remembers.

    Attributes:
        robots: its name.
        local_policy: π_l [z, s_g, a].
        report: where it began, every step with its paired gain, and the gain in all; JSON-ready.
    """

    robots: str
    local_policy: FloatArray
    report: dict[str, Any]


def fitted_robots(filters: FilterSelection, known: Mapping[str, FloatArray], k: int) -> Fitted:
    """The best of the known π_l for the dispatcher that remembers and polls k robots, and what improves on it.

    Raises:
        UserError: Q_κ is out of reach.
    """
    selection, limit = filters.selection, filters.settings.rollouts
    rules = [one for name, policy in known.items() if (one := filters.usual(name, policy, k)) is not None]
    if not rules:
        raise UserError("observer: dirichlet needs Q of a larger system, which is out of reach for this game")
    best = first = race(selection.fleet(k), rules, limit, selection.stream(ROBOTS, k, 0)).winner
    steps: list[dict[str, Any]] = []
    for turn in range(1, ROUNDS + 1):
        tries = _switched(filters, best)
        if not tries:
            break
        newest = race(selection.fleet(k), tries, max(CHUNK, limit // 2), selection.stream(ROBOTS, k, turn)).winner
        newest = filters.usual(newest.robots, newest.local_policy, k) or newest  # with its own Q_κ
        gain = paired_gain(filters, newest, best, k, turn)
        if gain["low"] <= 0:
            break
        steps.append({"robots": newest.robots, "cells": _cells(best, newest)} | gain)
        best = newest
    over = {
        one.robots: paired_gain(filters, best, one, k, 0) for one in rules if one.robots in (SHORTEST_WAY, first.robots)
    }
    report = {"observer": "dirichlet", "k": k, "start": first.robots, "steps": steps, "gain_over": over}
    return Fitted(best.robots, best.local_policy, report)


def paired_gain(filters: FilterSelection, own: Remembering, other: Remembering, k: int, turn: int) -> dict[str, float]:
    """What n robots earn more with `own`, under random numbers of their own: mean and 95 % interval."""
    rollouts = affordable(filters.settings.rollouts, filters.horizon)
    fleet, stream = filters.selection.fleet(k), filters.selection.stream(ROBOTS_FRESH, k, turn)
    mine, its = (one.returns(fleet, rollouts, filters.horizon, stream) for one in (own, other))
    return paired_lead(mine, its, filters.horizon)


def _switched(filters: FilterSelection, base: Remembering) -> list[Remembering]:
    """π_l with every gaining cell switched, and with single cells switched, the most promising first."""
    policy, model = base.local_policy, base.observer.model
    try:
        surrogate = KRobotSystem(filters.game, min(GUIDE, model.kappa)).under(policy)
        best = learn_exact(surrogate, 1e-6 * filters.game.reward_range)
        slopes = gradient(surrogate, best.table, best.optimal.middle)
    except UserError:  # out of reach: nothing guides
        return []
    slopes -= np.sum(policy * slopes, axis=2, keepdims=True)
    slopes[~np.broadcast_to(filters.game.allowed[:, None], slopes.shape)] = -np.inf
    rows, moves = np.eye(slopes.shape[2]), slopes.argmax(axis=2)
    gaining = slopes.max(axis=2) > 1e-6 * filters.game.reward_range
    found = []
    if gaining.any():
        found.append(np.where(gaining[:, :, None], rows[moves], policy))
    for index in np.argsort(-slopes, axis=None, kind="stable"):
        z, s, a = (int(i) for i in np.unravel_index(index, slopes.shape))
        if len(found) > SINGLES or np.isneginf(slopes[z, s, a]):
            break
        if policy[z, s, a] < 1:
            single = policy.copy()
            single[z, s] = rows[a]
            found.append(single)
    name = base.robots if base.robots.endswith(", fitted") else f"{base.robots}, fitted"
    return [filters.rule(model, USUAL_RHO, "interpolated", name, one) for one in found]


def _cells(before: Remembering, after: Remembering) -> list[list[int]]:
    """Cells [zone, s_g] in which two policies differ."""
    return np.argwhere((before.local_policy != after.local_policy).any(axis=2)).tolist()
