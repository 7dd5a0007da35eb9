"""The part of a configuration about robots on a line: its model, and the tracks that stand for it on the floor."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from .sections import Finite, NonNegative, Positive, Section


class LineConfig(Section):
    """A line of robots; lengths in its units, rewards per tick."""

    robots: int = Field(500, ge=1, description="n")
    discount: float = Field(0.95, ge=0, lt=1, description="γ per tick")
    limit: Positive = Field(2.0, description="places are clipped to ± this")
    targets: tuple[Finite, ...] = Field((-1.6, -0.8, 0.0, 0.8, 1.6), min_length=2, description="τ, ascending")
    moves: tuple[Finite, ...] = Field((0.0, 0.05, -0.05), min_length=1, description="δ per tick; move 0 stays")
    steering: float = Field(0.6, gt=0, le=1, description="share of the way to τ per tick")
    steering_noise: NonNegative = Field(0.08, description="standard deviation per tick")
    robot_noise: NonNegative = Field(0.04, description="standard deviation per tick")
    commitment: Finite = Field(5.0, description="r_g at τ")
    commitment_width: Positive = Field(0.3, description="σ of r_g")
    alignment: Finite = Field(10.0, description="r_l at s_g")
    alignment_width: Positive = Field(0.2, description="σ of r_l")
    effort: NonNegative = Field(5.0, description="cost of a move per length")
    majority: float = Field(0.55, gt=0, lt=1, description="share of the robots in the first cluster")
    cluster_width: NonNegative = Field(0.18, description="standard deviation of a cluster")
    start_range: Positive = Field(1.0, description="the first s_g is uniform within ± this")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if list(self.targets) != sorted(set(self.targets)) or max(map(abs, self.targets)) > self.limit:
            raise ValueError(f"line: targets must ascend within ± limit = {self.limit:g}")
        if self.moves[0] != 0:
            raise ValueError("line: the first of the moves must be 0, to stay")
        if self.start_range > self.limit:
            raise ValueError("line: start_range is beyond limit")
        return self


class TracksConfig(Section):
    """The line on a floor: every robot has a track of its own along x, side by side. Lengths in [m]."""

    unit: Positive = Field(1.0, description="[m] of floor for a length of 1 on the line")
    pitch: Positive = Field(0.5, description="[m] between two tracks")
    line: LineConfig = Field(LineConfig(), exclude=True, repr=False, description="from the key 'line'")

    @property
    def bins(self) -> tuple[str, ...]:
        """Names of the bins, which are the zones of such a floor."""
        return tuple(f"bin_{i}" for i in range(len(self.line.targets)))
