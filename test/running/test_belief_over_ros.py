"""A dispatcher that remembers, as a process over DDS: its diagnostics are enough to recompute its belief."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from processes import Listener, Processes, wait_for

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

from diagnostic_msgs.msg import DiagnosticArray

from meanfleet.config import Config
from meanfleet.ros.conversions import read_diagnostics
from meanfleet.ros.node import DIAGNOSTICS
from meanfleet.solver.bundle.filtering import FilterModel, FilterSetting
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.solver.global_learning import learn_exact
from meanfleet.solver.surrogate import KRobotSystem
from naive import filtering as naive
from naive.forgetting import Forgetting

N, TICKS, KAPPA, RHO = 20, 8, 4, 0.9
WORLD, ROBOT, DISPATCHER = "meanfleet.sim.node", "meanfleet.robot_node.node", "meanfleet.dispatcher_node.node"


@pytest.fixture(scope="module")
def policy(demo_bundle: PolicyBundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's bundle with a filter for k = 1."""
    game, robots = demo_bundle.game, demo_bundle.local_policy
    q = learn_exact(KRobotSystem(game, KAPPA).under(robots), 1e-3).q
    model = FilterModel(KAPPA, q, np.full(game.zones, 0.3), {1: FilterSetting(RHO, "posterior", {})})
    path = tmp_path_factory.mktemp("policy") / "remembering.npz"
    PolicyBundle(game, robots, demo_bundle.tables, demo_bundle.how, model).save(path)
    return path


def test_the_belief_in_diagnostics_is_the_one_recomputed_from_them(
    processes: Processes, demo_path: Path, policy: Path
) -> None:
    listener = Listener(processes.domain)
    try:
        told = listener.hear(DiagnosticArray, "diagnostics", DIAGNOSTICS)
        common = {"config": str(demo_path), "n": N, "seed": 3}
        acting = common | {"policy": str(policy), "use_sim_time": True}
        deciding = acting | {
            "k": 1, "observer": "dirichlet", "sampling": "oldest", "checkpoint": str(processes.folder / "state.json"),
        }  # fmt: skip

        def ticks() -> list[dict[str, Any]]:
            said = [found for message in told for found in read_diagnostics(message)]
            return [values for name, _, values in said if name == "dispatcher"]

        def known() -> bool:
            return any(
                end.node_name == "dispatcher" for end in listener.node.get_publishers_info_by_topic("diagnostics")
            )

        # There is no tick without a clock, so none is missed while the publisher is being discovered.
        dispatcher = processes.node(DISPATCHER, **deciding)
        wait_for(known, 30, "the dispatcher's diagnostics", listener.spin)
        processes.node(ROBOT, **acting)
        world = processes.node(WORLD, real_time_factor=8.0, **common)
        wait_for(lambda: len(ticks()) >= TICKS, 90, processes.output(dispatcher), listener.spin)
        dispatcher.send_signal(signal.SIGINT)
        assert dispatcher.wait(timeout=20) == 0
        wait_for(lambda: not known(), 30, "the dispatcher to leave", listener.spin)
        stopped = ticks()[-1]["tick"]
        world.send_signal(signal.SIGSTOP)
        again = processes.node(DISPATCHER, **deciding)
        wait_for(known, 30, "the dispatcher's diagnostics again", listener.spin)
        world.send_signal(signal.SIGCONT)
        wait_for(lambda: ticks()[-1]["tick"] >= stopped + 4, 90, "ticks after the restart", listener.spin)
    finally:
        listener.close()
    assert "resuming at tick" in processes.output(again)
    for each in (dispatcher, again):
        assert (
            processes.output(each).count("was chosen for observer memoryless, and this dispatcher runs dirichlet") == 1
        )
    replay(ticks(), PolicyBundle.load(policy), Config.from_yaml(demo_path).zones)


def replay(ticks: list[dict[str, Any]], bundle: PolicyBundle, zones: tuple[str, ...]) -> None:
    """Every belief, ρ and dispatch from the prior and the answers, by loops, across the restart."""
    model, index = bundle.filtering, {name: i for i, name in enumerate(zones)}
    assert model is not None
    steps = [naive.fleet_step(bundle.game.P_l, bundle.local_policy, s) for s in range(bundle.game.priorities)]
    alpha, slow, past, polled = [0.3] * len(zones), Forgetting([0.3] * len(zones), RHO), [], []
    assert [tick["tick"] for tick in ticks] == list(range(len(ticks)))
    for tick in ticks:
        assert (tick["observer"], tick["sampling"], tick["k"]) == ("dirichlet", "oldest", 1)
        assert (tick["kappa"], tick["table_k"]) == (KAPPA, None)
        polled += tick["sampled"]
        counts = np.zeros(len(zones))
        carried = np.zeros(len(zones))
        late = []
        for name, (zone, age, weight) in tick["heard"].items():
            assert tick["zones"].get(name, zone) == zone
            assert weight == 1
            one = np.eye(len(zones))[index[zone]].tolist()
            counts += np.array(one) * (age == 0)
            late += [(one, [step for step, _ in past[len(past) - age :]])] if age else []
            for step, rho in past[len(past) - age :] if age else []:
                one = naive.carried(one, step, rho)
            carried += one
        rho = slow.rho(counts.tolist())
        for robot, moved in late:
            slow.add(robot, moved)
        alpha = (np.array(alpha) + carried).tolist()
        assert tick["belief"] == pytest.approx(alpha)
        assert tick["mean"] == pytest.approx(np.array(alpha) / sum(alpha))
        assert tick["effective"] == pytest.approx(sum(alpha))
        assert tick["rho"] == pytest.approx(rho)
        priority = index[tick["priority"]]
        assert index[tick["dispatch"]] == model.dispatch(priority, tick["belief"], "posterior")
        past.append((steps[priority], tick["rho"]))
        alpha = naive.carried(alpha, steps[priority], tick["rho"])
        slow.move(steps[priority])
    assert len(set(polled[:N])) == len(polled[:N]), (
        "the oldest first: nobody twice before everybody, across the restart"
    )
