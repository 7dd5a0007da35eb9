"""Types of robots, by the paper's trick: a robot's state is (type, zone), and the type never changes.

State type·zones + zone of a game with block-diagonal P_l: an ordinary game of identical robots, so everything that
solves, certifies and runs games takes it as it is. π_l[state, s_g, a] holds one policy per type.

The start: a robot's type is drawn once by the shares, its zone by a law that all robots of its type share, drawn from
Dirichlet(concentration); the product game carries share·types·concentration, from which both are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import gammaln, poch

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.config.types import counts_of

from .game import Game, GameError

SHARED = ("P_g", "r_g", "start_priority", "start_concentration")


def typed_game(games: Sequence[Game], shares: Sequence[float]) -> Game:
    """The game of a fleet with robots of several types, from the games that each type would play alone.

    Args:
        games: one per type: the same zones, ways, priorities, dispatches, P_g, r_g and γ.
        shares: of the fleet per type, relative, all above 0.

    Raises:
        GameError: no types, a share that is not above 0, or games that differ in more than P_l and r_l.
    """
    weights = np.asarray(shares, dtype=np.float64)
    if not games or len(games) != len(shares) or not (weights > 0).all():
        raise GameError(f"{len(games)} types with shares {list(shares)}: expected a share above 0 for every type")
    first = games[0]
    for i, game in enumerate(games[1:], 1):
        same = game.graph == first.graph and game.discount == first.discount and game.P_l.shape == first.P_l.shape
        if not same or not all(np.array_equal(getattr(game, a), getattr(first, a)) for a in SHARED):
            raise GameError(
                f"type {i} has another {', '.join(SHARED)} or discount, or other zones and ways than type 0"
            )
    zones, types = first.zones, len(games)
    if first.graph is None or first.priorities != zones:
        raise GameError("types of robots need zones with ways between them, and a priority per zone")
    local = np.zeros((types * zones, first.priorities, first.moves, types * zones))
    for i, game in enumerate(games):
        block = slice(i * zones, (i + 1) * zones)
        local[block, :, :, block] = game.P_l
    scale = weights / weights.sum() * types
    return Game(
        P_g=first.P_g,
        P_l=local,
        r_g=first.r_g,
        r_l=np.concatenate([game.r_l for game in games]),
        discount=first.discount,
        start_priority=first.start_priority,
        start_concentration=np.concatenate([factor * first.start_concentration for factor in scale]),
        graph=first.graph.copied(types),
    )


def weighed(games: Sequence[Game], shares: Sequence[float], weights: Sequence[Sequence[float]]) -> list[Game]:
    """The same games where robots of type τ count W[s_g, τ] times in the fleet's reward (arXiv 2602.16196).

    The reward r_g + Σ_i W_i r_l,i / Σ_i W_i is a mean over robots again once r_l of every type is multiplied by its
    weight over the fleet's mean weight under that priority.

    Args:
        games: one per type.
        shares: of the fleet per type, relative.
        weights: W [priority][type], all above 0.
    """
    W, share = np.asarray(weights, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    factor = W / (W @ (share / share.sum()))[:, None]
    return [replace(game, r_l=game.r_l * factor[None, :, i, None]) for i, game in enumerate(games)]


def type_shares(game: Game) -> FloatArray:
    """Share of every type in the fleet, float64 [type]."""
    blocks = game.start_concentration.reshape(game.types, -1).sum(axis=1)
    return np.asarray(blocks / blocks.sum())


def concentrations(game: Game) -> FloatArray:
    """Dirichlet parameters of the zones of every type's robots at the start, float64 [type, zone]."""
    own = game.start_concentration.reshape(game.types, -1)
    return np.asarray(own / (game.types * type_shares(game))[:, None])


def draw_shares(game: Game, rng: np.random.Generator, size: int | None = None) -> FloatArray:
    """Shares of the fleet per state at the start: float64 [state], or [size, state]."""
    if game.types == 1:
        return rng.dirichlet(game.start_concentration, size=size)
    pairs = zip(type_shares(game), concentrations(game), strict=True)
    return np.concatenate([share * rng.dirichlet(own, size=size) for share, own in pairs], axis=-1)


def draw_counts(game: Game, n: int, shares: FloatArray, rng: np.random.Generator) -> IntArray:
    """Counts of n robots per state, int64 [rollout, state], by shares [rollout, state]; of each type always as many."""
    if game.types == 1:
        return rng.multinomial(n, shares).astype(np.int64)
    of_type = zip(counts_of(type_shares(game).tolist(), n), np.split(shares, game.types, axis=-1), strict=True)
    drawn = [rng.multinomial(count, own / own.sum(axis=-1, keepdims=True)) for count, own in of_type]
    return np.concatenate(drawn, axis=-1).astype(np.int64)


def log_start(game: Game, histograms: IntArray) -> FloatArray:
    """Logarithm, but for a constant, of the chance of each histogram [h, state] of k robots drawn at the start.

    Types by the shares, independently; the zones of a type's k_τ robots Dirichlet–multinomial.
    """
    total = np.zeros(len(histograms))
    for share, own, mu in zip(
        type_shares(game), concentrations(game), np.split(histograms, game.types, axis=1), strict=True
    ):
        k = mu.sum(axis=1)
        total += k * np.log(share) + gammaln(own.sum()) - gammaln(k + own.sum())
        total += np.sum(gammaln(mu + own) - gammaln(own) - gammaln(mu + 1), axis=1)
    return total


def start_chance(game: Game, counts: IntArray) -> float:
    """Chance that robots drawn at the start, in a given order, are in given states; counts [state] of them."""
    chance = 1.0
    for share, own, mu in zip(type_shares(game), concentrations(game), np.split(counts, game.types), strict=True):
        k = int(mu.sum())
        chance *= float(share**k * np.prod(poch(own, mu)) / poch(own.sum(), k))
    return chance
