"""A fleet file, stand-ins for its robots, and their logs."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from processes import ROOT, Processes

from meanfleet.config import Config
from meanfleet.floors.floor import floor_of

EXAMPLE = ROOT / "config" / "fleet.example.yaml"


class StandIns:
    """The robots of a fleet file as processes without any part of the product.

    Args:
        processes: starts them on a domain of this test.
        changes: sections of the example's configuration with keys that are different.
        factor: simulated seconds per second of wall time.
    """

    def __init__(self, processes: Processes, changes: Mapping[str, Mapping[str, Any]], factor: float) -> None:
        self.processes, self.factor = processes, factor
        content = copy.deepcopy(yaml.safe_load(EXAMPLE.read_text()))
        for section, values in changes.items():
            content[section] |= values
        self.content = content
        self.path = processes.folder / "fleet.yaml"
        self.path.write_text(yaml.safe_dump(content))
        self.config = Config.from_yaml(self.path)
        self.slots = floor_of(self.config).slots

    def simulated(self) -> Path:
        """The same fleet and game with the ring warehouse in the place of the real floor."""
        content = copy.deepcopy(self.content)
        content["zones"] = list(self.config.zones)
        content["fleet"] = {"prefix": "amr_", "count": len(self.config.robots)}
        content["robot"] = {"heartbeat": content["robot"]["heartbeat"], "priority_timeout": 60.0}
        content["world"] = {"backend": "kinematic", "real_time_factor": self.factor}
        del content["frames"]
        path = self.processes.folder / "warehouse.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    def start(
        self,
        flaws: Mapping[str, Mapping[str, Any]],
        speed: float = 2.0,
        scripts: Mapping[str, Sequence[str]] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a process per robot, parked in its slot of one zone after another, and the clock.

        Args:
            flaws: by robot; "" for those not named.
            speed: [m/s].
            scripts: what becomes of the first goals of robots that take them as an action, by robot.
        """
        tracked = self.content["frames"]["static"]["tracker"]
        robots = {
            name: {
                "start": self.slots[i, i % len(self.config.zones)].tolist(),
                "speed": speed,
                "flaws": dict(flaws.get(name, flaws.get("", {}))),
                "seed": i,
                "script": (scripts or {}).get(name),
                "tracked": tracked if self.config.pose_source(name).topic.startswith("/tracker") else None,
            }
            for i, name in enumerate(self.config.robots)
        }
        path = self.processes.folder / "robots.json"
        path.write_text(json.dumps({"robots": robots, "factor": self.factor}))
        search = [self.processes.environment["PYTHONPATH"], str(ROOT / "test")]
        self.processes.environment |= {"PYTHONPATH": os.pathsep.join(search)}
        return self.processes.module("standin.robots", str(path))

    def log(self, robot: str) -> list[dict[str, Any]]:
        """What a robot has told so far."""
        path = self.processes.folder / f"{robot}.jsonl"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    def goals(self, robot: str) -> list[dict[str, Any]]:
        """The goals a robot has received, taken or rejected."""
        return [entry for entry in self.log(robot) if entry["what"] == "goal"]

    def goal_zone(self, robot: str, goal: list[float]) -> int | None:
        """The zone whose slot of this robot a goal is; None if it is none of them."""
        index = self.config.robots.index(robot)
        for zone, slot in enumerate(self.slots[index].tolist()):
            if max(abs(a - b) for a, b in zip(goal[:2], slot[:2], strict=True)) < 1e-6:
                return zone
        return None
