"""Goals by the action navigate_to_pose, with real action servers in processes of their own."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from processes import Listener, Processes, wait_for

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

import rclpy
from action_msgs.srv import CancelGoal
from fleets import hand_made_policy
from geometry_msgs.msg import PoseStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.action.server import ActionServer
from rclpy.executors import SingleThreadedExecutor
from standin.harness import StandIns
from standin.interfaces import CannotBuildError, build
from std_msgs.msg import Bool, Header

from meanfleet.robot_node.action_sender import action_kind
from meanfleet.robot_node.goal_senders import Outlets
from meanfleet.ros.conversions import zone_header
from meanfleet.ros.managed import ManagedNode
from meanfleet.ros.node import GOAL, LATCHED
from meanfleet.ros.transport import by_udp

NODE = "meanfleet.robot_node.node"
LIMIT = 90.0  # [s, wall] for anything awaited
ACTING, TOLD = "amr_0", "amr_1"  # by action, by topic
SCRIPT = ["reject", "reject", "abort", *["drive"] * 4]


@pytest.fixture(scope="session")
def nav2_msgs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What has to be in PYTHONPATH for the action's type; empty where Nav2 is installed."""
    try:
        import nav2_msgs.action  # noqa: F401
    except ImportError:
        try:
            return str(build(tmp_path_factory.mktemp("nav2")))
        except CannotBuildError as error:
            pytest.skip(f"cannot make nav2_msgs here: {error}")
    return ""


class Scene:
    """Two robots that go round for ever, one of which takes its goals as an action; the test is their dispatcher.

    `acting` is the robot whose navigation offers the action, with that `script`, and whose log is read; `speed` is
    theirs [m/s].
    """

    def __init__(
        self,
        processes: Processes,
        path: str,
        acting: str = ACTING,
        script: Sequence[str] = SCRIPT,
        speed: float = 1.0,
    ) -> None:
        self.acting = acting
        processes.environment["PYTHONPATH"] = os.pathsep.join(filter(None, (processes.environment["PYTHONPATH"], path)))
        self.processes, self.listener = processes, Listener(processes.domain)
        fleet = {"prefix": "amr_", "count": 2, "overrides": {ACTING: {"goals": "action"}}}
        robot = {"goal_timeout": None, "priority_timeout": 1e6}
        self.standins = StandIns(processes, {"fleet": fleet, "robot": robot}, factor=8.0)
        self.policy = hand_made_policy(self.standins.config, processes.folder / "policy.npz", onward=1.0)
        self.steer = self.listener.node.create_publisher(Header, "priority_zone", LATCHED)
        self.panel = self.listener.node.create_publisher(Bool, "estop", LATCHED)
        self.topic = {name: self.listener.hear(PoseStamped, f"{name}/goal_pose", GOAL) for name in (ACTING, TOLD)}
        self.ticks = itertools.count(1)
        self.parts: list[Any] = [self.standins.start({}, speed=speed, scripts={acting: script})]

    def start_robots(self, remaps: Mapping[str, str] | None = None, **given: Any) -> Any:
        given |= {"config": str(self.standins.path), "policy": str(self.policy), "use_sim_time": True}
        self.parts.append(self.processes.node(NODE, remaps, **given))
        return self.parts[-1]

    def kill_navigation(self) -> None:
        """Kill all stand-ins, a group of processes: no goal gets an answer. Until DDS knows it, which takes a lease."""
        client = self.listener.node.create_client(CancelGoal, f"{self.acting}/navigate_to_pose/_action/cancel_goal")
        wait_for(client.service_is_ready, LIMIT, "the navigation", self.listener.spin)
        os.killpg(self.parts[0].pid, signal.SIGKILL)
        wait_for(lambda: not client.service_is_ready(), LIMIT, "the navigation's end", self.listener.spin)
        (self.processes.folder / f"{self.acting}.jsonl").unlink()  # the next one's log is not to be taken for this

    def tick(self) -> None:
        """Another tick of a dispatcher, and what has come in."""
        self.steer.publish(zone_header("picking", float(next(self.ticks))))
        self.listener.spin()

    def await_(self, condition: Callable[[], Any], what: str, steered: bool = True) -> Any:
        """The first truthy value of `condition`; ticks go on meanwhile, or not."""

        def told() -> str:
            logs = "\n".join(self.processes.output(part) for part in self.parts)
            return f"{what}\n{self.standins.log(self.acting)[-12:]}\n{logs}"

        return wait_for(condition, LIMIT, told, self.tick if steered else self.listener.spin)

    def count(self, what: str) -> int:
        return sum(entry["what"] == what for entry in self.standins.log(self.acting))

    def await_more(self, what: str) -> None:
        """Until the acting robot's log has another entry of a sort."""
        before = self.count(what)
        self.await_(lambda: self.count(what) > before, what)

    def change_state(self, transition: int) -> None:
        """What `ros2 lifecycle set` does."""
        request = Transition(id=transition)
        assert self.listener.call(ChangeState, "robots/change_state", transition=request).success

    def await_driving(self) -> None:
        """Until it has taken a goal that it has neither reached nor lost."""
        what = ("succeed", "abort", "canceled", "goal")

        def drives() -> bool:
            last = [entry for entry in self.standins.log(self.acting) if entry["what"] in what][-1:]
            return bool(last and last[0].get("taken"))

        self.await_(drives, "a goal on its way")


