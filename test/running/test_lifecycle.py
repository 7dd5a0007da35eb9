"""Managed nodes as processes, led through their life over DDS, and parameters that change while they run."""

from __future__ import annotations

import itertools
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from processes import Listener, Processes, wait_for

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    ListParameters,
    SetParameters,
    SetParametersAtomically,
)
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter, parameter_dict_from_yaml_file, parameter_value_to_python
from std_msgs.msg import Header

import meanfleet.dispatcher_node.node
import meanfleet.robot_node.node
from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.ros.conversions import read_diagnostics, to_seconds
from meanfleet.ros.managed import ManagedNode
from meanfleet.ros.node import DIAGNOSTICS, GOAL
from meanfleet.ros.parameters import ParameterSpec
from meanfleet.ros.transport import by_udp
from meanfleet.solver.bundle.policy import PolicyBundle

N = 20
WORLD, ROBOT, DISPATCHER = "meanfleet.sim.node", "meanfleet.robot_node.node", "meanfleet.dispatcher_node.node"


class Remote:
    """What `ros2 lifecycle` and `ros2 param` do to a node, by the same services."""

    def __init__(self, listener: Listener, node: str) -> None:
        self.listener, self.node = listener, node
        self.clients: dict[str, Any] = {}

    def call(self, kind: Any, service: str, request: Any) -> Any:
        if service not in self.clients:
            self.clients[service] = self.listener.node.create_client(kind, f"/{self.node}/{service}")
        client = self.clients[service]
        wait_for(client.service_is_ready, 30, f"/{self.node}/{service}", self.listener.spin)
        future = client.call_async(request)
        wait_for(future.done, 30, f"an answer of /{self.node}/{service}", self.listener.spin)
        return future.result()

    def change(self, transition: str) -> bool:
        request = ChangeState.Request()
        request.transition.label = transition
        return bool(self.call(ChangeState, "change_state", request).success)

    @property
    def state(self) -> str:
        return str(self.call(GetState, "get_state", GetState.Request()).current_state.label)

    def set(self, **values: Any) -> str:
        """Set parameters at once; "" if they were taken, else the reason."""
        parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        request = SetParametersAtomically.Request(parameters=parameters)
        result = self.call(SetParametersAtomically, "set_parameters_atomically", request).result
        return "" if result.successful else str(result.reason)

    def get(self, name: str) -> Any:
        value = self.call(GetParameters, "get_parameters", GetParameters.Request(names=[name])).values[0]
        return Parameter.from_parameter_msg(_named(name, value)).value

    def dump(self, file: Path) -> dict[str, Any]:
        """What `ros2 param dump` writes: all listed parameters, asked for at once."""
        listed = self.call(ListParameters, "list_parameters", ListParameters.Request()).result.names
        names = sorted(listed)
        values = self.call(GetParameters, "get_parameters", GetParameters.Request(names=names)).values
        assert len(values) == len(names), f"{self.node} keeps values of {names} back"
        found = {name: parameter_value_to_python(value) for name, value in zip(names, values, strict=True)}
        file.write_text(yaml.dump({f"/{self.node}": {"ros__parameters": found}}, default_flow_style=False))
        return found

    def load(self, file: Path) -> dict[str, str]:
        """What `ros2 param load` does with a file: reasons of those parameters that were refused."""
        given = list(parameter_dict_from_yaml_file(str(file), target_nodes=[f"/{self.node}"]).values())
        results = self.call(SetParameters, "set_parameters", SetParameters.Request(parameters=given)).results
        return {one.name: result.reason for one, result in zip(given, results, strict=True) if not result.successful}

    def describe(self, name: str) -> Any:
        return self.call(DescribeParameters, "describe_parameters", DescribeParameters.Request(names=[name]))


def _named(name: str, value: Any) -> Any:
    message = Parameter(name).to_parameter_msg()
    message.value = value
    return message


@pytest.fixture
def listener(processes: Processes) -> Iterator[Listener]:
    """The test's own node on the processes' domain."""
    own = Listener(processes.domain)
    yield own
    own.close()


