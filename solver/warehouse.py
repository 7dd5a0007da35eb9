"""The paper's warehouse (arXiv 2603.03759, Appendix G.1; math.md §1), on its ring or on any graph of zones.

On a graph, δ(a) is the zone that the move leads to, the distance is that of the shortest way there, and nothing else
changes: a robot stays, goes where it meant to, is drawn to the priority, or is anywhere, by the same logits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.arrays import FloatArray
from meanfleet.config import Config, CountedTransition, LocalReward, LocalTransition, MoveReward
from meanfleet.config.counts import read_counts, read_steering
from meanfleet.space.zone_graph import STAY, ZoneGraph

from .game import Game, GameError
from .types import typed_game, weighed

Law = Callable[[FloatArray], FloatArray]  # Dirichlet weights [..., outcome] to probabilities
RING_REWARD = (0.0, 0.5, -0.3)  # of the paper's moves: stay, next, previous


def mean_law(weights: FloatArray) -> FloatArray:
    """Mean of Dirichlet laws with these weights; rows without weight are 0."""
    total = weights.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(weights, total, out=np.zeros_like(weights), where=total > 0))


def warehouse_game(config: Config, law: Law = mean_law) -> Game:
    """The game of a configuration, on its ring or graph of zones; with types of robots, over (type, zone).

    `law` makes counted transitions of their weights.
    """
    if config.types:
        return game_of_types([warehouse_game(config.of_type(name), law) for name in config.types], config)
    zones, game, graph = len(config.zones), config.game, config.zone_graph
    if isinstance(game.P_l, CountedTransition):
        counts = read_counts(Path(config.source).parent / game.P_l.counted, config)
        local = counted_transition(counts, game.P_l.prior, graph, law)
    else:
        local = local_transition(graph, game.P_l)
    return Game(
        P_g=_steering(config, law),
        P_l=local,
        r_g=np.full((zones, zones), game.r_g),
        r_l=local_reward(graph, config.zones, game.r_l),
        discount=game.discount,
        start_priority=np.full(zones, 1 / zones),
        start_concentration=np.full(zones, game.start),
        graph=graph,
    )


def game_of_types(games: Sequence[Game], config: Config) -> Game:
    """The game over (type, zone) of a configuration, from those of its types."""
    shares = [own.share for own in config.types.values()]
    if config.interactions:
        games = weighed(games, shares, config.interaction_weights)
    return typed_game(games, shares)


def local_transition(graph: ZoneGraph, spec: LocalTransition) -> FloatArray:
    """P_l[z, s_g, a, z'] as the softmax of its logits (math.md §1); a move that a zone does not have is as staying."""
    zones = graph.zones
    logits = np.full((zones, zones, graph.moves, zones), spec.base)
    for zone in range(zones):
        logits[zone, :, :, zone] += spec.stay
        for move in np.flatnonzero(graph.allowed[zone])[1:]:
            logits[zone, :, move, graph.targets[zone, move]] += spec.move
    for priority in range(zones):
        logits[:, priority, :, priority] += spec.priority
    return _softmax(logits)


def _steering(config: Config, law: Law) -> FloatArray:
    """P_g by its logits (math.md §1), or counted."""
    zones, spec = len(config.zones), config.game.P_g
    if isinstance(spec, CountedTransition):
        return counted_steering(read_steering(Path(config.source).parent / spec.counted, config), spec.prior, law)
    eye = np.eye(zones)
    return _softmax(spec.base + spec.target * eye[None, :, :] + spec.stay * eye[:, None, :])


def counted_transition(counts: NDArray[np.int64], prior: float, graph: ZoneGraph, law: Law = mean_law) -> FloatArray:
    """P_l [z, s_g, a, z'] from counts [z, a, z'] or [z, s_g, a, z']: rows of `transition_weights`, normalised.

    Rows of moves that a zone does not have are 0.
    """
    weights = transition_weights(counts, prior, graph)
    total = weights.sum(axis=-1, keepdims=True)
    has = by_row(graph, counts)[..., None]
    empty = (total == 0) & has
    if empty.any():
        zone, *_, move, _ = np.argwhere(empty)[0].tolist()
        raise GameError(f"P_l: zone {zone} was never counted under move {move}: count longer or set game.P_l.prior")
    rows = np.where(has, law(weights), 0.0)
    return np.repeat(rows[:, None], len(counts), axis=1) if counts.ndim == 3 else rows


def transition_weights(counts: NDArray[np.int64], prior: float, graph: ZoneGraph) -> FloatArray:
    """Dirichlet weights of P_l's rows, of the shape of the counts [z, a, z'] or [z, s_g, a, z'].

    [z, a, z']: `prior` is added to the zones a body can reach, its own and the neighbours; cells that were never seen
    and that no drive along one way reaches within a tick stay at zero. The priority makes no difference.
    [z, s_g, a, z']: as much in all is added in the proportions of the counts summed over priorities, so that a row
    that was never seen is the one that holds for all priorities together.
    """
    reachable = np.zeros((graph.zones, graph.moves, graph.zones))
    for zone, move in np.argwhere(graph.allowed):
        reachable[zone, graph.allowed[zone], graph.targets[zone, move]] = 1
    if counts.ndim == 3:
        return np.asarray(counts + prior * reachable)
    pooled = counts.sum(axis=1) + prior * reachable
    total = pooled.sum(axis=-1, keepdims=True)
    share = np.divide(pooled, total, out=np.zeros_like(pooled), where=total > 0)
    return np.asarray(counts + (prior * reachable.sum(axis=-1, keepdims=True) * share)[:, None])


def by_row(graph: ZoneGraph, counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows of counts are those of a move that the zone has, bool of the shape of the rows."""
    allowed = graph.allowed if counts.ndim == 3 else graph.allowed[:, None]
    return np.broadcast_to(allowed, counts.shape[:-1])


def counted_steering(counts: NDArray[np.int64], prior: float, law: Law = mean_law) -> FloatArray:
    """P_g [s_g, a_g, s_g'] from counts, with `prior` added to holding s_g and to reaching a_g."""
    weights = steering_weights(counts, prior)
    total = weights.sum(axis=-1, keepdims=True)
    if (total == 0).any():
        s, a, _ = np.argwhere(total == 0)[0].tolist()
        raise GameError(f"P_g: priority {s} was never counted under dispatch {a}: count longer or set game.P_g.prior")
    return np.asarray(law(weights))


def steering_weights(counts: NDArray[np.int64], prior: float) -> FloatArray:
    """Dirichlet weights of P_g's rows [s_g, a_g, s_g']."""
    eye = np.eye(len(counts))
    return np.asarray(counts + prior * np.maximum(eye[:, None, :], eye[None, :, :]))


def local_reward(graph: ZoneGraph, names: Sequence[str], spec: LocalReward) -> FloatArray:
    """r_l[z, s_g, a]: most in the priority zone, falling with the moves of the shortest way there (math.md §1)."""
    distance = graph.distance
    place = np.where(distance == 0, spec.same_zone, spec.other_zone / (1 + distance))
    return np.asarray(place[:, :, None] + _move_reward(graph, names, spec.move)[:, None, :], dtype=np.float64)


def _move_reward(graph: ZoneGraph, names: Sequence[str], spec: tuple[float, ...] | MoveReward | None) -> FloatArray:
    """What the moves themselves earn, float64 [zone, move]; 0 where the zone has no such move."""
    if spec is None:
        spec = RING_REWARD if graph.is_ring else MoveReward()
    if not isinstance(spec, MoveReward):
        return np.where(graph.allowed, np.asarray(spec, dtype=np.float64), 0.0)
    reward = np.where(graph.allowed, spec.drive, 0.0)
    reward[:, STAY] = spec.stay
    for zone, ways in spec.ways.items():
        z = names.index(zone)
        for end, value in ways.items():
            reward[z, 1:][graph.targets[z, 1:] == names.index(end)] = value
    return reward


def _softmax(logits: FloatArray) -> FloatArray:
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True), dtype=np.float64)
