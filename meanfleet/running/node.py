"""The monitor as a ROS 2 node: shows a live line, keeps the run's log, ends the run at its duration.

Parameters:
    config (string): configuration (YAML).
    policy (string, ""): policy bundle, for the reward in the summary.
    n (int, 0): robots; 0: as the configuration says.
    duration (double, 0): [s, ROS time] from the first tick; 0: until interrupted.
    out (string, ""): folder for run.jsonl and summary.json; empty: none.

Subscribes: diagnostics (diagnostic_msgs/DiagnosticArray).
"""

from __future__ import annotations

import contextlib
import json
import sys
from typing import IO, Any

from diagnostic_msgs.msg import DiagnosticArray

from meanfleet.base.errors import UserError
from meanfleet.base.files import writable_folder, write_json
from meanfleet.ros.conversions import read_diagnostics
from meanfleet.ros.node import DIAGNOSTICS, Signals, WorkingNode, run
from meanfleet.solver.bundle.loading import load_policies

from .record import LOG, RunRecord
from .summary import summarise

WAIT = 0.1  # [s, wall]
LONGEST = 80  # characters of a name that is repeated
LINES = 10  # ticks between two lines where there is no terminal


class MonitorNode(WorkingNode):
    """Thin: the record is `RunRecord`, the summary `summarise`."""

    def __init__(self, stopped: Signals) -> None:
        super().__init__("monitor")
        self.config = self.configuration()
        policy = self.parameter("policy", "")
        self.bundle = load_policies(policy, self.config) if policy else None
        self.duration = float(self.parameter("duration", 0.0))
        out = self.parameter("out", "")
        self.out = writable_folder(out) if out else None
        self.log: IO[str] | None = open(self.out / LOG, "w", buffering=1) if self.out else None  # noqa: SIM115
        self.record = RunRecord()
        self.listen(DiagnosticArray, "diagnostics", self._store, DIAGNOSTICS)
        self.shown = False

    def _store(self, message: Any) -> None:
        for name, _, values in read_diagnostics(message):
            before = self.record.unreadable
            tick = self.record.add(name, values)
            if self.record.unreadable > before:
                self._complain(name)
                continue
            self._write({"name": name, "values": values})
            if tick:
                self._show(values)

    def _complain(self, name: str) -> None:
        count = self.record.unreadable
        if count == 10 ** (len(str(count)) - 1):
            self.get_logger().warning(
                f"a status of '{name[:LONGEST]}' in diagnostics is not one of this version of meanfleet and is left "
                f"out ({count} so far): 'ros2 topic info -v' says who publishes it"
            )

    def _write(self, entry: dict[str, Any]) -> None:
        """A line of the log; when the disk fails the log ends, and the run goes on."""
        if self.log is None:
            return
        try:
            self.log.write(json.dumps(entry) + "\n")
        except OSError as error:
            text = f"monitor: {self.log.name} ends here ({error.strerror}): make room and start the run again for a log"
            print(text, file=sys.stderr, flush=True)
            self._close_log()

    def _close_log(self) -> None:
        if self.log is not None:
            with contextlib.suppress(OSError):  # told when it was written
                self.log.close()
            self.log = None

    def work(self) -> float:
        """End the run when its time is up: after the last tick's robots have acted."""
        ticks = self.record.ticks
        if self.duration and ticks and self.ros_time() >= ticks[0]["stamp"] + self.duration:
            raise SystemExit(0)
        return WAIT

    def _show(self, tick: dict[str, Any]) -> None:
        factor = f"{self.record.world[-1]['real_time_factor']:.1f}" if self.record.world else "-"
        line = (
            f"tick {tick['tick']:4d}  priority {tick['priority']:<12} "
            f"{tick['answered']}/{tick['k']} answered in {1e3 * tick['gather_seconds']:3.0f} ms  {factor} x real time"
        )
        if sys.stdout.isatty():
            print(f"\r\033[K{line}", end="", flush=True)
            self.shown = True
        elif tick["tick"] % LINES == 0:
            print(line, flush=True)

    def finish(self) -> None:
        """Write the summary."""
        if self.shown:
            print()
        if not hasattr(self, "log") or self.out is None:
            return
        self._close_log()
        try:
            write_json(self.out / "summary.json", summarise(self.record, self.config, self.bundle))
        except UserError as error:
            print(f"monitor: no summary: {error}", file=sys.stderr)


def main() -> None:
    """Entry point of `ros2 run meanfleet monitor`."""
    sys.exit(run(MonitorNode))


if __name__ == "__main__":
    main()
