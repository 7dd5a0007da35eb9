"""The configuration: one YAML file, read and validated here as a whole, handed on as frozen objects.

Every error names the file and the key's path; a mistyped key names the one that was probably meant.
Units stand in the field descriptions and, as comments, in the files under `config/`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from .dynamics_config import DynamicsConfig
from .errors import UserError, suggestion
from .fleet_config import FleetConfig
from .floor_config import FloorConfig, FramesConfig
from .kinds import LINE, WAREHOUSE, take
from .line_config import TracksConfig
from .robot_config import GoalWay, PoseSource, RobotConfig, goal_way, pose_source, priority_timeout
from .sections import Finite, Name, NonNegative, Positive, Section, first_complaint
from .type_config import TypeConfig, counts_of, interaction_weights, merged
from .yaml_files import read_yaml
from .zone_graph import RING_MOVES, ZoneGraph, ZoneGraphError


class GlobalTransition(Section):
    """P_g = softmax over s' of base + target·1[s' = a_g] + stay·1[s' = s_g] (the paper's Appendix G.1)."""

    base: Finite = Field(0.1, description="logit of every priority")
    target: Finite = Field(3.0, description="logit added for the dispatch")
    stay: Finite = Field(0.5, description="logit added for the present priority")


class LocalTransition(Section):
    """P_l = softmax over s' of base + stay·1[s'=z] + move·1[s'=δ(z, a), a≠stay] + priority·1[s'=s_g] (math.md §1).

    δ(z, a) is the zone that the move leads to: on a ring z + (0, +1, −1)[a].
    """

    base: Finite = Field(0.1, description="logit of every zone")
    stay: Finite = Field(3.5, description="logit added for the present zone")
    move: Finite = Field(1.5, description="logit added for the zone that the move leads to")
    priority: Finite = Field(0.3, description="logit added for the zone that has priority")


class CountedTransition(Section):
    """P_l or P_g from counted transitions (`meanfleet count`, `meanfleet fit`), plus `prior` per cell."""

    counted: str = Field(description="file of counts, relative to the configuration")
    prior: NonNegative = Field(0.5, description="Dirichlet weight added to every cell of the counts")


class MoveReward(Section):
    """What moves earn on a graph of zones: staying, driving, and ways with a reward of their own."""

    stay: Finite = Field(0.0, description="added for staying")
    drive: Finite = Field(0.0, description="added for a move to another zone")
    ways: dict[str, dict[str, Finite]] = Field({}, description="{zone: {neighbour: reward}} in the place of drive")


class LocalReward(Section):
    """r_l = (same_zone if z = s_g else other_zone/(1 + moves of the shortest way)) + move[a]."""

    same_zone: Finite = Field(10.0, description="per tick in the zone that has priority")
    other_zone: Finite = Field(2.0, description="per tick elsewhere, divided by 1 + moves of the shortest way")
    move: tuple[Finite, ...] | MoveReward | None = Field(
        None, description="by move: stay, next, previous; on a graph {stay, drive, ways}; None: the paper's, or 0"
    )

    @field_validator("move", mode="before")
    @classmethod
    def _which_move(cls, value: Any) -> Any:
        return MoveReward(**value) if isinstance(value, dict) else value


class GameConfig(Section):
    """The game to solve: the warehouse by its parameters, or any finite game in an .npz file."""

    file: str | None = Field(
        None, description=".npz: P_g, P_l, r_g, r_l, discount[, start_priority, start_concentration]"
    )
    discount: float = Field(0.95, ge=0, lt=1)
    P_g: GlobalTransition | CountedTransition = GlobalTransition()
    P_l: LocalTransition | CountedTransition = LocalTransition()
    r_g: Finite = 1.0
    r_l: LocalReward = LocalReward()
    start: Positive = Field(0.3, description="Dirichlet concentration per zone of the fleet at the start")

    @field_validator("P_g", mode="before")
    @classmethod
    def _which_steering(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return CountedTransition(**value) if "counted" in value else GlobalTransition(**value)
        return value

    @field_validator("P_l", mode="before")
    @classmethod
    def _which_transition(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return CountedTransition(**value) if "counted" in value else LocalTransition(**value)
        return value


class DispatcherConfig(Section):
    """How the dispatcher polls and decides. Times in [s]."""

    k: int = Field(10, ge=1)
    tick: Positive = Field(1.0, description="[s, ROS time]")
    gather_timeout: Positive = Field(0.5, description="[s, wall time]")
    max_age: Positive = Field(2.0, description="[s, ROS time]")
    priority_dynamics: Literal["model", "direct"] = "model"
    observer: Literal["memoryless", "dirichlet", "particle"] = "memoryless"
    rho: float | None = Field(None, gt=0, le=1, description="of the belief that survives a tick; None: the bundle's")
    particles: int = Field(1000, ge=2, le=1_000_000)
    sampling: Literal["uniform", "oldest", "stratified", "nearest", "weighted", "graphon"] = "uniform"
    position: tuple[Finite, Finite] | None = Field(None, description="[m] x, y: sampling nearest polls nearest to it")
    probabilities: dict[str, NonNegative] = Field({}, description="of robots in sampling weighted, relative; others 1")
    polls_per_minute: Positive | None = Field(None, description="[1/min, ROS time] instead of k; None: k counts")

    @model_validator(mode="after")
    def _design_is_whole(self) -> Self:
        if self.sampling == "nearest" and self.position is None:
            raise ValueError("sampling: nearest needs 'position', [x, y] in [m]")
        if self.sampling == "weighted" and not self.probabilities:
            raise ValueError("sampling: weighted needs 'probabilities' of some robots")
        return self


class SafetyConfig(Section):
    """Who may move robots, and when. Times in [s, ROS time]."""

    mode: Literal["shadow", "advise", "run"] = "run"
    confirm_for: Positive | None = Field(None, description="[s] a confirm lasts; None: as long as the priority stays")
    min_hold: NonNegative = Field(0.0, description="[s] a priority stays at least")
    exclude: tuple[str, ...] = Field((), description="robots that are neither polled nor sent goals")
    battery_low: float | None = Field(None, gt=0, lt=1, description="share below which a robot is out of service")
    battery_back: float | None = Field(None, gt=0, le=1, description="share with which it is back; None: low + 0.1")
    battery_topic: str = Field("battery_state", description="<robot>/…, sensor_msgs/BatteryState")

    @model_validator(mode="after")
    def _back_is_above_low(self) -> Self:
        if self.battery_back is not None and self.battery_back < (self.battery_low or 0.0):
            raise ValueError("battery_back must be at least battery_low, or robots come and go")
        return self


class LayoutConfig(Section):
    """The ring warehouse: slots in rows, a one-way lane on either side of each row. Lengths in [m]."""

    rows: int = Field(10, ge=1)
    slot_pitch: Positive = Field(0.55, description="[m] between slots of the innermost row, along it")
    lane_offset: Positive = Field(0.5, description="[m] from a row to the lanes on either side")
    aisle: Positive = Field(1.5, description="[m] free arc between two pads at the innermost row")
    robot_radius: Positive = Field(0.18, description="[m]")
    robot_height: Positive = Field(0.2, description="[m]")

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.slot_pitch <= 2 * self.robot_radius:
            raise ValueError("slot_pitch must exceed the robot's diameter")
        if self.lane_offset <= 2 * self.robot_radius:
            raise ValueError("lane_offset must exceed the robot's diameter, or parked robots block the lanes")
        return self


class WorldConfig(Section):
    """The simulated warehouse. Rates in [Hz], speeds in [m/s]."""

    backend: Literal["bullet", "kinematic", "model"] = "bullet"
    layout: LayoutConfig = LayoutConfig()
    step: Positive = Field(0.05, description="[s] physics step")
    speed: Positive = Field(2.0, description="[m/s]")
    acceleration: Positive = Field(2.0, description="[m/s²]")
    odom_rate: Positive = Field(2.0, description="[Hz, simulated time] of robots that move")
    clock_rate: Positive = Field(20.0, description="[Hz, simulated time]")
    real_time_factor: NonNegative = Field(1.0, description="0 = as fast as possible")


class SolverConfig(Section):
    """How `meanfleet solve` works by default."""

    tolerance: Positive = Field(
        1e-7, description="certified width of the value interval, as a share of the range of one tick's reward"
    )
    alternations: int = Field(10, ge=1)
    starts: tuple[Literal["uniform", "shortest", "random"], ...] = Field(
        ("uniform", "shortest", "random"), min_length=1, description="policies of the robots to start from"
    )
    eta: NonNegative = Field(0.0, description="UPDATE's tolerance: an improvement must exceed it")
    kappa: int = Field(20, ge=0, le=100, description="robots of the system that tables for fewer derive from; 0: none")
    rollouts: int = Field(4000, ge=250, description="of n robots, per candidate at most, to choose what runs them best")
    filtering: bool = Field(True, description="also find what a dispatcher that remembers decides with; needs kappa")
    rho: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (1.0, 0.98, 0.95, 0.9), min_length=1, description="shares of the belief kept per tick, to choose from"
    )
    observer: Literal["memoryless", "dirichlet"] | None = Field(
        None, description="the dispatcher whose return chooses the robots' policy; None: as dispatcher.observer"
    )

    def for_observer(self, observer: str | None) -> SolverConfig:
        """The same settings with the robots' policy chosen for another dispatcher (None: unchanged).

        Raises:
            UserError: unknown, or not possible with the other settings.
        """
        if observer is None:
            return self
        if observer not in ("memoryless", "dirichlet"):
            raise UserError(f"observer {observer!r} is unknown: expected memoryless or dirichlet")
        if observer == "dirichlet" and not (self.filtering and self.kappa):
            raise UserError("observer dirichlet needs solver.filtering and solver.kappa > 0 in the configuration")
        return self.model_copy(update={"observer": observer})

    @model_validator(mode="after")
    def _belief_for_observer(self) -> Self:
        if self.observer == "dirichlet" and not (self.filtering and self.kappa):
            raise ValueError("observer: dirichlet needs filtering and kappa > 0")
        return self


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
    tracks: TracksConfig | None = Field(None, exclude=True, repr=False, description="from 'line': zones are its bins")
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

    def require_zones(self, what: str) -> None:
        """Raise UserError if robots are on a line, which `what` does not know."""
        if self.tracks is not None:
            raise UserError(
                f"{self.source} has robots on a line, and {what}: 'meanfleet continuous' solves such fleets"
            )

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
        if take(path, data, WAREHOUSE, LINE) is LINE:
            from .continuous_config import ContinuousConfig  # which is made of parts of this one

            return ContinuousConfig.from_yaml(path).deployed(Path(path))
        for key in ("source", "floor", "tracks"):  # which only the program sets
            if key in data:
                raise UserError(f"{path}: unknown key {key!r}")
        try:
            return cls(**data, source=Path(path))
        except ValidationError as error:
            raise UserError(f"{path}: {first_complaint(error, cls)}") from None
        except TypeError as error:
            raise UserError(f"{path}: {error}") from None
