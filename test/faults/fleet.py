"""A small fleet of real processes, and what an operator sees of it: the statuses in diagnostics."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from processes import Listener, Processes, wait_for
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock

from meanfleet.config import Config
from meanfleet.floors.ring import RingLayout
from meanfleet.ros.conversions import read_diagnostics, to_seconds
from meanfleet.ros.node import DIAGNOSTICS

N, K = 12, 5
WORLD, ROBOT, DISPATCHER = "meanfleet.sim.node", "meanfleet.robot_node.node", "meanfleet.dispatcher_node.node"
MONITOR = "meanfleet.running.node"
LIMIT = 90.0  # [s, wall] for anything awaited; a fleet that works needs a few


class Fleet:
    """World, robots in groups of their own processes, dispatcher; the test listens in.

    Args:
        processes: starts them on a domain of this test.
        listener: the test's own node there.
        config, policy: files.
    """

    def __init__(self, processes: Processes, listener: Listener, config: Path, policy: Path) -> None:
        self.processes, self.listener = processes, listener
        self.path, self.policy = config, policy
        self.config = Config.from_yaml(config).with_robots(N)
        self.names = self.config.robots
        self.parts: dict[str, subprocess.Popen[bytes]] = {}
        self._statuses = listener.hear(DiagnosticArray, "diagnostics", DIAGNOSTICS)
        self._found: list[tuple[str, str, dict[str, Any]]] = []
        self._read = 0

    # Starting and ending

    def start_world(self, deaf: Sequence[str] = (), factor: float = 8.0) -> None:
        """The kinematic warehouse, eight times as fast as real time; nobody hears the odometry of the `deaf`."""
        remaps = {f"{name}/odom": f"lost/{name}/odom" for name in deaf}
        self._start("world", WORLD, remaps, real_time_factor=factor, seed=3)

    def start_robots(self, part: str, names: Sequence[str], **parameters: Any) -> None:
        """A process with these robots, and a node of the part's name."""
        given = {"policy": str(self.policy), "robots": list(names), "seed": 3, "use_sim_time": True} | parameters
        self._start(part, ROBOT, {"__node": part}, **given)

    def start_dispatcher(self, part: str = "dispatcher", **parameters: Any) -> None:
        """Polling K robots."""
        given = {"policy": str(self.policy), "k": K, "seed": 3, "use_sim_time": True} | parameters
        self._start(part, DISPATCHER, **given)

    def start(self, groups: dict[str, Sequence[str]] | None = None, **dispatcher: Any) -> None:
        """Everything, robots in the groups named."""
        self.start_world()
        for part, names in (groups or {"robots": self.names}).items():
            self.start_robots(part, names)
        self.start_dispatcher(**dispatcher)

    def start_monitor(self, **parameters: Any) -> None:
        """The run's log."""
        self._start("monitor", MONITOR, policy=str(self.policy), use_sim_time=True, **parameters)

    def up(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The whole run under `meanfleet up`."""
        given = [str(self.path), "-p", str(self.policy), "-n", str(N), "-k", str(K), "--real-time-factor", "8"]
        self.parts["up"] = self.processes.module("meanfleet", "up", *given, *arguments)
        return self.parts["up"]

    def pid_of(self, module: str) -> int | None:
        """Of the process of this test that runs a module; None if there is none."""
        for pid in self.processes.left():
            try:
                if module in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
                    return pid
            except OSError:
                continue  # it ended meanwhile
        return None

    def kill_pid(self, pid: int) -> None:
        """kill -9 of a process that this test's processes started."""
        assert pid in self.processes.left()
        os.kill(pid, signal.SIGKILL)

    def _start(self, part: str, module: str, remaps: dict[str, str] | None = None, **parameters: Any) -> None:
        self.parts[part] = self.processes.node(module, remaps, config=str(self.path), n=N, **parameters)

    def kill(self, part: str) -> None:
        """kill -9."""
        self.parts[part].send_signal(signal.SIGKILL)
        self.parts[part].wait(timeout=10)

    def logs(self) -> str:
        """What all parts have printed."""
        return "\n".join(f"--- {part}\n{self.processes.output(p)}" for part, p in self.parts.items())

    # Looking

    def statuses(self, speaker: str) -> list[tuple[str, dict[str, Any]]]:
        """(message, values) of every status whose name starts with `speaker`, oldest first."""
        for message in self._statuses[self._read :]:  # each is read once: conditions ask again and again
            self._found += read_diagnostics(message)
            self._read += 1
        return [(text, values) for name, text, values in self._found if name.startswith(speaker)]

    @property
    def ticks(self) -> list[dict[str, Any]]:
        """The dispatcher's reports."""
        return [values for _, values in self.statuses("dispatcher") if "gather_seconds" in values]

    def await_(self, condition: Callable[[], Any], what: str, meanwhile: Callable[[], None] = lambda: None) -> Any:
        """The first truthy value of `condition`; `meanwhile` is called again and again."""

        def between() -> None:
            meanwhile()
            self.listener.spin()

        try:
            return wait_for(condition, LIMIT, what, between)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from None

    def await_ticks(
        self,
        count: int,
        where: Callable[[dict[str, Any]], bool] = lambda _: True,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> list[dict[str, Any]]:
        """The ticks reported from now on in which something holds, once there are `count`."""
        before = len(self.ticks)

        def found() -> list[dict[str, Any]]:
            fitting = [tick for tick in self.ticks[before:] if where(tick)]
            return fitting if len(fitting) >= count else []

        ticks: list[dict[str, Any]] = self.await_(found, f"{count} ticks of a kind", meanwhile)
        return ticks

    def clock(self) -> list[float]:
        """A list that grows with every simulated time heard [s]."""
        heard: list[float] = []

        def store(message: Clock) -> None:
            heard.append(to_seconds(message.clock))

        self.listener.node.create_subscription(Clock, "/clock", store, qos_profile_sensor_data)
        return heard

    def slot(self, robot: str, zone: int) -> tuple[float, float, float]:
        """Where a robot stands in a zone: x, y [m], yaw [rad], frame `map`."""
        layout = RingLayout.from_config(self.config)
        x, y, yaw = layout.slots[self.names.index(robot), zone].tolist()
        return x, y, yaw

    def set_parameter(self, node: str, name: str, value: str | int | float | list[str]) -> Any:
        """What a node answers to `ros2 param set`: rcl_interfaces/SetParametersResult."""
        return self.listener.set_parameter(node, name, value)

    # Doing harm

    def publish(self, kind: Any, topic: str, qos: Any, make: Callable[[], Any]) -> Callable[[], None]:
        """A publisher of the test's own; each call of what is returned sends one message."""
        publisher = self.listener.node.create_publisher(kind, topic, qos)
        return lambda: publisher.publish(make())


def gapless(ticks: Sequence[dict[str, Any]]) -> bool:
    """Whether tick numbers follow one another and every tick but those skipped is reported."""
    return all(after["tick"] == before["tick"] + 1 for before, after in itertools.pairwise(ticks))


def held(tick: dict[str, Any]) -> bool:
    """Whether a tick kept the priority for lack of samples."""
    return tick["table_k"] is None and tick["kappa"] is None
