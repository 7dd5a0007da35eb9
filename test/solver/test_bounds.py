"""Accelerated iteration: proven whatever it does, and plain steps lead on where mixing misleads."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.solver.bounds import ValueInterval, fixed_point

few = settings(deadline=None, derandomize=True, max_examples=60)


def chain(seed: int, size: int, kind: str) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "cycle":
        return np.roll(np.eye(size), 1, axis=1)
    if kind == "sticky":
        return 0.999 * np.eye(size) + 0.001 * rng.dirichlet(np.ones(size), size=size)
    return rng.dirichlet(np.full(size, 0.3), size=size)


@few
@given(
    st.integers(0, 10**6),
    st.integers(1, 12),
    st.sampled_from(["cycle", "sticky", "mixing"]),
    st.sampled_from([0.0, 0.9, 0.999]),
    st.integers(1, 3),
)
def test_every_interval_on_the_way_holds_the_optimum(
    seed: int, size: int, kind: str, discount: float, actions: int
) -> None:
    """A plain MDP with one chain per action; the optimum by policy iteration. The trail of intervals is checked too."""
    rng = np.random.default_rng(seed)
    P = np.array([chain(seed + a, size, kind) for a in range(actions)])
    r = rng.uniform(-1, 1, (actions, size))
    unit = 1 / (1 - discount)
    policy = np.zeros(size, dtype=int)
    for _ in range(100):
        chosen = P[policy, np.arange(size)]
        values = np.linalg.solve(np.eye(size) - discount * chosen, r[policy, np.arange(size)])
        q = r + discount * P @ values
        better = q.max(axis=0) > q[policy, np.arange(size)] + 1e-12 * unit
        if not better.any():
            break
        policy = np.where(better, q.argmax(axis=0), policy)
    seen: list[ValueInterval] = []

    def keep(interval: ValueInterval) -> bool:
        seen.append(interval)
        return False

    def backup(v: np.ndarray) -> np.ndarray:
        return (r + discount * (P @ v[0])).max(axis=0)[None]

    found = fixed_point(backup, np.zeros((1, size)), discount, 1e-9 * unit, keep, rounding=1e-15)
    assert 2 * found.half <= 1e-9 * unit
    for interval in seen:
        assert np.abs(interval.middle[0] - values).max() <= interval.half + 1e-11 * unit


def test_mixing_needs_far_fewer_backups_than_plain_iteration() -> None:
    """A slowly mixing chain: plain value iteration contracts by γ·0.99 per backup."""
    P, r = chain(3, 20, "sticky"), np.linspace(0, 1, 20)
    plain, v = 0, np.zeros(20)
    while True:
        after = r + 0.99 * P @ v
        plain += 1
        if 99 * np.ptp(after - v) <= 1e-6:
            break
        v = after
    found = fixed_point(lambda w: r + 0.99 * w @ P.T, np.zeros((1, 20)), 0.99, 1e-6)
    assert 10 * found.backups < plain


def test_a_kink_that_misleads_mixing_does_not_keep_it_from_ending() -> None:
    """T V = max of two chains that pull in opposite directions: where d grows, plain steps take over."""
    swap = np.array([[0.0, 1.0], [1.0, 0.0]])
    rewards = np.array([[1.0, -1.0], [-1.0, 1.0]])

    def backup(v: np.ndarray) -> np.ndarray:
        return np.maximum(rewards[0] + 0.999 * v @ swap, rewards[1] + 0.999 * v)

    found = fixed_point(backup, np.array([[50.0, -80.0]]), 0.999, 1e-9)
    assert 2 * found.half <= 1e-9
    assert np.abs(backup(found.middle) - found.middle).max() <= 1e-9


def test_rounding_is_part_of_the_interval_and_bounds_what_is_reached() -> None:
    """An operator that is off by 1e-6: iteration ends, the interval is not narrower than that error allows."""
    noise = np.random.default_rng(0)

    def backup(v: np.ndarray) -> np.ndarray:
        return 1.0 + 0.9 * v[:, ::-1] + 1e-6 * noise.uniform(-1, 1, v.shape)

    found = fixed_point(backup, np.full((1, 3), 10.0), 0.9, 1e-12, rounding=2e-7)
    assert found.backups < 1000
    assert found.half >= 1e-6 / 0.1
    assert np.abs(found.middle - 10.0).max() <= found.half


def test_iteration_ends_early_where_told() -> None:
    found = fixed_point(lambda v: 1 + 0.5 * v, np.zeros((1, 1)), 0.5, 0.0, lambda interval: interval.backups == 1)
    assert found.backups == 1