@pytest.fixture
def scene(processes: Processes, nav2_msgs: str) -> Iterator[Scene]:
    made = Scene(processes, nav2_msgs)
    yield made
    made.listener.close()


def test_goals_by_action_are_sent_on_change_again_after_a_failure_and_cancelled(scene: Scene) -> None:
    robots = scene.start_robots()
    # Rejected twice, given up once, then reached: the same goal until then, and on to the next.
    scene.await_(lambda: scene.count("goal"), "a goal")
    scene.await_(lambda: scene.count("succeed"), "an arrival", steered=False)
    scene.await_(lambda: len(scene.standins.goals(ACTING)) >= 7, "three more goals")
    goals = scene.standins.goals(ACTING)
    assert [goal["taken"] for goal in goals[:4]] == [False, False, True, True]
    assert all(goal["goal"] == goals[0]["goal"] for goal in goals[:4])
    assert all(goal["frame"] == "map" for goal in goals)
    zones = [scene.standins.goal_zone(ACTING, goal["goal"]) for goal in goals[3:]]
    assert zones == [(1 + i) % 5 for i in range(len(zones))], "on change alone"
    assert scene.topic[ACTING] == []

    # An emergency stop cancels, and nothing is sent until the release.
    scene.await_driving()
    before = scene.count("canceled")
    scene.panel.publish(Bool(data=True))
    scene.await_(lambda: scene.count("canceled") > before, "a cancelled goal")
    sent, stamp = len(scene.standins.goals(ACTING)), next(scene.ticks)
    scene.await_(lambda: next(scene.ticks) > stamp + 100, "a hundred ticks")
    assert len(scene.standins.goals(ACTING)) == sent
    assert scene.standins.goal_zone(TOLD, plain(scene.topic[TOLD][-1])) is None, "its own place"

    # A node that dies leaves a robot that drives; the next one, started in a stop, cancels what it never sent.
    scene.panel.publish(Bool(data=False))
    scene.await_more("goal")
    scene.await_driving()
    robots.send_signal(signal.SIGKILL)
    robots.wait(timeout=10)
    scene.panel.publish(Bool(data=True))
    before = scene.count("canceled")
    robots = scene.start_robots()
    scene.await_(lambda: scene.count("canceled") > before, "the goal of the node before, cancelled")
    scene.panel.publish(Bool(data=False))

    # An operator's exclusion takes the goal back, and so does the end of the node.
    scene.await_driving()
    before = scene.count("canceled")
    assert scene.listener.set_parameter("robots", "exclude", [ACTING]).successful
    scene.await_(lambda: scene.count("canceled") > before, "an excluded robot's goal, cancelled")
    assert scene.listener.set_parameter("robots", "exclude", [""]).successful

    # Also one that does not count any more, for in mode advise the robot drives on and awaits a confirm.
    scene.await_driving()
    before = scene.count("canceled")
    assert scene.listener.set_parameter("robots", "mode", "advise").successful
    assert scene.listener.set_parameter("robots", "exclude", [ACTING]).successful
    scene.await_(lambda: scene.count("canceled") > before, "a goal from before the change of mode, cancelled")
    assert scene.listener.set_parameter("robots", "exclude", [""]).successful
    assert scene.listener.set_parameter("robots", "mode", "run").successful

    scene.await_driving()
    before = scene.count("canceled")
    scene.change_state(Transition.TRANSITION_DEACTIVATE)
    scene.await_(lambda: scene.count("canceled") > before, "the goal of a node that pauses, cancelled")
    scene.change_state(Transition.TRANSITION_ACTIVATE)
    scene.await_driving()
    before = scene.count("canceled")
    robots.send_signal(signal.SIGTERM)
    assert robots.wait(timeout=30) == 0
    scene.await_(lambda: scene.count("canceled") > before, "the goal of a node that ends, cancelled")


