"""Section `safety`: who may move robots, and when."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from .sections import NonNegative, Positive, Section


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
