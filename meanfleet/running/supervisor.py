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
from typing import Any

from .graph import Process

GRACE = 4.0  # [s, wall] between SIGTERM and SIGKILL
POLL = 0.05  # [s, wall]
_PR_SET_PDEATHSIG = 1


@dataclass
class _Child:
    process: Process
    handle: subprocess.Popen[bytes]
    log: Path


class Supervisor:
    """Runs the processes of a graph until the last one ends, one of them dies, or a signal comes.

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
        log = self.logs / f"{process.executable}.log"
        shown = process is self.processes[-1] and not self.quiet
        with open(log, "wb") as stream:
            handle = subprocess.Popen(
                [sys.executable, "-m", process.module, "--ros-args", *ros_arguments(process.parameters)],
                stdin=subprocess.DEVNULL,
                stdout=None if shown else stream,
                stderr=None if shown else subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,  # Ctrl-C reaches this process alone, which ends the others in order
                preexec_fn=end_with_parent,
            )
        self.children.append(_Child(process, handle, log))

    def _watch(self) -> int:
        while not self.interrupted:
            for child in self.children:
                code = child.handle.poll()
                if code is None:
                    continue
                if child.process is self.processes[-1] and code == 0:
                    return 0
                return self._report_death(child, code)
            time.sleep(POLL)
        return 0

    def _report_death(self, child: _Child, code: int) -> int:
        said = [line for line in child.log.read_text(errors="replace").splitlines() if line.strip()]
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        print(f"\nmeanfleet: the {child.process.executable} {how}", file=sys.stderr)
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


def ros_arguments(parameters: Mapping[str, Any]) -> list[str]:
    """Parameters as `-p name:=value`; texts in JSON, which YAML reads as the same text whatever is in them."""
    arguments = []
    for name, value in parameters.items():
        arguments += ["-p", f"{name}:={json.dumps(value)}"]
    return arguments


def end_with_parent() -> None:
    """Runs in the child: the kernel sends it SIGTERM when this process dies, even by SIGKILL."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
