"""One step of learning: TRPO, PPO and A2C for robots, the critic, cross-entropy for the dispatcher.

TRPO: x ≈ (F + λ)⁻¹ g by conjugate gradients, the step √(δ / ½ xᵀ(F + λ)x) · x, halved until the surrogate rises and
the mean KL divergence stays within the radius δ; with none such, no step.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jax.scipy.sparse.linalg import cg

from meanfleet.config.line import LearningConfig

from . import objectives as of
from .objectives import Batch, Network

TINY = 1e-12


def adam(rate: Any, clip: Any) -> optax.GradientTransformation:
    """Adam with gradients clipped by their norm."""
    return optax.chain(optax.clip_by_global_norm(clip), optax.adam(rate))


def memory(weights: Any) -> Any:
    """Adam's, before the first step."""
    return adam(0.0, 1.0).init(weights)


def natural_step(network: Network, batch: Batch, options: LearningConfig) -> tuple[Network, Any, Any]:
    """TRPO's step: the network after it, what share of the full step was taken (0: none), and its KL divergence."""
    o = options
    step: tuple[Network, Any, Any] = _natural_step(network, batch, o.radius, o.damping, o.conjugate_steps, o.halvings)
    return step


@jax.jit
def _natural_step(
    network: Network, batch: Batch, radius: Any, damping: Any, conjugate_steps: Any, halvings: Any
) -> Any:
    flat, unravel = ravel_pytree(network)
    before, slope = jax.value_and_grad(lambda weights: of.surrogate(unravel(weights), batch))(flat)

    def damped(vector: jax.Array) -> jax.Array:
        return jnp.asarray(of.fisher_product(network, batch, vector) + damping * vector)

    direction, _ = cg(damped, slope, tol=1e-10, maxiter=conjugate_steps)  # type: ignore[no-untyped-call]
    length = jnp.sqrt(radius / (0.5 * direction @ damped(direction) + TINY))

    def refused(state: tuple[Any, Any, Any]) -> Any:
        share, rises, kl = state
        return ~((rises > before) & (kl <= radius)) & (share > 0.5**halvings)

    def judged(share: Any) -> tuple[Any, Any, Any]:
        there = unravel(flat + share * length * direction)
        return share, of.surrogate(there, batch), of.divergence(there, batch)

    share, rises, kl = jax.lax.while_loop(refused, lambda state: judged(0.5 * state[0]), judged(jnp.asarray(1.0)))
    taken = jnp.where((rises > before) & (kl <= radius), share, 0.0)
    # A step that is not a number counts as taken: the run is stopped for it, not carried on as if nothing had been.
    taken = jnp.where(jnp.isfinite(before) & jnp.isfinite(length), taken, jnp.nan)
    return unravel(flat + taken * length * direction), taken, jnp.where(taken > 0, kl, 0.0)


def _descend(loss: Any, weights: Any, state: Any, steps: Any, optimiser: optax.GradientTransformation) -> Any:
    """So many steps of Adam: the weights, its state, and the loss before the last step."""

    def step(_: Any, carry: Any) -> Any:
        weights, state, _ = carry
        value, slope = jax.value_and_grad(loss)(weights)
        change, state = optimiser.update(slope, state, weights)
        return optax.apply_updates(weights, change), state, value

    return jax.lax.fori_loop(0, steps, step, (weights, state, jnp.asarray(0.0)))


def fit_critic(critic: Network, state: Any, batch: Batch, options: LearningConfig) -> Any:
    """Adam on the critic's squared error: the critic, Adam's memory, the loss before the last step."""
    o = options
    return _fit_critic(critic, state, batch, o.value_weight, o.robot_steps, o.learning_rate, o.clip)


@jax.jit
def _fit_critic(critic: Network, state: Any, batch: Batch, weight: Any, steps: Any, rate: Any, clip: Any) -> Any:
    return _descend(lambda c: weight * of.squared_error(c, batch), critic, state, steps, adam(rate, clip))


def ascend(both: tuple[Network, Network], state: Any, batch: Batch, options: LearningConfig) -> Any:
    """Adam on policy and critic together, under PPO or A2C: both, Adam's memory, the loss before the last step."""
    o = options
    weights = (o.value_weight, o.entropy_weight, o.ratio_clip)
    clipped = o.algorithm == "ppo"
    return _ascend(both, state, batch, weights, o.robot_steps, o.learning_rate, o.clip, clipped=clipped)


@partial(jax.jit, static_argnames=("clipped",))
def _ascend(both: Any, state: Any, batch: Batch, w: Any, steps: Any, rate: Any, clip: Any, *, clipped: bool) -> Any:
    value_weight, entropy_weight, ratio_clip = w

    def loss(weights: tuple[Network, Network]) -> Any:
        policy, critic = weights
        gain = of.clipped_surrogate(policy, batch, ratio_clip) if clipped else of.likelihood(policy, batch)
        return value_weight * of.squared_error(critic, batch) - gain - entropy_weight * of.entropy(policy, batch.seen)

    return _descend(loss, both, state, steps, adam(rate, clip))


def fit_dispatcher(network: Network, state: Any, seen: Any, labels: Any, options: LearningConfig) -> Any:
    """Adam on the cross-entropy of the true mode given the sample: as `fit_critic`."""
    return _fit_dispatcher(network, state, seen, labels, options.dispatcher_steps, options.learning_rate, options.clip)


@jax.jit
def _fit_dispatcher(network: Network, state: Any, seen: Any, labels: Any, steps: Any, rate: Any, clip: Any) -> Any:
    return _descend(lambda n: of.cross_entropy(n, seen, labels), network, state, steps, adam(rate, clip))
