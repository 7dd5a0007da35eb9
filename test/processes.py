"""Real processes on a ROS domain of their own, and waiting for conditions with a bound."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from meanfleet.ros.transport import RANGE, by_udp

ROOT = Path(__file__).resolve().parent.parent
MARK = "MEANFLEET_TEST_RUN"
DOMAINS = range(1, 102)  # what leaves room for the ports of some hundred processes


def wait_for(
    condition: Callable[[], Any],
    seconds: float,
    what: str | Callable[[], str],
    between: Callable[[], Any] | None = None,
) -> Any:
    """Return the first truthy value of `condition`; fail after `seconds`, naming what was awaited.

    `what` may be a function, called on failure: to tell what processes have printed until then.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        if between is None:
            time.sleep(0.02)
        else:
            between()
    raise AssertionError(f"waited {seconds} s in vain for {what() if callable(what) else what}")


def domains_in_use() -> set[int]:
    """ROS domains on whose ports somebody on this machine listens: domain d has the UDP ports from 7400 + 250 d on."""
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return {(int(line.split()[1].rsplit(":", 1)[1], 16) - 7400) // 250 for line in lines}


class Domain:
    """A ROS domain that nobody on this machine uses: no other test run, as a file's lock says, and nobody else."""

    def __init__(self) -> None:
        for number in random.SystemRandom().sample(DOMAINS, len(DOMAINS)):
            if number in domains_in_use():
                continue
            self._lock = open(Path(tempfile.gettempdir()) / f"meanfleet-test-domain-{number}.lock", "w")  # noqa: SIM115
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._lock.close()
                continue
            self.number = number
            return
        raise RuntimeError("all ROS domains are in use by other test runs")

    def free(self) -> None:
        """Let others have it."""
        self._lock.close()


class Processes:
    """Starts `python -m MODULE`, keeps the outputs, and can tell whether anything is left running."""

    def __init__(self) -> None:
        self._domain = Domain()
        self.domain = self._domain.number
        self.mark = uuid.uuid4().hex
        self.folder = Path(tempfile.mkdtemp(prefix="meanfleet-test-"))
        self.environment = os.environ | {
            "ROS_DOMAIN_ID": str(self.domain),
            RANGE: "LOCALHOST",
            "PYTHONPATH": str(ROOT),
            "XDG_STATE_HOME": str(self.folder / "state"),
            MARK: self.mark,
        }
        self.started: list[subprocess.Popen[bytes]] = []
        self._outputs: dict[int, Path] = {}

    def module(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a module with arguments."""
        return self._start("-m", module, *arguments)

    def script(self, text: str) -> subprocess.Popen[bytes]:
        """Start a program of the test's own, which is written to by `stdin`."""
        program = self.folder / f"{len(self.started)}.py"
        program.write_text(text)
        return self._start(str(program), stdin=subprocess.PIPE)

    def _start(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        path = self.folder / f"{len(self.started)}.log"
        with open(path, "wb") as stream:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=stdin,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )
        self.started.append(process)
        self._outputs[process.pid] = path
        return process

    def node(self, module: str, remaps: Mapping[str, str] | None = None, **parameters: Any) -> subprocess.Popen[bytes]:
        """Start a node with ROS parameters, some of its topics under other names."""
        pairs = [part for name, value in parameters.items() for part in ("-p", f"{name}:={json.dumps(value)}")]
        pairs += [part for old, new in (remaps or {}).items() for part in ("-r", f"{old}:={new}")]
        return self.module(module, "--ros-args", *pairs)

    def output(self, process: subprocess.Popen[bytes]) -> str:
        """What a process has printed so far."""
        return self._outputs[process.pid].read_text(errors="replace")

    def left(self) -> list[int]:
        """Ids of processes of this test, grandchildren included, that are still running."""
        found = []
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdigit() and f"{MARK}={self.mark}".encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue  # it ended meanwhile
        return found

    def end_all(self) -> None:
        """Kill what the test left running."""
        for pid in self.left():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for process in self.started:
            process.wait(timeout=10)
        self._domain.free()


class Listener:
    """A ROS node in the test's own process that stores what it hears."""

    def __init__(self, domain: int, name: str = "listener") -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        self.context = rclpy.Context()
        with by_udp():
            rclpy.init(context=self.context, domain_id=domain)
            self.node = rclpy.create_node(name, context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)

    def hear(self, kind: Any, topic: str, qos: Any) -> list[Any]:
        """Subscribe; the returned list grows with every message."""
        heard: list[Any] = []
        self.node.create_subscription(kind, topic, heard.append, qos)
        return heard

    def spin(self) -> None:
        """Take in messages for a moment."""
        self.executor.spin_once(timeout_sec=0.05)

    def call(self, kind: Any, service: str, seconds: float = 60.0, **request: Any) -> Any:
        """A service's answer."""
        client = self.node.create_client(kind, service)
        wait_for(client.service_is_ready, seconds, service, self.spin)
        future = client.call_async(kind.Request(**request))
        wait_for(future.done, seconds, f"an answer of {service}", self.spin)
        self.node.destroy_client(client)
        return future.result()

    def set_parameter(self, node: str, name: str, value: str | int | float | list[str]) -> Any:
        """What a node answers to `ros2 param set`: rcl_interfaces/SetParametersResult."""
        from rcl_interfaces.srv import SetParameters
        from rclpy.parameter import Parameter

        parameters = [Parameter(name, value=value).to_parameter_msg()]
        return self.call(SetParameters, f"{node}/set_parameters", parameters=parameters).results[0]

    def close(self) -> None:
        """Leave the domain."""
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()
