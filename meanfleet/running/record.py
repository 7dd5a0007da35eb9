"""The log of a run over ROS: what the nodes said in diagnostics, one JSON object per line, and its reading."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.config.families import family_of
from meanfleet.sim.trajectory import Trajectory
from meanfleet.solver.bundle.policy import PolicyBundle

from .reports import is_act, is_tick, is_world

LOG = "run.jsonl"


@dataclass
class RunRecord:
    """What was said, sorted by speaker.

    Attributes:
        ticks: the dispatcher's reports, one per tick.
        acts: what each robot process did at a tick's stamp, by stamp.
        world: the world's statuses, in order.
        unreadable: statuses that were not what their name claims.
    """

    ticks: list[dict[str, Any]] = field(default_factory=list)
    acts: dict[float, list[dict[str, Any]]] = field(default_factory=dict)
    world: list[dict[str, Any]] = field(default_factory=list)
    unreadable: int = 0

    def add(self, name: str, values: dict[str, Any]) -> bool:
        """Sort in one status; True if it was a tick of the dispatcher."""
        if name == "dispatcher" and is_tick(values):
            self.ticks.append(values)
            return True
        if name == "world" and is_world(values):
            self.world.append(values)
        elif name.startswith("robots ") and "moves" in values and is_act(values):
            self.acts.setdefault(values["stamp"], []).append(values)
        elif name in ("dispatcher", "world") or (name.startswith("robots ") and "moves" in values):
            self.unreadable += 1
        return False

    @classmethod
    def load(cls, folder: Path) -> RunRecord:
        """Read a run's log from its folder.

        Raises:
            UserError: there is none.
        """
        record = cls()
        try:
            lines = (folder / LOG).read_text().splitlines()
        except OSError as error:
            raise UserError(f"no log of a run in {folder}: {error.strerror}") from None
        for line in lines:
            try:
                entry = json.loads(line)
                record.add(entry["name"], entry["values"])
            except (ValueError, KeyError, TypeError):
                continue  # the last line of a run that was killed
        return record

    @staticmethod
    def _own(act: dict[str, Any], index: dict[str, int], config: Config) -> bool:
        moves = family_of(config).moves(config)
        return (
            index.keys() >= set(act["robots"])
            and max(act["zones"], default=0) < len(config.zones)
            and max(act["moves"], default=0) < moves
        )

    def trajectory(self, config: Config, bundle: PolicyBundle) -> Trajectory:
        """The ticks in which every robot acted, as a trajectory.

        Ticks and acts that name zones or robots of another fleet are left out. Zones are those the robots decided on;
        rewards follow from zones, moves, priority and dispatch, on a line from places.
        """
        index = {name: i for i, name in enumerate(config.robots)}
        zone_index = {name: i for i, name in enumerate(config.zones)}
        family = family_of(config)
        rows: list[tuple[Any, ...]] = []
        for tick in self.ticks:
            zones = np.full(len(index), -1)
            moves = np.zeros(len(index), dtype=np.int64)
            places = np.full(len(index), np.nan)
            for act in self.acts.get(tick["stamp"], []):
                if not self._own(act, index, config):
                    continue
                robots = [index[name] for name in act["robots"]]
                zones[robots], moves[robots], places[robots] = act["zones"], act["moves"], act.get("places", np.nan)
            if (zones < 0).any() or not {tick["priority"], tick["dispatch"]} <= zone_index.keys():
                continue
            priority, dispatch = zone_index[tick["priority"]], zone_index[tick["dispatch"]]
            s = priority if tick.get("place") is None else tick["place"]
            reward = family.reward(config, bundle, s, dispatch, zones, places, moves)
            if reward is None:
                continue
            rows.append((priority, dispatch, zones, moves, reward, len(tick["messages"])))
        if not rows:
            raise UserError("the run has no tick in which all robots acted: let it run longer")
        priority_, dispatch_, zones_, moves_, rewards, samples = map(np.array, zip(*rows, strict=True))
        statistics = self.world[-1]["statistics"] if self.world else {}
        return Trajectory(priority_, dispatch_, zones_, moves_, rewards, samples, statistics)
