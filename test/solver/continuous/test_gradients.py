"""Learning by gradients: derivatives against finite differences, steps against dense algebra, runs that end early."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax

pytest.importorskip("jax", reason="learning by gradients needs the extra 'continuous'")
pytest.importorskip("optax", reason="learning by gradients needs the extra 'continuous'")

from jax.flatten_util import ravel_pytree

from meanfleet.config.line import LearningConfig
from meanfleet.solver.continuous.experience import labelled_samples
from meanfleet.solver.continuous.learning import alternating, updates
from meanfleet.solver.continuous.learning import objectives as of
from meanfleet.solver.continuous.learning.state import State, plain
from meanfleet.solver.continuous.networks import logits
from meanfleet.solver.continuous.warehouse import ContinuousWarehouse

ROOT = Path(__file__).resolve().parent.parent.parent.parent
LINE = ContinuousWarehouse(robots=12)
TINY = LearningConfig(alternations=4, runs=2, hidden=8, samples=300, dispatcher_steps=3, episodes=4, horizon=5)
OPTIONS = LearningConfig(conjugate_steps=200, damping=0.1)


def policy(seed: int = 0) -> Any:
    return of.new_network((2, 8, 8, 3), np.random.default_rng(seed))


def batch(network: Any, rows: int = 20) -> of.Batch:
    rng = np.random.default_rng(1)
    seen, moves = rng.uniform(-2, 2, (rows, 2)), rng.integers(3, size=rows)
    advantages = rng.normal(size=rows)
    return of.Batch(seen, moves, rng.normal(size=rows), advantages, np.asarray(of.log_policy(network, seen)))


def differences(function: Any, at: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Central differences of a function of a flat vector, row by row."""
    rows = np.eye(len(at)) * step
    return np.array([(np.asarray(function(at + row)) - np.asarray(function(at - row))) / (2 * step) for row in rows])


# --- derivatives


def test_numpy_and_jax_agree_on_the_network() -> None:
    network, seen = policy(), np.random.default_rng(2).uniform(-2, 2, (9, 2))
    assert np.asarray(of.outputs(network, seen)) == pytest.approx(logits(network, seen), abs=1e-12)
    assert np.asarray(of.log_policy(network, seen)) == pytest.approx(log_softmax(logits(network, seen), axis=1))


def slow_objectives(flat: np.ndarray, b: of.Batch, layers: Any) -> np.ndarray:
    """All objectives in numpy, from the formulas."""
    logs = log_softmax(logits(layers(flat), b.seen), axis=1)
    row = np.arange(len(b.moves))
    own, old = logs[row, b.moves], b.old[row, b.moves]
    ratio = np.exp(own - old)
    clipped = np.clip(ratio, 0.8, 1.2)
    error = logits(layers(flat), b.seen)[:, 0] - b.returns
    return np.array(
        [
            np.mean(ratio * b.advantages),
            np.mean(np.minimum(ratio * b.advantages, clipped * b.advantages)),
            np.mean(own * b.advantages),
            -np.mean((np.exp(logs) * logs).sum(axis=1)),
            np.mean((np.exp(b.old) * (b.old - logs)).sum(axis=1)),
            np.mean(error**2),
            -np.mean(own),
        ]
    )


def shaped_as(network: Any) -> Any:
    """A function from flat weights to layers, in numpy."""
    parts = [np.asarray(part) for layer in network for part in layer]
    ends = np.cumsum([part.size for part in parts])[:-1]

    def layers(flat: np.ndarray) -> Any:
        found = [f.reshape(p.shape) for f, p in zip(np.split(np.asarray(flat), ends), parts, strict=True)]
        return list(zip(found[::2], found[1::2], strict=True))

    return layers


def test_objectives_are_the_formulas_and_gradients_finite_differences_of_them() -> None:
    import jax
    import jax.numpy as jnp

    b, elsewhere = batch(policy()), policy(seed=5)  # not where ratios are all 1
    flat, unravel = ravel_pytree(elsewhere)
    layers = shaped_as(elsewhere)

    def every(weights: Any) -> Any:
        n = unravel(weights)
        return jnp.array(
            [
                of.surrogate(n, b),
                of.clipped_surrogate(n, b, 0.2),
                of.likelihood(n, b),
                of.entropy(n, b.seen),
                of.divergence(n, b),
                of.squared_error(n, b),
                of.cross_entropy(n, b.seen, b.moves),
            ]
        )

    assert np.asarray(every(flat)) == pytest.approx(slow_objectives(np.asarray(flat), b, layers))
    gradients = np.asarray(jax.jit(jax.jacrev(every))(flat))
    assert (np.abs(gradients).max(axis=1) > 1e-3).all()
    by_differences = differences(lambda w: slow_objectives(w, b, layers), np.asarray(flat)).T
    assert gradients == pytest.approx(by_differences, abs=1e-7)


