"""A dispatcher with a belief over a fleet whose robots are simulated one by one; a game as in `naive.surrogate`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from .fleet import draw
from .forgetting import log_chance
from .surrogate import Arrays, histograms

Worth = Mapping[tuple[int, tuple[int, ...]], Sequence[float]]  # of every dispatch, by (s_g, histogram of κ robots)


def best_dispatch(worth: Worth, priority: int, belief: Sequence[float], kappa: int) -> int:
    """Greedy to the mean worth over every histogram of κ robots, drawn from a fleet drawn from the belief."""
    total = None
    for histogram in histograms(kappa, len(belief)):
        term = math.exp(log_chance(belief, histogram)) * np.asarray(worth[priority, histogram])
        total = term if total is None else total + term
    return int(np.argmax(total))


def remembering(
    game: Arrays,
    local_policy: np.ndarray,
    worth: Worth,
    kappa: int,
    rho: float,
    k: int,
    n: int,
    ticks: int,
    rng: np.random.Generator,
) -> float:
    """Discounted return of one run: poll k of n robots, add them to the belief, decide, let the belief drift."""
    zones, moves = len(local_policy), local_policy.shape[2]
    priority = draw(game["start_priority"], rng)
    shares = rng.dirichlet(game["start_concentration"])
    robots = [draw(shares, rng) for _ in range(n)]
    belief, total = [float(a) for a in game["start_concentration"]], 0.0
    for t in range(ticks):
        for i in rng.permutation(n)[:k]:
            belief[robots[i]] += 1
        dispatch = best_dispatch(worth, priority, belief, kappa)
        actions = [draw(local_policy[z, priority], rng) for z in robots]
        reward = sum(game["r_l"][z, priority, a] for z, a in zip(robots, actions, strict=True)) / n
        total += game["discount"] ** t * (game["r_g"][priority, dispatch] + reward)
        robots = [draw(game["P_l"][z, priority, a], rng) for z, a in zip(robots, actions, strict=True)]
        drifted = [0.0] * zones
        for z in range(zones):
            for a in range(moves):
                for y in range(zones):
                    drifted[y] += rho * belief[z] * local_policy[z, priority, a] * game["P_l"][z, priority, a, y]
        belief, priority = drifted, draw(game["P_g"][priority, dispatch], rng)
    return total


def histogram_worth(q: np.ndarray, kappa: int, zones: int) -> Worth:
    """Q [s_g, h, a_g] by its histograms, in the order of `histograms`."""
    return {(s, h): q[s, i].tolist() for s in range(len(q)) for i, h in enumerate(histograms(kappa, zones))}
