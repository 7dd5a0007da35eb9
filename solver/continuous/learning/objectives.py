"""What is ascended, and its derivatives: pure functions of networks as lists of (weights, biases).

TRPO's surrogate E[π(a|o)/π_old(a|o) · A] has the policy gradient as its derivative at π_old; the mean KL divergence
has the Fisher matrix as its Hessian there, of which only products with vectors are ever needed.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree
from jax.typing import ArrayLike

Network = Any  # list of (weights [in, out], biases [out]), numpy or JAX


class Batch(NamedTuple):
    """Experience of robots.

    Attributes:
        seen: what they saw [row, 2].
        moves: a_l [row].
        returns: discounted, to the end of the episode [row].
        advantages: returns less the critic's guess, mean 0 and deviation 1 [row].
        old: log π_old(a|o) of all moves [row, move].
    """

    seen: Any
    moves: Any
    returns: Any
    advantages: Any
    old: Any


def new_network(sizes: tuple[int, ...], rng: np.random.Generator) -> Network:
    """Weights and biases uniform within ± 1/√inputs, layer by layer."""
    return [(rng.uniform(-1, 1, (i, o)) / np.sqrt(i), rng.uniform(-1, 1, o) / np.sqrt(i)) for i, o in pairwise(sizes)]


def outputs(network: Network, seen: ArrayLike) -> Array:
    """As `networks.logits`."""
    x = jnp.asarray(seen)
    for weights, biases in network[:-1]:
        x = jnp.tanh(x @ weights + biases)
    weights, biases = network[-1]
    return jnp.asarray(x @ weights + biases)


def log_policy(network: Network, seen: ArrayLike) -> Array:
    """log π [row, action]."""
    return jax.nn.log_softmax(outputs(network, seen))


def _of_moves(logs: ArrayLike, moves: ArrayLike) -> Array:
    return jnp.take_along_axis(jnp.asarray(logs), jnp.asarray(moves)[:, None], axis=1)[:, 0]


def ratio(network: Network, batch: Batch) -> Array:
    """π(a|o)/π_old(a|o) [row]."""
    return jnp.exp(_of_moves(log_policy(network, batch.seen), batch.moves) - _of_moves(batch.old, batch.moves))


def surrogate(network: Network, batch: Batch) -> Array:
    """E[π/π_old · A]."""
    return jnp.mean(ratio(network, batch) * batch.advantages)


def clipped_surrogate(network: Network, batch: Batch, clip: float) -> Array:
    """PPO's: no gain from ratios beyond 1 ± clip."""
    r = ratio(network, batch)
    return jnp.mean(jnp.minimum(r * batch.advantages, jnp.clip(r, 1 - clip, 1 + clip) * batch.advantages))


def likelihood(network: Network, batch: Batch) -> Array:
    """A2C's: E[log π(a|o) · A]."""
    return jnp.mean(_of_moves(log_policy(network, batch.seen), batch.moves) * batch.advantages)


def entropy(network: Network, seen: ArrayLike) -> Array:
    """Mean entropy of the policy."""
    logs = log_policy(network, seen)
    return -jnp.mean(jnp.sum(jnp.exp(logs) * logs, axis=1))


def divergence(network: Network, batch: Batch) -> Array:
    """Mean KL divergence of π from π_old."""
    return jnp.mean(jnp.sum(jnp.exp(batch.old) * (batch.old - log_policy(network, batch.seen)), axis=1))


def squared_error(critic: Network, batch: Batch) -> Array:
    """Mean squared error of the critic's guess of the returns."""
    return jnp.mean((outputs(critic, batch.seen)[:, 0] - batch.returns) ** 2)


def cross_entropy(network: Network, seen: ArrayLike, labels: ArrayLike) -> Array:
    """−E[log π(label|o)]."""
    return -jnp.mean(_of_moves(log_policy(network, seen), labels))


def fisher_product(network: Network, batch: Batch, vector: ArrayLike) -> Array:
    """Fisher matrix at `network`, which must be π_old, times a flat vector: forward over reverse differentiation."""
    flat, unravel = ravel_pytree(network)
    gradient = jax.grad(lambda weights: divergence(unravel(weights), batch))
    return jnp.asarray(jax.jvp(gradient, (flat,), (vector,))[1])
