"""The processes of a soak: started, killed and stopped one by one, each start with a log of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from meanfleet.running.graph import Process
from meanfleet.running.supervisor import end_with_parent, ros_arguments

PATIENCE = 20.0  # [s, wall] for everybody to end after SIGTERM
TAIL = 15  # lines of a log that are shown
SIGNS = ("Traceback (most recent call last)", "Fatal Python error", "terminate called", "Segmentation fault")


@dataclass
class Member:
    """One life of a process. `told`: it was asked to end, or killed by us."""

    name: str
    handle: subprocess.Popen[bytes]
    log: Path
    told: bool = False


class Crew:
    """Starts processes by name, again and again.

    Args:
        logs: folder for their output.
        environment: of all of them.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self.logs, self.environment = logs, dict(environment)
        self.lives: list[Member] = []
        self.members: dict[str, Member] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, process: Process, node: str = "") -> None:
        """Start it under a name; `node` is its ROS name, if it is to have another than its own."""
        log = self.logs / f"{name}.{sum(life.name == name for life in self.lives)}.log"
        remap = ["-r", f"__node:={node}"] if node else []
        with open(log, "wb") as stream:
            handle = subprocess.Popen(
                [sys.executable, "-m", process.module, "--ros-args", *ros_arguments(process.parameters), *remap],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        self.members[name] = Member(name, handle, log)
        self.lives.append(self.members[name])

    def signal(self, name: str, number: int) -> None:
        """Send a signal that does not end it."""
        self.members[name].handle.send_signal(number)

    def kill(self, name: str) -> None:
        """kill -9."""
        member = self.members[name]
        member.told = True
        member.handle.kill()
        member.handle.wait()

    def end(self, name: str) -> None:
        """SIGTERM, without waiting."""
        member = self.members[name]
        member.told = True
        member.handle.terminate()

    def ended(self, name: str) -> bool:
        """Whether its present life is over."""
        return self.members[name].handle.poll() is not None

    def end_all(self) -> list[str]:
        """SIGTERM to everybody, SIGKILL to those that do not listen; what went wrong."""
        alive = [life for life in self.lives if life.handle.poll() is None]
        for life in alive:
            life.told = True
            life.handle.send_signal(signal.SIGCONT)
            life.handle.terminate()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and any(life.handle.poll() is None for life in alive):
            time.sleep(0.05)
        wrong = []
        for life in alive:
            if life.handle.poll() is None:
                life.handle.kill()
                life.handle.wait()
                wrong.append(f"{life.name} did not end within {PATIENCE:g} s of SIGTERM\n{self._tail(life)}")
            elif life.handle.returncode:
                wrong.append(f"{life.name} answered SIGTERM with code {life.handle.returncode}\n{self._tail(life)}")
        return wrong

    def crashes(self) -> list[str]:
        """Who ended without being told, and whose log shows an exception, each with the end of its log."""
        found = []
        for life in self.lives:
            code = life.handle.poll()
            if code is not None and not life.told:
                found.append(f"{life.log.stem} ended with code {code}\n{self._tail(life)}")
                continue
            text = life.log.read_text(errors="replace")
            place = min((text.index(sign) for sign in SIGNS if sign in text), default=-1)
            if place >= 0:
                found.append(f"{life.log.stem}: {_indent(text[place:].splitlines()[:40])}")
        return found

    def memory(self) -> dict[str, tuple[int, int]]:
        """Resident and shared bytes of those alive, by name."""
        used = {}
        for name, member in self.members.items():
            try:
                info = psutil.Process(member.handle.pid).memory_info()
            except psutil.Error:
                continue
            if info.rss:  # a zombie has none
                used[name] = (info.rss, info.shared)
        return used

    def _tail(self, life: Member) -> str:
        return _indent(life.log.read_text(errors="replace").splitlines()[-TAIL:])


def _indent(lines: list[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)