def dense_fisher(network: Any, b: of.Batch) -> np.ndarray:
    """E[Σ_a π(a|o) ∇log π(a|o) ∇log π(a|o)ᵀ], gradients of log π by differences."""
    layers = shaped_as(network)
    flat = np.concatenate([np.ravel(part) for layer in network for part in layer])
    slopes = differences(lambda w: log_softmax(logits(layers(w), b.seen), axis=1), flat)  # [weight, row, move]
    return np.einsum("ira,ra,jra->ij", slopes, np.exp(b.old), slopes) / len(b.moves)


def test_fisher_products_are_those_of_the_matrix_and_of_differences_of_the_divergences_gradient() -> None:
    import jax

    network = policy()
    b = batch(network)
    flat, unravel = ravel_pytree(network)
    vector = np.random.default_rng(3).normal(size=len(flat))
    got = np.asarray(of.fisher_product(network, b, vector))
    assert got == pytest.approx(dense_fisher(network, b) @ vector, abs=1e-7)
    slope = jax.jit(jax.grad(lambda w: of.divergence(unravel(w), b)))
    by_differences = (slope(flat + 1e-5 * vector) - slope(flat - 1e-5 * vector)) / 2e-5
    assert got == pytest.approx(np.asarray(by_differences), abs=1e-7)


# --- steps


def test_the_natural_step_is_that_of_dense_algebra() -> None:
    import jax

    network = policy()
    b = batch(network)
    flat, unravel = ravel_pytree(network)
    slope = np.asarray(jax.grad(lambda w: of.surrogate(unravel(w), b))(flat))
    damped = dense_fisher(network, b) + OPTIONS.damping * np.eye(len(flat))
    direction = np.linalg.solve(damped, slope)
    full = direction * np.sqrt(OPTIONS.radius / (0.5 * direction @ damped @ direction))
    after, share, kl = updates.natural_step(network, b, OPTIONS)
    moved = np.asarray(ravel_pytree(after)[0] - flat)
    assert float(share) in [0.5**i for i in range(OPTIONS.halvings + 1)]
    assert moved == pytest.approx(float(share) * full, abs=1e-6)
    assert float(kl) == pytest.approx(float(of.divergence(after, b)))
    assert float(kl) <= OPTIONS.radius
    assert float(of.surrogate(after, b)) > float(of.surrogate(network, b))


def test_a_step_too_long_for_its_radius_is_halved() -> None:
    """A huge radius: the quadratic model of the divergence fails long before."""
    options = LearningConfig(radius=3.0, damping=0.0001, conjugate_steps=50)
    network = policy()
    b = batch(network)
    after, share, kl = updates.natural_step(network, b, options)
    assert 0 < float(share) < 1
    assert float(kl) <= 3.0
    assert float(of.surrogate(after, b)) > float(of.surrogate(network, b))


def test_without_an_advantage_nothing_moves() -> None:
    network = policy()
    b = batch(network)._replace(advantages=np.zeros(20))
    after, share, _ = updates.natural_step(network, b, OPTIONS)
    assert float(share) == 0
    assert (np.asarray(ravel_pytree(after)[0]) == np.asarray(ravel_pytree(network)[0])).all()


@pytest.mark.parametrize("algorithm", ["ppo", "a2c"])
def test_the_ablations_raise_their_objective_and_fit_the_critic(algorithm: str) -> None:
    options = TINY.model_copy(update={"algorithm": algorithm, "robot_steps": 30})
    both = (policy(), of.new_network((2, 8, 8, 1), np.random.default_rng(4)))
    b = batch(both[0])
    (after, critic), _, _ = updates.ascend(both, updates.memory(both), b, options)
    assert float(of.likelihood(after, b)) > float(of.likelihood(both[0], b))
    assert float(of.squared_error(critic, b)) < float(of.squared_error(both[1], b))


def test_the_dispatcher_learns_to_name_the_bin_of_its_one_robot() -> None:
    """From one robot nobody can do better than that: 55 % of the robots are in the mode, less those beyond its bin."""
    warehouse, options = ContinuousWarehouse(robots=100), TINY.model_copy(update={"dispatcher_steps": 1000})
    network = of.new_network((5, 8, 8, 5), np.random.default_rng(0))
    seen, modes = labelled_samples(warehouse, 1, 300, np.random.default_rng(1))
    after, _, _ = updates.fit_dispatcher(network, updates.memory(network), seen, modes, options)
    assert logits(plain(after), np.eye(5)).argmax(axis=1).tolist() == [0, 1, 2, 3, 4]


# --- runs


def flat_policies(learned: alternating.Learned) -> np.ndarray:
    return np.concatenate(
        [part.ravel() for layers in (learned.dispatcher, learned.robots) for wb in layers for part in wb]
    )