class Fleet:
    """World, robots and a dispatcher that waits to be led, and what they say."""

    def __init__(self, processes: Processes, listener: Listener, config: Path, policy: Path, **deciding: Any) -> None:
        self.listener = listener
        self.told = listener.hear(DiagnosticArray, "diagnostics", DIAGNOSTICS)
        self.policy = processes.folder / "policy.npz"
        shutil.copy(policy, self.policy)
        common = {"config": str(config), "n": N, "seed": 3}
        acting = common | {"policy": str(self.policy), "use_sim_time": True}
        self.processes = {
            "world": processes.node(WORLD, real_time_factor=16.0, **common),
            "robots": processes.node(ROBOT, **acting),
            "dispatcher": processes.node(DISPATCHER, autostart=False, **acting | deciding),
        }
        self.dispatcher, self.robots = Remote(listener, "dispatcher"), Remote(listener, "robots")
        self.log = lambda: processes.output(self.processes["dispatcher"])

    @property
    def ticks(self) -> list[dict[str, Any]]:
        said = [found for message in self.told for found in read_diagnostics(message)]
        return [values for name, _, values in said if name == "dispatcher"]

    def wait_for_ticks(self, count: int) -> list[dict[str, Any]]:
        """The next so many ticks."""
        known = len(self.ticks)
        wait_for(lambda: len(self.ticks) >= known + count, 60, f"{count} ticks; {self.log()}", self.listener.spin)
        return self.ticks[known:]

    def wait_for_tick(self, what: str, condition: Any) -> None:
        wait_for(lambda: self.ticks and condition(self.ticks[-1]), 60, f"{what}; {self.log()}", self.listener.spin)

    def publishers(self) -> int:
        return self.listener.node.count_publishers("priority_zone")


def assert_contiguous(ticks: list[dict[str, Any]], config: Path) -> None:
    """Neither a tick's number nor its time is missing, and every decision goes on from the priority before."""
    seconds = Config.from_yaml(config).dispatcher.tick
    for before, after in itertools.pairwise(ticks):
        assert after["tick"] == before["tick"] + 1
        assert after["stamp"] == pytest.approx(before["stamp"] + seconds)
        assert after["priority"] == before["next_priority"]
        assert after["ledger"]["skipped"] == before["ledger"]["skipped"]


def test_a_dispatcher_is_led_through_its_life(
    processes: Processes, listener: Listener, demo_path: Path, demo_policy: Path
) -> None:
    fleet = Fleet(processes, listener, demo_path, demo_policy, k=5)
    remote = fleet.dispatcher
    assert remote.state == "unconfigured"
    assert not remote.change("activate"), "there is nothing to activate yet"

    # A mistake leaves it where it is, says so, and can be put right without a restart.
    assert remote.set(policy="/nowhere.npz") == ""
    assert not remote.change("configure")
    assert remote.state == "unconfigured"
    wait_for(lambda: "cannot configure: policy bundle /nowhere.npz does not exist" in fleet.log(), 10, fleet.log())
    assert remote.set(policy=str(fleet.policy)) == ""
    assert remote.change("configure"), fleet.log()
    assert remote.state == "inactive"
    assert fleet.publishers() == 0, "an inactive dispatcher is nobody's rival"
    assert "n is read when dispatcher is configured" in remote.set(n=15)

    assert remote.change("activate"), fleet.log()
    assert_contiguous(fleet.wait_for_ticks(3), demo_path)

    # Deactivated it decides nothing: its topic is free, and it goes on where it was.
    assert remote.change("deactivate")
    assert remote.state == "inactive"
    wait_for(lambda: fleet.publishers() == 0, 20, "the priority's publisher to go", listener.spin)
    asleep = len(fleet.ticks)
    last = fleet.ticks[-1]
    assert remote.set(k=2) == ""
    assert "no table for k = 3" in remote.set(k=3)
    assert len(fleet.ticks) == asleep
    assert remote.change("activate"), fleet.log()
    first = fleet.wait_for_ticks(2)[0]
    assert (first["tick"], first["priority"], first["k"]) == (last["tick"] + 1, last["next_priority"], 2)
    assert first["stamp"] > last["stamp"]
    period, began = Config.from_yaml(demo_path).dispatcher.tick, fleet.ticks[0]
    for tick in fleet.ticks:
        ledger = tick["ledger"]
        assert ledger["complete"] + ledger["partial"] + ledger["held"] == tick["tick"] + 1
        due = round((tick["stamp"] - began["stamp"]) / period) + 1 + began["skipped"]
        assert sum(ledger.values()) == due, "ticks of the time while it was inactive are not accounted for"

    # Cleaned up it forgets, shut down it does nothing more but to end when it is told to.
    assert remote.change("deactivate")
    assert remote.change("cleanup")
    assert remote.state == "unconfigured"
    assert remote.set(n=15, config=str(demo_path)) == ""
    assert remote.change("configure"), fleet.log()
    assert remote.change("activate"), fleet.log()
    fleet.wait_for_tick("a first tick once more", lambda tick: tick["tick"] == 0)
    assert {int(name.rsplit("_", 1)[1]) for name in fleet.ticks[-1]["sampled"]} <= set(range(15))
    assert remote.change("shutdown")
    assert remote.state == "finalized"
    fleet.processes["dispatcher"].send_signal(signal.SIGTERM)
    assert fleet.processes["dispatcher"].wait(timeout=20) == 0
    assert "Traceback" not in fleet.log()