def test_a_remapped_action_is_cancelled_under_the_name_it_has(processes: Processes, nav2_msgs: str) -> None:
    """The goals of one robot go to the navigation of the other, by a remapping of the action's name alone.

    That one has a metre to go, and does not get there: it has no second goal, for the first robot stays where it is.
    """
    scene = Scene(processes, nav2_msgs, acting=TOLD, script=["drive"], speed=1e-3)
    try:
        scene.start_robots({f"{ACTING}/navigate_to_pose": f"{TOLD}/navigate_to_pose"}, robots=[ACTING])
        scene.await_driving()
        scene.panel.publish(Bool(data=True))
        scene.await_(lambda: scene.count("canceled"), "a cancelled goal")
    finally:
        scene.listener.close()


def test_goals_outlive_the_navigation_that_had_them(processes: Processes, nav2_msgs: str) -> None:
    """It dies with a goal under way, and never answers; the next one of that name gets the goal."""
    script = ["drive"] * 4
    scene = Scene(processes, nav2_msgs, script=script, speed=1e-3)
    try:
        scene.start_robots()
        scene.await_driving()
        before = scene.standins.goals(ACTING)[-1]["goal"]
        scene.kill_navigation()
        scene.parts.append(scene.standins.start({}, speed=1e-3, scripts={ACTING: script}))
        scene.await_(lambda: scene.count("goal"), "the goal again", steered=False)
        assert scene.standins.goals(ACTING)[0]["goal"] == before
    finally:
        scene.listener.close()


class Idle(ManagedNode):
    """Has the clients of outlets, in the test's own process."""

    def __init__(self) -> None:
        super().__init__("idle", (), lambda: False)  # type: ignore[arg-type]


@pytest.fixture
def idle(processes: Processes) -> Iterator[Idle]:
    with by_udp():
        rclpy.init(domain_id=processes.domain)
        node = Idle()
    yield node
    node.release()
    node.destroy_node()
    rclpy.try_shutdown()


def test_a_goal_that_waits_is_not_sent_to_a_robot_that_is_taken_out(
    idle: Idle, nav2_msgs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its navigation is there only later; the goal of when the robot takes part again is the first that it hears of."""
    if nav2_msgs:
        monkeypatch.syspath_prepend(nav2_msgs)
    outlets = Outlets(idle, [ACTING, TOLD], ["action", "action"], "map")
    for robot in (0, 1):
        outlets.send(robot, (1.0, 0.0, 0.0), 1.0)
    assert outlets.unserved == [ACTING, TOLD]
    outlets.keep_back([0])
    assert outlets.unserved == [TOLD]

    heard: dict[str, list[float]] = {ACTING: [], TOLD: []}

    def take(name: str, handle: Any) -> Any:
        heard[name].append(handle.request.pose.pose.position.x)
        handle.succeed()
        return action_kind([name]).Result()

    servers = [
        ActionServer(idle, action_kind([name]), f"{name}/navigate_to_pose", partial(take, name)) for name in heard
    ]
    executor = SingleThreadedExecutor()
    executor.add_node(idle)

    def work() -> None:
        executor.spin_once(timeout_sec=0.05)
        outlets.look()

    wait_for(lambda: heard[TOLD], LIMIT, "the goal that waits", work)
    wait_for(lambda: outlets.listeners.all(), LIMIT, "both navigations", work)
    outlets.send(0, (2.0, 0.0, 0.0), 2.0)
    wait_for(lambda: heard[ACTING], LIMIT, "a goal of later", work)
    assert heard == {ACTING: [2.0], TOLD: [1.0]}
    for server in servers:
        server.destroy()


def plain(message: Any) -> list[float]:
    return [message.pose.position.x, message.pose.position.y]


def test_without_nav2_msgs_the_node_says_what_to_install(processes: Processes, tmp_path: Path) -> None:
    """In a process in which it cannot be imported, wherever it is installed."""
    standins = StandIns(processes, {"robot": {"goals": "action"}}, factor=1.0)
    policy = hand_made_policy(standins.config, tmp_path / "policy.npz")
    (tmp_path / "nav2_msgs").mkdir()
    (tmp_path / "nav2_msgs" / "__init__.py").write_text("raise ImportError('no nav2_msgs')\n")
    processes.environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), processes.environment["PYTHONPATH"]])
    node = processes.node(NODE, config=str(standins.path), policy=str(policy), robots=["amr_3"])
    assert node.wait(timeout=60) == 2
    assert [line for line in processes.output(node).splitlines() if "nav2_msgs" in line] == [
        "robots: goals: action, of amr_3, needs the ROS package nav2_msgs (no nav2_msgs): install it (apt install "
        "ros-$ROS_DISTRO-nav2-msgs) and source its setup.bash, or set robot.goals: topic"
    ]
