"""Section `world`: the simulated warehouse."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from .sections import NonNegative, Positive, Section


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
