"""Starting a process graph without `launch`, and ending all of it whatever happens."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from meanfleet.base.errors import UserError

from .graph import Process

GRACE = 4.0  # [s, wall] between SIGTERM and SIGKILL
POLL = 0.05  # [s, wall]
PAUSE = 2.0  # [s, wall] before a process that died is started again
_PR_SET_PDEATHSIG = 1


@dataclass
class _Child:
    process: Process
    handle: subprocess.Popen[bytes]
    log: Path
    due: float | None = None  # when it is started again, on the monotonic clock


class Supervisor:
    """Runs the processes of a graph until the last one ends, one dies that is not to respawn, or a signal comes.

    A process to respawn is started again after a pause, unless it ended with code 2: a mistake would only be repeated.

    Args:
        processes: the graph; the last one's end is the run's end, and it has the terminal.
        logs: folder for the others' output.
        environment: variables on top of this process's.
        quiet: the last one's output goes to its log as well.
    """

    def __init__(
        self,
        processes: Sequence[Process],
        logs: Path,
        environment: Mapping[str, str] | None = None,
        quiet: bool = False,
    ) -> None:
        self.quiet = quiet
        self.processes, self.logs = tuple(processes), logs
        self.environment = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"} | dict(os.environ) | dict(environment or {})
        self.children: list[_Child] = []
        self.interrupted = False

    def run(self) -> int:
        """Run to the end; returns 0 for a finished or interrupted run, else the exit code of what failed."""
        previous = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            for process in self.processes:
                self._start(process)
            return self._watch()
        finally:
            self._end_all()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.interrupted = True

    def _start(self, process: Process) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{process.name or process.executable}.log"
        self.children.append(_Child(process, self._spawn(process, log, "wb"), log))

    def _spawn(self, process: Process, log: Path, mode: Literal["wb", "ab"]) -> subprocess.Popen[bytes]:
        shown = process is self.processes[-1] and not self.quiet
        naming = ["-r", f"__node:={process.name}"] if process.name else []
        with open(log, mode) as stream:
            return subprocess.Popen(
                [sys.executable, "-m", process.module, "--ros-args", *naming, *ros_arguments(process.parameters)],
                stdin=subprocess.DEVNULL,
                stdout=None if shown else stream,
                stderr=None if shown else subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,  # Ctrl-C reaches this process alone, which ends the others in order
                preexec_fn=end_with_parent,
            )

    def _watch(self) -> int:
        while not self.interrupted:
            for child in self.children:
                code = child.handle.poll()
                if code is None:
                    continue
                if child.process.respawn and code != UserError.exit_code:
                    self._respawn(child, code)
                elif child.process is self.processes[-1] and code == 0:
                    return 0
                else:
                    return self._report_death(child, code)
            time.sleep(POLL)
        return 0

    def _respawn(self, child: _Child, code: int) -> None:
        now = time.monotonic()
        if child.due is None:
            child.due = now + PAUSE
            name, how = child.process.name or child.process.executable, _ending(code)
            print(f"meanfleet: {name} {how}: started again in {PAUSE:g} s", file=sys.stderr, flush=True)
        elif now >= child.due:
            child.handle, child.due = self._spawn(child.process, child.log, "ab"), None

    def _report_death(self, child: _Child, code: int) -> int:
        said = [line for line in child.log.read_text(errors="replace").splitlines() if line.strip()]
        print(f"\nmeanfleet: the {child.process.name or child.process.executable} {_ending(code)}", file=sys.stderr)
        for line in said[-1:] if code == 2 else said[-15:]:
            print(f"  {line}", file=sys.stderr)
        return code if code == 2 else 1

    def _end_all(self) -> None:
        # Not SIGINT first: a process that is still importing would answer it with a traceback.
        for number in (signal.SIGTERM, signal.SIGKILL):
            alive = [child for child in reversed(self.children) if child.handle.poll() is None]
            for child in alive:
                child.handle.send_signal(number)
            deadline = time.monotonic() + GRACE
            while time.monotonic() < deadline and any(child.handle.poll() is None for child in alive):
                time.sleep(POLL)


def _ending(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"


def ros_arguments(parameters: Mapping[str, Any]) -> list[str]:
    """Parameters as `-p name:=value`; texts in JSON, which YAML reads as the same text whatever is in them."""
    arguments = []
    for name, value in parameters.items():
        arguments += ["-p", f"{name}:={json.dumps(value)}"]
    return arguments


def end_with_parent() -> None:
    """Runs in the child: the kernel sends it SIGTERM when this process dies, even by SIGKILL."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
