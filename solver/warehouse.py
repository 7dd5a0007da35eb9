"""The paper's warehouse (arXiv 2603.03759, Appendix G.1; MATH §1) and its variant with counted transitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from meanfleet.config import Config, CountedTransition, LocalReward, LocalTransition
from meanfleet.counts import read_counts
from meanfleet.ring import MOVES, shifted

from .game import FloatArray, Game, GameError


def warehouse_game(config: Config) -> Game:
    """The game of a configuration: zones on a ring, moves stay, next and previous."""
    zones, game = len(config.zones), config.game
    if isinstance(game.P_l, CountedTransition):
        counts = read_counts(Path(config.source).parent / game.P_l.counted, config)
        local = counted_transition(counts, game.P_l.prior)
    else:
        local = local_transition(zones, game.P_l)
    eye = np.eye(zones)
    steering = game.P_g.base + game.P_g.target * eye[None, :, :] + game.P_g.stay * eye[:, None, :]
    return Game(
        P_g=_softmax(steering),
        P_l=local,
        r_g=np.full((zones, zones), game.r_g),
        r_l=local_reward(zones, game.r_l),
        discount=game.discount,
        start_priority=np.full(zones, 1 / zones),
        start_concentration=np.full(zones, game.start),
    )


def local_transition(zones: int, spec: LocalTransition) -> FloatArray:
    """P_l[z, s_g, a, z'] as the softmax of its logits (MATH §1)."""
    logits = np.full((zones, zones, MOVES, zones), spec.base)
    for zone in range(zones):
        logits[zone, :, :, zone] += spec.stay
        for move in range(1, MOVES):
            logits[zone, :, move, shifted(zone, move, zones)] += spec.move
    for priority in range(zones):
        logits[:, priority, :, priority] += spec.priority
    return _softmax(logits)


def counted_transition(counts: NDArray[np.int64], prior: float) -> FloatArray:
    """P_l from counts [z, a, z'] with `prior` added to the zones a body can reach: stay, next and previous.

    A counted world does not know the priority, so P_l is the same for every s_g. Cells that were never seen and
    that no drive along the ring reaches within a tick stay at zero.
    """
    zones = len(counts)
    reachable = np.zeros((zones, MOVES, zones))
    for zone in range(zones):
        for move in range(MOVES):
            reachable[zone, :, shifted(zone, move, zones)] = 1
    weights = counts + prior * reachable
    total = weights.sum(axis=-1, keepdims=True)
    if (total == 0).any():
        zone, move, _ = np.argwhere(total == 0)[0].tolist()
        raise GameError(f"P_l: zone {zone} was never counted under move {move}: count longer or set game.P_l.prior")
    law = weights / total
    return np.repeat(law[:, None], zones, axis=1)


def local_reward(zones: int, spec: LocalReward) -> FloatArray:
    """r_l[z, s_g, a]: most in the priority zone, falling with the distance on the ring (MATH §1)."""
    gap = np.abs(np.arange(zones)[:, None] - np.arange(zones)[None, :])
    distance = np.minimum(gap, zones - gap)
    place = np.where(distance == 0, spec.same_zone, spec.other_zone / (1 + distance))
    return np.asarray(place[:, :, None] + np.asarray(spec.move)[None, None, :], dtype=np.float64)


def _softmax(logits: FloatArray) -> FloatArray:
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True), dtype=np.float64)
