"""The configuration of the continuous warehouse: its model, the finite game made of it, the learner, the evaluation.

What runs policies takes it as a `Config` whose zones are the bins (`ContinuousConfig.deployed`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from meanfleet.base.errors import UserError
from meanfleet.base.yaml_files import read_yaml
from meanfleet.config import Config
from meanfleet.config.dispatcher import DispatcherConfig
from meanfleet.config.fleet import FleetConfig
from meanfleet.config.floor import FramesConfig
from meanfleet.config.kinds import take
from meanfleet.config.line import BinsConfig, LearningConfig, LineConfig, TracksConfig
from meanfleet.config.robot import RobotConfig
from meanfleet.config.safety import SafetyConfig
from meanfleet.config.sections import Section, first_complaint
from meanfleet.config.world import WorldConfig

from . import KIND

DEPLOYED = ("fleet", "dispatcher", "robot", "safety", "world", "frames")
"""Keys that mean what they mean for a warehouse with zones."""


class EvaluationConfig(Section):
    """What returns are measured on."""

    horizon: int = Field(50, ge=1, description="[ticks]")
    rollouts: int = Field(600, ge=2, description="fleets")


class ContinuousConfig(Section):
    """The whole file."""

    line: LineConfig = LineConfig()
    bins: BinsConfig = BinsConfig()
    learning: LearningConfig = LearningConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    polled: tuple[int, ...] = Field((1, 5, 75), min_length=1, description="k: robots polled per tick")
    tracks: TracksConfig = TracksConfig()
    fleet: FleetConfig | None = Field(None, description="names; None: line.robots of them, robot_0 and so on")
    dispatcher: DispatcherConfig = DispatcherConfig(k=5, observer="dirichlet")
    robot: RobotConfig = RobotConfig()
    safety: SafetyConfig = SafetyConfig()
    world: WorldConfig = WorldConfig(odom_rate=4.0)
    frames: FramesConfig = FramesConfig()

    @field_validator("tracks", mode="before")
    @classmethod
    def _line_is_told_once(cls, value: Any) -> Any:
        if isinstance(value, dict) and "line" in value:
            raise ValueError("unknown key 'line': it stands at the top level")
        return value

    @model_validator(mode="after")
    def _fleet_is_large_enough(self) -> Self:
        if min(self.polled) < 1 or max(self.polled) > self.line.robots:
            raise ValueError(f"polled: expected numbers from 1 to line.robots = {self.line.robots}")
        if self.learning.learners > self.line.robots:
            raise ValueError("learning: more learners than line.robots")
        return self

    @model_validator(mode="after")
    def _deployable(self) -> Self:
        if self.tracks.pitch <= 2 * self.world.layout.robot_radius:
            raise ValueError("tracks.pitch must exceed the robot's diameter")
        if self.world.backend == "kinematic":
            raise ValueError("world.backend: robots on a line have the backends bullet and model")
        if self.safety.mode == "advise" and self.safety.confirm_for is None:
            raise ValueError(
                "safety: the priority on a line is new at every tick, so mode advise needs 'confirm_for', "
                "or every tick would have to be confirmed"
            )
        return self

    def deployed(self, source: Path) -> Config:
        """What nodes and worlds are run by: bins as zones, each next to its neighbours.

        Raises:
            ValidationError: fleet, dispatcher, robot and safety do not fit together.
        """
        tracks = self.tracks.model_copy(update={"line": self.line})
        names = tracks.bins
        return Config(
            zones=names,
            graph={name: (*names[max(i - 1, 0) : i], *names[i + 1 : i + 2]) for i, name in enumerate(names)},
            family="line",
            own=tracks,
            source=source,
            **{key: getattr(self, key) for key in DEPLOYED} | {"fleet": self.fleet or self._numbered()},
        )

    def _numbered(self) -> FleetConfig:
        return FleetConfig(prefix="robot_", count=self.line.robots)

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str]) -> ContinuousConfig:
        """Read and validate a configuration.

        Raises:
            UserError: the file cannot be read, is not YAML, or a key is unknown or out of range.
        """
        data = read_yaml(path)
        take(path, data, KIND)
        return cls.of_data(Path(path), data)

    @classmethod
    def of_data(cls, path: Path, data: dict[str, Any]) -> ContinuousConfig:
        """As `from_yaml`, of a file's content."""
        try:
            config = cls(**data)
            config.deployed(path)
        except ValidationError as error:
            raise UserError(f"{path}: {first_complaint(error, cls)}") from None
        return config
