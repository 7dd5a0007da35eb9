"""The configuration of the continuous warehouse: its model, the finite game made of it, the learner, the evaluation.

What runs policies takes it as a `Config` whose zones are the bins (`ContinuousConfig.deployed`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from .config import Config, DispatcherConfig, SafetyConfig, WorldConfig
from .errors import UserError
from .fleet_config import FleetConfig
from .floor_config import FramesConfig
from .kinds import LINE, take
from .line_config import LineConfig, TracksConfig
from .robot_config import RobotConfig
from .sections import NonNegative, Positive, Section, first_complaint
from .yaml_files import read_yaml

DEPLOYED = ("fleet", "dispatcher", "robot", "safety", "world", "frames")
"""Keys that mean what they mean for a warehouse with zones."""


class BinsConfig(Section):
    """Bins as zones, through the exact solver."""

    kappa: int = Field(20, ge=1, description="κ: robots of the system that is solved")
    rho: float = Field(1.0, gt=0, le=1, description="share of the belief that survives a tick")
    slack: NonNegative = Field(0.075, description="robots go towards s_g while they are further away than this")
    fleets: int = Field(400, ge=1, description="simulated to count transitions")
    horizon: int = Field(50, ge=1, description="[ticks] of each of them")
    stay: float = Field(12.0, ge=1, description="[ticks] between two changes of the target, on average")


class LearningConfig(Section):
    """Alternating best responses by gradients."""

    algorithm: Literal["trpo", "ppo", "a2c"] = Field("trpo", description="how robots learn")
    alternations: int = Field(10, ge=1, description="each: the dispatcher, then the robots")
    runs: int = Field(3, ge=1, description="trained per k from different weights; the best in a first evaluation stays")
    hidden: int = Field(64, ge=1, description="units of each of the two layers")
    learning_rate: Positive = Field(0.003, description="of Adam")
    clip: Positive = Field(1.0, description="norm to which Adam's gradients are clipped")
    samples: int = Field(3000, ge=1, description="m: fleets shown to the dispatcher per alternation")
    dispatcher_steps: int = Field(20, ge=1, description="of Adam per alternation")
    episodes: int = Field(120, ge=1, description="fleets simulated per alternation")
    horizon: int = Field(40, ge=1, description="[ticks] of an episode")
    learners: int = Field(1, ge=1, description="robots per fleet whose experience counts")
    radius: Positive = Field(0.01, description="KL divergence of a step of TRPO")
    damping: NonNegative = Field(0.1, description="added to the Fisher matrix")
    conjugate_steps: int = Field(10, ge=1, description="of conjugate gradients")
    halvings: int = Field(10, ge=1, description="step lengths tried")
    robot_steps: int = Field(5, ge=1, description="steps of Adam: of the critic, under ppo and a2c of the policy too")
    value_weight: NonNegative = Field(0.5, description="of the critic's loss")
    entropy_weight: NonNegative = Field(0.01, description="of the entropy bonus, ppo and a2c")
    ratio_clip: Positive = Field(0.2, description="ppo")


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
            tracks=tracks,
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
        take(path, data, LINE)
        try:
            config = cls(**data)
            config.deployed(Path(path))
        except ValidationError as error:
            raise UserError(f"{path}: {first_complaint(error, cls)}") from None
        return config
