"""A whole run without ROS, dispatcher and robots deciding with their own code, has the law of the paper's system.

The oracle simulates robot by robot in plain loops. Seeds are fixed; thresholds are 4 standard errors or p = 1e-4.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.running.comparing import Comparison, compare
from meanfleet.running.simulation import Trajectory, simulate
from meanfleet.solver import Game
from meanfleet.solver.bundle.policy import PolicyBundle, Table
from naive.fleet import Run, robot_by_robot
from naive.surrogate import histograms, random_arrays, random_policy

UNLIKELY = 1e-4
ZONES, K, N, TICKS, RUNS = 3, 2, 7, 10, 600
ARRAYS = random_arrays(17, ZONES, ZONES, ZONES, 3, 0.9)
POLICY = random_policy(18, ZONES, ZONES, 3)
TABLES = {k: np.random.default_rng(k).integers(ZONES, size=(ZONES, len(histograms(k, ZONES)))) for k in (1, K)}
BUNDLE = PolicyBundle(Game(**ARRAYS), POLICY, tuple(Table(k, table, {}) for k, table in TABLES.items()), {})
CONFIG = Config(
    zones=("a", "b", "c"),
    fleet={"prefix": "r", "count": N},  # type: ignore[arg-type]
    dispatcher={"k": K},  # type: ignore[arg-type]
    world={"backend": "model"},  # type: ignore[arg-type]
)


def counts_of(run: Trajectory, tick: int) -> tuple[int, ...]:
    return tuple(np.bincount(run.zones[tick], minlength=ZONES).tolist())


@cache
def fast() -> list[Trajectory]:
    return [simulate(CONFIG, BUNDLE, ticks=TICKS, seed=seed) for seed in range(RUNS)]


@cache
def slow() -> list[Run]:
    order = {h: i for i, h in enumerate(histograms(K, ZONES))}
    rng = np.random.default_rng(1)
    return [
        robot_by_robot(ARRAYS, POLICY, lambda s, h: int(TABLES[K][s, order[h]]), K, N, TICKS, rng)
        for _ in range(4 * RUNS)
    ]


def test_the_mean_discounted_return_is_the_oracles() -> None:
    left = np.array([run.discounted(0.9) for run in fast()])
    right = np.array([run.discounted(0.9) for run in slow()])
    error = np.sqrt(left.var(ddof=1) / len(left) + right.var(ddof=1) / len(right))
    assert abs(left.mean() - right.mean()) < 4 * error


@pytest.mark.parametrize("tick", [0, 1, TICKS - 1])
def test_priority_and_zone_counts_have_the_oracles_law(tick: int) -> None:
    seen = [
        Counter((int(run.priority[tick]), *counts_of(run, tick)) for run in fast()),
        Counter((run.priorities[tick], *run.counts[tick]) for run in slow()),
    ]
    table = np.array([[count[state] for state in sorted(seen[0] | seen[1])] for count in seen])
    frequent = table.sum(axis=0) >= 25
    table = np.column_stack([table[:, frequent], table[:, ~frequent].sum(axis=1)])
    assert table.shape[1] >= 10
    assert chi2_contingency(table).pvalue > UNLIKELY


def test_a_trajectory_is_what_happened() -> None:
    """Rewards follow from priority, dispatch, zones and moves; robots start as drawn and every tick polls k."""
    game, gone = BUNDLE.game, 0
    for run in fast()[:20]:
        assert run.zones.shape == run.moves.shape == (TICKS, N)
        assert run.samples.tolist() == [K] * TICKS
        for t in range(TICKS):
            s, a = run.priority[t], run.dispatch[t]
            earned = np.mean([game.r_l[z, s, m] for z, m in zip(run.zones[t], run.moves[t], strict=True)])
            assert run.reward[t] == pytest.approx(game.r_g[s, a] + earned, rel=1e-12)
        assert run.discounted(0.9) == pytest.approx(sum(0.9**t * r for t, r in enumerate(run.reward)))
        assert run.statistics["jumps"] == TICKS
        gone += int((run.zones[1:] != run.zones[:-1]).sum())
    assert gone > 0


def test_same_seed_same_trajectory() -> None:
    first, same = fast()[3], simulate(CONFIG, BUNDLE, ticks=TICKS, seed=3)
    for name in ("priority", "dispatch", "zones", "moves", "reward"):
        assert np.array_equal(getattr(first, name), getattr(same, name))
    assert not np.array_equal(first.zones, fast()[4].zones)


def test_rules_of_comparison() -> None:
    hold = simulate(CONFIG, BUNDLE, ticks=50, seed=1, rule="hold")
    assert np.array_equal(hold.dispatch, hold.priority)
    random = simulate(CONFIG, BUNDLE, ticks=300, seed=1, rule="random")
    # 100 of each of 3 expected, standard deviation 8.2.
    assert np.bincount(random.dispatch, minlength=3) == pytest.approx(100, abs=4 * 8.2)
    assert np.array_equal(hold.zones[0], random.zones[0])
    assert hold.priority[0] == random.priority[0]


def test_direct_dynamics_reaches_the_simulation() -> None:
    dispatcher = CONFIG.dispatcher.model_copy(update={"priority_dynamics": "direct"})
    run = simulate(CONFIG.model_copy(update={"dispatcher": dispatcher}), BUNDLE, ticks=30)
    assert np.array_equal(run.priority[1:], run.dispatch[:-1])


@pytest.mark.parametrize(
    ("config", "k", "words"),
    [
        (CONFIG, N + 1, "fleet has 7 robots"),
        (CONFIG, 3, "no table for k = 3"),
        (CONFIG.model_copy(update={"zones": ("a", "b", "c", "d")}), K, "ring of 4 zones"),
    ],
)
def test_what_does_not_fit_is_refused(config: Config, k: int, words: str) -> None:
    with pytest.raises(UserError, match=words):
        simulate(config, BUNDLE, k=k, ticks=1)


# --- comparing


def test_the_lead_is_the_paired_difference_with_students_interval() -> None:
    """Differences 1, 2, 3: mean 2, standard error 1/√3, t(0.975, 2) = 4.30265 by hand."""
    rewards = {"learned": np.array([3.0, 7.0, 5.0]), "hold": np.array([2.0, 5.0, 2.0])}
    summary = Comparison((0, 1, 2), rewards).summary()
    half = 4.3026527 / np.sqrt(3)
    lead = summary["lead"]["hold"]
    assert (lead["mean"], lead["low"], lead["high"]) == pytest.approx((2, 2 - half, 2 + half))
    learned = summary["rules"]["learned"]
    assert (learned["mean"], learned["error"]) == pytest.approx((5, 2 / np.sqrt(3)))
    assert learned["runs"] == [3, 7, 5]
    assert "learned" not in summary["lead"]


def test_compare_runs_every_rule_on_every_seed() -> None:
    done: list[int] = []
    comparison, found = compare(
        CONFIG, BUNDLE, k=None, ticks=8, seeds=range(2, 5), backend="model", workers=1, on_run=done.append
    )
    assert comparison.seeds == (2, 3, 4)
    assert done == list(range(1, 10))
    kinds: Any = ("learned", "hold", "random")
    for rule in kinds:
        alone = [simulate(CONFIG, BUNDLE, ticks=8, seed=seed, rule=rule).reward.mean() for seed in (2, 3, 4)]
        assert comparison.rewards[rule].tolist() == alone
        assert np.array_equal(found[rule, 3].zones[0], found["learned", 3].zones[0])
