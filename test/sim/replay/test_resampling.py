"""The compiled replay decides as the dispatcher's own code does, draw by draw, and its measures are what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import GAME, KAPPA, NAMES, ZONES, bundle, recorded

from meanfleet.base.errors import UserError
from meanfleet.dispatcher_node.dispatcher import Dispatcher
from meanfleet.sim.bags.log import UNKNOWN, FleetLog
from meanfleet.studies.replay.resampling import resample
from meanfleet.studies.replay.scene import scene_of

BUNDLES = {deciding: bundle(deciding) for deciding in ("nearest", "interpolated", "posterior")}
BUNDLE = BUNDLES["interpolated"]


def one_by_one(log: FleetLog, policy: Any, k: int, observer: str, seed: int) -> list[tuple[int, int, int, float]]:
    """The dispatcher itself on a recorded fleet: a_g, asked, answered, total variation of its belief, tick by tick."""
    one = Dispatcher(policy, log.robots, k, observer, seed)
    seen = []
    for t in range(len(log.zones)):
        zone = {name: int(z) for name, z in zip(log.robots, log.zones[t], strict=True) if z != UNKNOWN}
        names = list(one.sample())
        while True:
            fresh = one.more(k - sum(name in zone for name in names))
            if not fresh:
                break
            names += fresh
        answers = {name: zone[name] for name in names if name in zone}
        one.observe(answers)
        one.priority = int(log.priority[t])
        dispatch = one.decide()
        assert one.last is not None
        share = np.array([sum(z == y for z in zone.values()) for y in range(ZONES)]) / max(len(zone), 1)
        gap = float(np.abs(np.array(one.last.belief.mean) - share).sum() / 2) if zone else 0.0
        seen.append((dispatch, len(names), len(answers), gap))
    return seen


@settings(max_examples=60, deadline=None)
@given(
    robots=st.integers(1, 25),
    k=st.integers(1, 6),
    observer=st.sampled_from(["memoryless", "dirichlet"]),
    deciding=st.sampled_from(sorted(BUNDLES)),
    silent=st.sampled_from([0.0, 0.2, 0.8, 0.97]),
    seed=st.integers(0, 2**32),
)
def test_the_twin_decides_as_the_dispatcher(
    robots: int, k: int, observer: str, deciding: str, silent: float, seed: int
) -> None:
    policy = BUNDLES[deciding]
    k = min(k, robots) if observer == "dirichlet" else max(m for m in policy.ks if m <= min(k, robots))
    log = recorded(robots, 40, seed % 1000, silent)
    if (log.zones != UNKNOWN).any(axis=1).sum() < 10:
        return
    found = resample(scene_of(log, policy), policy, k, observer, [seed])
    expected = one_by_one(log, policy, k, observer, seed)
    assert found.dispatch[0].tolist() == [row[0] for row in expected]
    assert found.asked[0].tolist() == [row[1] for row in expected]
    assert found.heard[0].tolist() == [row[2] for row in expected]
    np.testing.assert_allclose(found.distance[0], [row[3] for row in expected], atol=1e-9)


def test_polling_everybody_is_the_yardstick() -> None:
    """Without forgetting nothing of the prior but its weight is left between a full poll and the truth."""
    log = recorded(5)
    scene = scene_of(log, BUNDLE)
    everybody = resample(scene, BUNDLE, 5, "memoryless", [0, 1])
    assert np.abs(everybody.distance).max() < 1e-12
    assert (everybody.dispatch[0] == everybody.dispatch[1]).all()
    assert scene.regret(scene.dispatch[None]).max() == 0.0


def test_regret_is_the_loss_in_q_by_definition() -> None:
    log = recorded(KAPPA)  # as many robots as Q_κ knows: its own histograms, nothing to interpolate
    scene = scene_of(log, BUNDLE)
    model = BUNDLE.filtering
    assert model is not None
    dispatch = np.random.default_rng(0).integers(GAME.dispatches, size=(3, len(log.zones)))
    found = scene.regret(dispatch)
    for t in range(len(log.zones)):
        counts = np.bincount(log.zones[t], minlength=ZONES)
        q = model.values(int(log.priority[t]), counts, "nearest")
        np.testing.assert_allclose(found[:, t], q.max() - q[dispatch[:, t]], atol=1e-9)
    assert (found >= 0).all()


def test_the_expected_distance_of_one_robot_has_a_closed_form() -> None:
    """Without memory and with k = 1 the estimate is e_z with chance p_z, at a distance of 1 − p_z: E = 1 − Σ p_z²."""
    log = recorded(20)
    found = resample(scene_of(log, BUNDLE), BUNDLE, 1, "memoryless", range(400)).distance.mean(axis=0)
    shares = np.stack([np.bincount(row, minlength=ZONES) / 20 for row in log.zones])
    assert np.abs(found - (1 - (shares**2).sum(axis=1))).max() < 4 * 0.5 / np.sqrt(400)


def test_a_gap_of_the_priority_is_bridged_and_counted() -> None:
    log = recorded(ticks=20)
    known = log.priority.copy()
    known[[0, 1, 7, 8]] = UNKNOWN
    scene = scene_of(recorded(ticks=20, priority=known), BUNDLE)
    assert scene.assumed == 4
    assert scene.priority[:2].tolist() == [log.priority[2]] * 2
    assert scene.priority[7:9].tolist() == [log.priority[6]] * 2


def test_without_any_priority_the_most_probable_path_is_assumed() -> None:
    scene = scene_of(recorded(ticks=20, priority=np.full(20, UNKNOWN)), BUNDLE)
    assert scene.assumed == 20
    s = int(np.argmax(GAME.start_priority))
    for t in range(20):
        assert scene.priority[t] == s
        s = int(np.argmax(GAME.P_g[s, scene.dispatch[t]]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"zone_names": NAMES[:2]}, "2 zones"),
        ({"zones": np.full((60, 20), 3)}, "zones outside 0…2"),
        ({"priority": np.full(60, 7)}, "priorities outside 0…2"),
        ({"zones": np.full((60, 20), UNKNOWN)}, "0 ticks in which a robot's zone is known"),
    ],
)
def test_logs_of_another_fleet_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        scene_of(recorded(**changes), BUNDLE)


def test_k_needs_a_table_or_a_filter() -> None:
    scene = scene_of(recorded(), BUNDLE)
    with pytest.raises(UserError, match="no table for k = 3"):
        resample(scene, BUNDLE, 3, "memoryless", [0])
    with pytest.raises(UserError, match="has 20 robots"):
        resample(scene, BUNDLE, 21, "dirichlet", [0])
