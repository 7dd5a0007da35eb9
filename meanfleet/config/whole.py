"""The configuration: one YAML file, read and validated here as a whole, handed on as frozen objects.

Every error names the file and the key's path; a mistyped key names the one that was probably meant.
Units stand in the field descriptions and, as comments, in the files under `config/`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from meanfleet.base.errors import UserError, suggestion
from meanfleet.base.yaml_files import read_yaml
from meanfleet.space.zone_graph import RING_MOVES, ZoneGraph, ZoneGraphError

from .dispatcher import DispatcherConfig
from .dynamics import DynamicsConfig
from .families import ZONES, Kind, family, kind, names
from .fleet import FleetConfig
from .floor import FloorConfig, FramesConfig
from .game import GameConfig, MoveReward
from .kinds import take
from .robot import GoalWay, PoseSource, RobotConfig, goal_way, pose_source, priority_timeout
from .safety import SafetyConfig
from .sections import Name, Positive, Section, first_complaint
from .solver import SolverConfig
from .types import TypeConfig, counts_of, interaction_weights, merged
from .world import WorldConfig


class Config(Section):
    """Everything: zones, ways between them, fleet, game, dispatcher, robots, safety, world, solver, learners."""

    zones: tuple[Name, ...] = Field(min_length=1)
    graph: dict[str, tuple[str, ...]] | None = Field(None, description="{zone: [neighbours]}; None: zones form a ring")
    fleet: FleetConfig
    game: GameConfig = GameConfig()
    types: dict[Name, TypeConfig] = Field({}, description="types of robots by name; none: all robots are alike")
    interactions: dict[str, dict[str, Positive]] = Field(
        {}, description="{zone: {type: weight}}: what a robot counts while the zone has priority, relative; others 1"
    )
    dispatcher: DispatcherConfig = DispatcherConfig()
    robot: RobotConfig = RobotConfig()
    safety: SafetyConfig = SafetyConfig()
    world: WorldConfig = WorldConfig()
    solver: SolverConfig = SolverConfig()
    frames: FramesConfig = FramesConfig()
    floor: FloorConfig | None = Field(None, exclude=True, repr=False, description="from 'zones' with polygons")
    family: str = Field(ZONES, exclude=True, repr=False, description="by the file's keys: meanfleet/families")
    own: Any = Field(None, exclude=True, repr=False, description="what the family alone knows of")
    dynamics: DynamicsConfig | None = None
    source: Path = Field(Path("<memory>"), exclude=True, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _measured_zones(cls, data: Any) -> Any:
        """Zones given as mappings: their names stay in `zones`, the rest becomes `floor`."""
        zones = data.get("zones") if isinstance(data, dict) else None
        if not isinstance(zones, list) or not any(isinstance(zone, dict) for zone in zones):
            return data
        if not all(isinstance(zone, dict) for zone in zones):
            raise ValueError("key 'zones': either all zones are names, or all are mappings with polygon and slots")
        try:
            floor = FloorConfig(zones=tuple(zones))
        except ValidationError as error:
            raise ValueError(first_complaint(error, FloorConfig)) from None
        if floor.ways is None:
            return data | {"zones": floor.names, "floor": floor}
        if "graph" in data:
            raise ValueError("key 'graph': the zones name their neighbours already, so leave one of the two out")
        return data | {"zones": floor.names, "floor": floor, "graph": floor.ways}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.zones)) < len(self.zones):
            raise ValueError("zones: names must differ")
        self._check_graph()
        self._check_types()
        if self.robot.heartbeat > self.dispatcher.max_age / 2:
            raise ValueError(
                f"robot.heartbeat: {self.robot.heartbeat} s is more than half of dispatcher.max_age "
                f"({self.dispatcher.max_age} s), so samples of healthy robots would be dropped as stale"
            )
        priority_timeout(self.robot, self.dispatcher.tick)
        for key, named in (
            ("dispatcher.probabilities", self.dispatcher.probabilities),
            ("safety.exclude", self.safety.exclude),
        ):
            strangers = [name for name in named if name not in set(self.robots)]
            if strangers:
                raise ValueError(f"{key}: {strangers[0]!r} is not in the fleet{suggestion(strangers[0], self.robots)}")
        if self.dispatcher.probabilities and not any(
            self.dispatcher.probabilities.get(name, 1.0) > 0 for name in self.robots
        ):
            raise ValueError("dispatcher.probabilities: every robot's is 0, so nobody would ever be polled")
        self._check_slots()
        return self

    def _check_slots(self) -> None:
        owner: dict[int, str] = {}
        for name, slot in zip(self.robots, self.slots, strict=True):
            if slot in owner:
                raise ValueError(
                    f"fleet.overrides: robots {owner[slot]} and {name} both have slot {slot}: "
                    "give both of them one (a robot without an override has the slot of its place in the fleet)"
                )
            owner[slot] = name
        if self.floor is not None:
            self.floor.check_room(self.slots)
            self.floor.check_margin(self.robot.zone_margin)

    def _check_graph(self) -> None:
        key, spec = "graph", self.game.r_l.move
        try:
            graph = self.zone_graph
            key = "game.r_l.move"
            if isinstance(spec, MoveReward):
                graph.check_ways(self.zones, spec.ways)
        except ZoneGraphError as error:
            raise ValueError(f"key '{key}': {error}") from None
        if isinstance(spec, tuple) and len(spec) != graph.moves:
            raise ValueError(
                f"key '{key}': {len(spec)} rewards for {graph.moves} moves: "
                + (f"give {', '.join(RING_MOVES)}" if graph.is_ring else "give {stay: …, drive: …}, or one per move")
            )

    def _check_types(self) -> None:
        if self.types and self.game.file is not None:
            raise ValueError("types: a game from a file has its types in its arrays, so leave one of the two out")
        for name in self.types:
            try:
                GameConfig(**merged(self.game.model_dump(), self.types[name]))
            except ValidationError as error:
                raise ValueError(f"types.{name}: {first_complaint(error, GameConfig)}") from None
        interaction_weights(self.interactions, self.zones, tuple(self.types))
        if self.dispatcher.sampling == "graphon" and not self.interactions:
            raise ValueError("dispatcher.sampling: graphon needs the key 'interactions': {zone: {type: weight}}")

    def of_type(self, name: str) -> Config:
        """The same configuration of a fleet in which all robots are of that type."""
        return self.model_copy(
            update={
                "game": GameConfig(**merged(self.game.model_dump(), self.types[name])),
                "types": {},
                "interactions": {},
            }
        )

    @property
    def type_of(self) -> tuple[int, ...]:
        """Index of every robot's type; all 0 where there are no types."""
        counts = counts_of([own.share for own in self.types.values()], len(self.robots)) if self.types else ()
        return tuple(i for i, count in enumerate(counts) for _ in range(count)) or (0,) * len(self.robots)

    @property
    def interaction_weights(self) -> tuple[tuple[float, ...], ...]:
        """What a robot of every type matters to every zone, [zone][type]."""
        return interaction_weights(self.interactions, self.zones, tuple(self.types))

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the game's states: the zones, or with types of robots type/zone."""
        return tuple(f"{kind}/{zone}" for kind in self.types for zone in self.zones) or self.zones

    @property
    def state_graph(self) -> ZoneGraph:
        """Where moves lead from (type, zone), in the order of the game's states: a copy of the zones per type."""
        return self.zone_graph.copied(max(len(self.types), 1))

    @property
    def zone_graph(self) -> ZoneGraph:
        """Where moves lead: on `graph`, or on the ring that the zones form in their order."""
        if self.graph is None:
            return ZoneGraph.ring(len(self.zones))
        return ZoneGraph.from_neighbours(self.zones, self.graph)

    @property
    def robots(self) -> tuple[str, ...]:
        """Names of all robots."""
        return self.fleet.robots

    def solving(self, observer: str | None = None) -> SolverConfig:
        """How to solve for the dispatcher that will run: the one given, else the solver's, else `dispatcher.observer`.

        Raises:
            UserError: unknown, or not possible with the other settings.
        """
        solver, wanted = self.solver, observer or self.solver.observer
        if wanted is None:
            remembers = self.dispatcher.observer != "memoryless" and solver.filtering and solver.kappa > 0
            wanted = "dirichlet" if remembers else "memoryless"
        return solver.for_observer(wanted)

    def with_robots(self, n: int | None) -> Config:
        """The same configuration for n robots (None: unchanged)."""
        if n is None:
            return self
        resized = self.model_copy(update={"fleet": self.fleet.resized(n)})
        try:
            resized._check_slots()
        except ValueError as error:
            raise UserError(f"{self.source}, with {n} robots: {error}") from None
        return resized

    @property
    def slots(self) -> tuple[int, ...]:
        """Index of every robot's slot in every zone: its place in the fleet unless an override says another."""
        own = self.fleet.overrides
        given = [own[name].slot if name in own else None for name in self.robots]
        return tuple(i if slot is None else slot for i, slot in enumerate(given))

    @property
    def priority_timeout(self) -> float:
        """[s, ROS time] without a priority after which robots hold."""
        return priority_timeout(self.robot, self.dispatcher.tick)

    def pose_source(self, name: str) -> PoseSource:
        """Where a robot's pose comes from."""
        return pose_source(name, self.robot, self.fleet.overrides.get(name))

    def goal_way(self, name: str) -> GoalWay:
        """How a robot is sent its goals: by topic or by action."""
        return goal_way(self.robot, self.fleet.overrides.get(name))

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str]) -> Config:
        """Read and validate a configuration.

        Raises:
            UserError: the file cannot be read, is not YAML, or a key is unknown, missing or out of range.
        """
        data = read_yaml(path)
        families: dict[Kind, str] = {kind(name): name for name in names()}
        config: Config = family(families[take(path, data, *families)]).read(Path(path), data)
        return config

    @classmethod
    def of_zones(cls, path: Path, data: dict[str, Any], family: str = ZONES) -> Config:
        """The configuration of robots in zones in a file's content; `family` is whose it is.

        Raises:
            UserError: a key is unknown, missing or out of range.
        """
        for key in ("source", "floor", "family", "own"):  # which only the program sets
            if key in data:
                raise UserError(f"{path}: unknown key {key!r}")
        try:
            return cls(**data, source=path, family=family)
        except ValidationError as error:
            raise UserError(f"{path}: {first_complaint(error, cls)}") from None
        except TypeError as error:
            raise UserError(f"{path}: {error}") from None
