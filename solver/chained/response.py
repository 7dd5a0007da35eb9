"""L-LEARN by UCFH: learn on a chained MDP, project to what a robot sees, keep only what raises J (math.md §4).

UCFH's policy sees all replicas and the time; π_l sees (z, s_g). Each cell takes the move that UCFH makes there most
often, weighted by discounted occupancy and by the robots moved. Nothing promises that this is better than before: the
exact J of the k-robot system decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray, Progress

from ..bounds import ValueInterval
from ..evaluation import evaluate
from ..policies import pure
from ..surrogate import Surrogate
from .episodic import episodes_of
from .finite import FiniteChain, enumerate_chain
from .mean_field import MeanFieldChain
from .replicas import ReplicaChain
from .ucfh import Confidence, Learned, learn

NEGLIGIBLE = 1e-13  # of the discounted occupancy: what follows is not followed any further


@dataclass(frozen=True, eq=False)
class Response:
    """What UCFH's policy came to.

    Attributes:
        surrogate: the k-robot system under the projected π_l if that raised J, else as it was.
        value: the pair's exact value.
        accepted: whether J rose.
        candidate: the projected π_l [z, s_g, a].
        candidate_value: its exact value.
        chained: J of the learned policy itself, which sees the whole chain and starts anew after every horizon.
        learned: what UCFH ended with, confidence parameters included.
    """

    surrogate: Surrogate
    value: ValueInterval
    accepted: bool
    candidate: FloatArray
    candidate_value: ValueInterval
    chained: float
    learned: Learned


def respond(
    surrogate: Surrogate,
    table: IntArray,
    confidence: Confidence,
    rng: np.random.Generator,
    mean_field: bool = False,
    tolerance: float = 1e-6,
    progress: Progress | None = None,
) -> Response:
    """The robots' response to a dispatch table [s_g, h] by UCFH, for small games.

    Half of ε goes to the cut horizon, half to learning: a settled policy is within ε of the chained optimum, at
    confidence scale 1 with probability 1 − δ.

    Args:
        surrogate: the k-robot system under the π_l to be improved.
        table: dispatch int64 [s_g, h].
        confidence: ε, δ, confidence scale and the budget of episodes.
        rng: draws the episodes.
        mean_field: learn on the mean-field chained MDP, not on the k-chained one.
        tolerance: rise of J that is needed.
        progress: called with "width" as the model's confidence grows.

    Raises:
        UserError: the chain has too many states, or the parameters are out of range.
    """
    system = surrogate.system
    kind = MeanFieldChain if mean_field else ReplicaChain
    chain = enumerate_chain(kind(system, table))
    half = replace(confidence, epsilon=confidence.epsilon / 2)
    learned = learn(episodes_of(chain, half.epsilon), half, rng, progress)
    j, counts = follow(chain, learned.moves)
    candidate = project(counts, surrogate.local_policy)
    before = evaluate(surrogate, table, tolerance / 8)
    after_surrogate = system.under(candidate)
    after = evaluate(after_surrogate, table, tolerance / 8, before.middle)
    accepted = after.mean(system.start)[0] > before.mean(system.start)[1] + tolerance / 2
    return Response(
        surrogate=after_surrogate if accepted else surrogate,
        value=after if accepted else before,
        accepted=accepted,
        candidate=candidate,
        candidate_value=after,
        chained=j,
        learned=learned,
    )


def follow(chain: FiniteChain, moves: IntArray) -> tuple[float, FloatArray]:
    """Follow moves [micro-step, state], beginning anew after the last, from the chain's start for ever.

    Returns:
        J, and per cell and move the discounted number of robots that made it, float64 [z, s_g, a].
    """
    game = chain.environment.game
    counts = np.zeros((game.zones, game.priorities, game.moves))
    law, j, step = chain.start, 0.0, 0
    while law.sum() > NEGLIGIBLE:
        here = moves[step % len(moves)]
        after = np.zeros_like(law)
        for a, P in enumerate(chain.P):
            mass = np.where(here == a, law, 0.0)
            j += float(mass @ chain.reward[:, a])
            np.add.at(counts[:, :, a], (chain.cells[:, 0], chain.cells[:, 1]), mass * chain.moved)
            after += P.T @ (mass * chain.discount)
        law, step = after, step + 1
    return j, counts


def project(counts: FloatArray, otherwise: FloatArray) -> FloatArray:
    """π_l that makes the most frequent move of every cell (z, s_g); cells never met keep their row of `otherwise`."""
    met = counts.sum(axis=2, keepdims=True) > 0
    return np.asarray(np.where(met, pure(counts.argmax(axis=2), counts.shape[2]), otherwise))