def test_modes_are_named_on_other_fleets_than_returns_are_measured_on() -> None:
    starts: list[np.ndarray] = []

    class Watched(ContinuousWarehouse):
        def start(self, fleets: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
            found = super().start(fleets, rng)
            starts.append(found[0])
            return found

    line, rng = Watched(robots=12), np.random.default_rng(0)
    dispatcher, robots = (plain(of.new_network(sizes, rng)) for sizes in ((5, 5), (2, 3)))
    learned = alternating.Learned(2, dispatcher, robots, (), None)
    learned.estimate(line, 20, 1, seed=3)
    learned.accuracy(line, 20, seed=3)
    assert not np.isin(*starts).any()


def test_a_killed_run_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    whole = alternating.learn(LINE, 2, TINY, seed=3)
    file = tmp_path / "run.npz"
    program = f"""
import os, signal
from meanfleet.config.line import LearningConfig
from meanfleet.solver.continuous.learning.alternating import learn
from meanfleet.solver.continuous.warehouse import ContinuousWarehouse

def die(note):
    if "alternation 2 " in note:
        os.kill(os.getpid(), signal.SIGKILL)

options = LearningConfig.model_validate_json({TINY.model_dump_json()!r})
learn(ContinuousWarehouse(robots=12), 2, options, seed=3, checkpoint={str(file)!r}, progress=die)
"""
    where = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, "-c", program], env=where, capture_output=True, timeout=300)
    assert result.returncode == -signal.SIGKILL, result.stderr.decode()
    spent = State.new(5, 3, TINY, np.random.default_rng(0))
    with np.load(file) as kept:
        spent = spent.restored(file, str(kept["key"])) or spent
    notes: list[str] = []
    resumed = alternating.learn(LINE, 2, TINY, seed=3, checkpoint=file, progress=notes.append)
    assert resumed.seconds > spent.seconds > 0  # the time before the kill counts
    assert notes == ["k = 2, alternation 3 of 4", "k = 2, alternation 4 of 4"]
    assert (flat_policies(resumed) == flat_policies(whole)).all()
    other = alternating.learn(LINE, 2, TINY, seed=4, checkpoint=file)  # another seed is other work
    assert len(other.trace) == 4


def test_damaged_checkpoints_count_as_none(tmp_path: Path) -> None:
    state = State.new(5, 3, TINY, np.random.default_rng(0))
    file = tmp_path / "run.npz"
    state.save(file, "work")
    again = State.new(5, 3, TINY, np.random.default_rng(1)).restored(file, "work")
    assert again is not None
    assert (ravel_pytree(again.dispatcher)[0] == ravel_pytree(state.dispatcher)[0]).all()
    assert state.restored(file, "other work") is None
    assert State.new(5, 3, LearningConfig(hidden=6), np.random.default_rng(0)).restored(file, "work") is None
    whole = file.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole[:200] + b"\x00" * 50 + whole[250:]):
        file.write_bytes(damaged)
        assert state.restored(file, "work") is None
    assert state.restored(tmp_path / "none.npz", "work") is None


def test_a_run_that_diverges_stops_with_the_last_good_policies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    good = alternating.learn(LINE, 2, TINY.model_copy(update={"alternations": 2}), seed=3)
    calls, real = [], alternating.episodes

    def spoiled(*arguments: Any) -> Any:
        calls.append(1)
        found = real(*arguments)
        if len(calls) == 3:
            found.returns[0] = np.nan
        return found

    monkeypatch.setattr(alternating, "episodes", spoiled)
    file = tmp_path / "run.npz"
    learned = alternating.learn(LINE, 2, TINY, seed=3, checkpoint=file)
    assert learned.diverged == 3
    assert len(calls) == 3
    assert (flat_policies(learned) == flat_policies(good)).all()
    assert np.isfinite(learned.estimate(LINE, 5, 5, seed=0).mean)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
def test_a_learning_rate_without_bounds_diverges_and_is_caught() -> None:
    learned = alternating.learn(LINE, 2, TINY.model_copy(update={"learning_rate": 1e200}), seed=3)
    assert learned.diverged is not None
    assert np.isfinite(flat_policies(learned)).all()


@pytest.mark.parametrize("algorithm", ["trpo", "ppo", "a2c"])
def test_same_seed_same_policies(algorithm: str, tmp_path: Path) -> None:
    options = TINY.model_copy(update={"algorithm": algorithm, "alternations": 2})
    one, two = (alternating.best_of_runs(LINE, 2, options, seed=1, folder=folder) for folder in (None, tmp_path))
    assert (flat_policies(one) == flat_policies(two)).all()
    assert len(list(tmp_path.glob("k2-run*.npz"))) == 2
