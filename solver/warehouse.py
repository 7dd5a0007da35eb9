"""The paper's warehouse (arXiv 2603.03759, Appendix G.1; MATH §1) and its variant with counted transitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from meanfleet.config import Config, CountedTransition, LocalReward, LocalTransition
from meanfleet.counts import read_counts, read_steering
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
    return Game(
        P_g=_steering(config),
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


def _steering(config: Config) -> FloatArray:
    """P_g by its logits (MATH §1), or counted."""
    zones, spec = len(config.zones), config.game.P_g
    if isinstance(spec, CountedTransition):
        return counted_steering(read_steering(Path(config.source).parent / spec.counted, config), spec.prior)
    eye = np.eye(zones)
    return _softmax(spec.base + spec.target * eye[None, :, :] + spec.stay * eye[:, None, :])


def counted_transition(counts: NDArray[np.int64], prior: float) -> FloatArray:
    """P_l [z, s_g, a, z'] from counts [z, a, z'] or [z, s_g, a, z']: rows of `transition_weights`, normalised."""
    weights = transition_weights(counts, prior)
    total = weights.sum(axis=-1, keepdims=True)
    if (total == 0).any():
        zone, *_, move, _ = np.argwhere(total == 0)[0].tolist()
        raise GameError(f"P_l: zone {zone} was never counted under move {move}: count longer or set game.P_l.prior")
    law = weights / total
    return np.repeat(law[:, None], len(counts), axis=1) if counts.ndim == 3 else law


def transition_weights(counts: NDArray[np.int64], prior: float) -> FloatArray:
    """Dirichlet weights of P_l's rows, of the shape of the counts [z, a, z'] or [z, s_g, a, z'].

    [z, a, z']: `prior` is added to the zones a body can reach: stay, next and previous; cells that were never seen and
    that no drive along the ring reaches within a tick stay at zero. The priority makes no difference.
    [z, s_g, a, z']: as much in all is added in the proportions of the counts summed over priorities, so that a row
    that was never seen is the one that holds for all priorities together.
    """
    zones = len(counts)
    reachable = np.zeros((zones, MOVES, zones))
    for zone in range(zones):
        for move in range(MOVES):
            reachable[zone, :, shifted(zone, move, zones)] = 1
    if counts.ndim == 3:
        return np.asarray(counts + prior * reachable)
    pooled = counts.sum(axis=1) + prior * reachable
    total = pooled.sum(axis=-1, keepdims=True)
    share = np.divide(pooled, total, out=np.zeros_like(pooled), where=total > 0)
    return np.asarray(counts + (prior * reachable.sum(axis=-1, keepdims=True) * share)[:, None])


def counted_steering(counts: NDArray[np.int64], prior: float) -> FloatArray:
    """P_g [s_g, a_g, s_g'] from counts, with `prior` added to holding s_g and to reaching a_g."""
    weights = steering_weights(counts, prior)
    total = weights.sum(axis=-1, keepdims=True)
    if (total == 0).any():
        s, a, _ = np.argwhere(total == 0)[0].tolist()
        raise GameError(f"P_g: priority {s} was never counted under dispatch {a}: count longer or set game.P_g.prior")
    return np.asarray(weights / total)


def steering_weights(counts: NDArray[np.int64], prior: float) -> FloatArray:
    """Dirichlet weights of P_g's rows [s_g, a_g, s_g']."""
    eye = np.eye(len(counts))
    return np.asarray(counts + prior * np.maximum(eye[:, None, :], eye[None, :, :]))


def local_reward(zones: int, spec: LocalReward) -> FloatArray:
    """r_l[z, s_g, a]: most in the priority zone, falling with the distance on the ring (MATH §1)."""
    gap = np.abs(np.arange(zones)[:, None] - np.arange(zones)[None, :])
    distance = np.minimum(gap, zones - gap)
    place = np.where(distance == 0, spec.same_zone, spec.other_zone / (1 + distance))
    return np.asarray(place[:, :, None] + np.asarray(spec.move)[None, None, :], dtype=np.float64)


def _softmax(logits: FloatArray) -> FloatArray:
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True), dtype=np.float64)