def test_parameters_change_between_two_ticks_and_damage_is_refused(
    processes: Processes, listener: Listener, demo_path: Path, demo_policy: Path, demo_bundle: PolicyBundle
) -> None:
    fleet = Fleet(processes, listener, demo_path, demo_policy, k=5)
    remote = fleet.dispatcher
    assert remote.change("configure"), fleet.log()
    assert remote.change("activate"), fleet.log()
    fleet.wait_for_ticks(2)
    began = len(fleet.ticks)

    assert remote.set(k=2) == ""
    fleet.wait_for_tick("a tick with k = 2", lambda tick: tick["k"] == 2)
    assert fleet.ticks[-1]["table_k"] == 2
    assert remote.set(observer="dirichlet", k=3, sampling="oldest") == ""
    fleet.wait_for_tick("a tick with a belief", lambda tick: tick["observer"] == "dirichlet")
    assert (fleet.ticks[-1]["sampling"], fleet.ticks[-1]["k"]) == ("oldest", 3)

    # What the bundle or the fleet does not allow is refused with its reason, all of it at once.
    kappa = demo_bundle.filtering.kappa if demo_bundle.filtering else 0
    assert remote.set(kappa=kappa) == ""
    for values, reason in (
        ({"observer": "memoryless"}, "no table for k = 3"),
        ({"k": N + 1}, f"the fleet has {N} robots"),
        ({"rho": 0.5, "kappa": kappa + 1}, f"a filter for kappa = {kappa}"),
        ({"rho": 2.0}, "out of range"),
        ({"rule": "learnt"}, "rule 'learnt' is unknown: choose from learned, hold, random"),
        ({"config": "other.yaml"}, "config is read when dispatcher is configured"),
        ({"autostart": True}, "read-only"),
    ):
        assert reason in remote.set(**values)
    assert (remote.get("k"), remote.get("rho"), remote.get("observer")) == (3, 0.0, "dirichlet")

    # The file is damaged where it lies: nobody takes it, and both go on with what they have.
    whole = fleet.policy.read_bytes()
    fleet.policy.write_bytes(whole[: len(whole) // 2])
    for node in (remote, fleet.robots):
        assert "is damaged" in node.set(policy=str(fleet.policy))
        assert node.state == "active"
    assert all(tick["complete"] for tick in fleet.wait_for_ticks(2))

    # Another whole one is taken by both: without tables for k = 3 if somebody asks for them.
    small = PolicyBundle(
        demo_bundle.game, demo_bundle.local_policy[:, ::-1], demo_bundle.tables[:1], {}, demo_bundle.filtering
    )
    small.save(fleet.policy)
    for node in (remote, fleet.robots):
        assert node.set(policy=str(fleet.policy)) == ""
    what = f"policy {small.digest[:12]}"
    robots = fleet.processes["robots"]
    wait_for(lambda: what in fleet.log() and what in processes.output(robots), 20, what, listener.spin)
    fleet.wait_for_ticks(2)
    assert "only for k = 1" in remote.set(observer="memoryless", k=2)
    assert remote.set(observer="memoryless", k=1) == ""
    fleet.wait_for_tick("a tick with k = 1", lambda tick: tick["k"] == 1)
    assert_contiguous(fleet.ticks[began:], demo_path)

    described = remote.describe("rho").descriptors[0]
    assert "share of the belief" in described.description
    assert (described.floating_point_range[0].from_value, described.floating_point_range[0].to_value) == (0.0, 1.0)
    assert "between two ticks" in described.additional_constraints


@pytest.mark.parametrize(
    ("module", "name", "more"),
    [(meanfleet.robot_node.node, "robots", {}), (meanfleet.dispatcher_node.node, "dispatcher", {"k": 5})],
    ids=["robots", "dispatcher"],
)
def test_parameters_are_dumped_and_loaded(
    processes: Processes,
    listener: Listener,
    demo_path: Path,
    demo_policy: Path,
    module: Any,
    name: str,
    more: dict[str, int],
) -> None:
    """As `ros2 param dump` and `ros2 param load` do it, at a configured node, and as a new one's --params-file."""
    given = {"config": str(demo_path), "policy": str(demo_policy), "n": N, "seed": 3, "autostart": False} | more
    first = processes.node(module.__name__, **given)
    node = Remote(listener, name)
    assert node.change("configure"), processes.output(first)
    file = processes.folder / f"{name}.yaml"
    dumped = node.dump(file)
    assert {spec.name for spec in module.PARAMETERS} <= set(dumped)
    assert dumped["exclude"] == []
    assert {key: dumped[key] for key in given} == given

    assert node.set(exclude=["robot_03"]) == ""
    assert "exclude" not in node.load(file)
    read_only = {key for key, reason in node.load(file).items() if "read-only" in reason}
    assert set(node.load(file)) == read_only, "what stays as it is may be set again"
    assert node.dump(file) == dumped, "and the file's empty list was taken for what it was"
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=20) == 0

    second = processes.module(module.__name__, "--ros-args", "--params-file", str(file))
    again = Remote(listener, name)
    assert again.change("configure"), processes.output(second)
    assert again.dump(file) == dumped


class Faulty(ManagedNode):
    """A node whose parts fail as told, to see what its life cycle makes of it."""

    def __init__(self, autostart: bool) -> None:
        table = (ParameterSpec("autostart", autostart, "", effect="at start"),)
        super().__init__("faulty", table, lambda: False)  # type: ignore[arg-type]
        self.fails: dict[str, Exception] = {}
        self.built = 0

    def _do(self, what: str) -> None:
        if what in self.fails:
            raise self.fails[what]

    def build(self) -> None:
        self.advertise(Header, "faulty", GOAL)
        self.built += 1
        self._do("build")

    def begin(self) -> None:
        self._do("begin")

    def act(self) -> float:
        self._do("act")
        return 1.0

    @property
    def label(self) -> str:
        return str(self._state_machine.current_state[1])


@pytest.fixture
def context(processes: Processes) -> Iterator[None]:
    """ROS in this process, on the test's domain."""
    with by_udp():
        rclpy.init(domain_id=processes.domain)
        yield
        rclpy.try_shutdown()


def test_mistakes_lead_back_to_where_they_can_be_put_right(context: None) -> None:
    node, mistake = Faulty(autostart=False), UserError("there is no such file: make it")
    node.start()
    assert (node.label, node.built) == ("unconfigured", 0)
    node.fails["build"] = mistake
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert (node.label, node.count_publishers("faulty")) == ("unconfigured", 0), "half-built is not built"
    node.fails = {"begin": mistake}
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert node.trigger_activate() == TransitionCallbackReturn.FAILURE
    assert (node.label, node.count_publishers("faulty"), node.active) == ("inactive", 1, False)
    node.fails = {"act": mistake}
    assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    node.work()  # the mistake shows while it is active: error processing
    assert (node.label, node.count_publishers("faulty"), node.active) == ("unconfigured", 0, False)
    node.fails = {}
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    assert (node.label, node.work(), node.failure) == ("active", 1.0, None)
    node.finish()
    assert node.label == "finalized"
    node.destroy_node()


@pytest.mark.parametrize("what", ["build", "begin", "act"])
def test_a_node_that_starts_itself_ends_with_the_mistake(context: None, what: str) -> None:
    node = Faulty(autostart=True)
    node.fails[what] = UserError("there is no such file: make it")
    with pytest.raises(UserError, match="no such file"):
        node.start(), node.work()
    node.finish()
    node.destroy_node()


@pytest.mark.parametrize("autostart", [False, True])
def test_a_fault_of_the_program_is_no_mistake_and_is_not_swallowed(context: None, autostart: bool) -> None:
    node = Faulty(autostart)
    node.fails["build"] = ZeroDivisionError("a fault")
    if autostart:
        with pytest.raises(ZeroDivisionError):
            node.start()
    else:
        assert node.trigger_configure() == TransitionCallbackReturn.ERROR
    assert isinstance(node.failure, ZeroDivisionError), "the loop ends with it"
    assert (node.label, node.count_publishers("faulty")) == ("unconfigured", 0)
    node.finish()
    node.destroy_node()


def test_inactive_robots_are_polled_in_vain_and_send_no_goal(
    processes: Processes, listener: Listener, demo_path: Path, demo_policy: Path
) -> None:
    fleet = Fleet(processes, listener, demo_path, demo_policy, k=5)
    goals = [listener.hear(PoseStamped, f"robot_{i:02d}/goal_pose", GOAL) for i in range(N)]
    assert fleet.dispatcher.change("configure")
    assert fleet.dispatcher.change("activate")
    fleet.wait_for_tick("a complete tick", lambda tick: tick["complete"])
    assert fleet.robots.change("deactivate")
    fleet.wait_for_tick("a tick that nobody answers", lambda tick: tick["answered"] == 0)
    asleep = fleet.ticks[-1]["stamp"]
    assert fleet.ticks[-1]["ledger"]["held"] > 0
    assert fleet.ticks[-1]["priority"] == fleet.ticks[-1]["dispatch"], "it holds"
    fleet.wait_for_ticks(2)
    awake = fleet.ticks[-1]["stamp"]
    assert fleet.robots.change("activate")
    fleet.wait_for_tick("a complete tick again", lambda tick: tick["complete"])
    wait_for(lambda: any(latest(topic) > awake for topic in goals), 30, "goals again", listener.spin)
    stamps = [to_seconds(message.header.stamp) for topic in goals for message in topic]
    assert not [stamp for stamp in stamps if asleep < stamp < awake]


def latest(messages: list[Any]) -> float:
    return max((to_seconds(message.header.stamp) for message in messages), default=0.0)


@pytest.mark.parametrize("module", [meanfleet.dispatcher_node.node, meanfleet.robot_node.node])
def test_the_docstring_lists_the_declared_parameters(module: Any) -> None:
    """Name, type, default, and a star for those that change between ticks."""
    kinds = {bool: "bool", int: "int", float: "double", str: "string", tuple: "string[]"}

    def entry(spec: ParameterSpec) -> str:
        star = "*" if spec.effect == "between ticks" else ""
        shown = {"": '""', (): "[]", True: "true", False: "false"}.get(spec.default)
        if shown is None or type(spec.default) in (int, float):
            shown = f"{spec.default:g}" if isinstance(spec.default, float) else str(spec.default)
        default = "" if spec.name in ("config", "policy") else f", {shown}"
        return f"    {spec.name}{star} ({kinds[type(spec.default)]}{default}): "

    lines = [line for line in str(module.__doc__).splitlines() if line.startswith("    ") and ": " in line]
    listed = [line for line in lines if not line.startswith("    (")]
    assert sorted(line[: line.index(": ") + 2] for line in listed) == sorted(map(entry, module.PARAMETERS))
