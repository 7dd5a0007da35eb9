"""The part of the configuration that names the robots."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from meanfleet.base.errors import UserError, suggestion

from .robot import RobotOverride
from .sections import Section

LARGEST = 100_000  # robots of a fleet, each with a name
LONGEST_NAME = 200  # letters: DDS takes 255 for a whole topic


class FleetConfig(Section):
    """Robot names: a list, or prefix and count."""

    names: tuple[str, ...] | None = Field(None, description="all names; or give prefix and count")
    prefix: str | None = Field(None, description="a robot's name is the prefix and its number")
    count: int | None = Field(None, ge=1, le=LARGEST, description="robots, numbered from 0")
    digits: int | None = Field(
        None, ge=1, le=9, description="of their numbers, at least: 3 for robot_007; None: as many as the last needs"
    )
    overrides: dict[str, RobotOverride] = Field({}, description="what is different for single robots, by name")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.names is None) == (self.prefix is None or self.count is None):
            raise ValueError("give either 'names', or 'prefix' and 'count'")
        if self.names is not None and self.digits is not None:
            raise ValueError("'digits' belongs to 'prefix' and 'count': leave it out beside 'names'")
        for name in self.robots:
            _check_name(name)
        if len(set(self.robots)) < len(self.robots):
            raise ValueError("robot names must differ")
        if not self.robots:
            raise ValueError("the fleet needs at least one robot")
        known = set(self.robots)
        for name in self.overrides:
            if name not in known:
                raise ValueError(f"overrides: {name!r} is not in the fleet{suggestion(name, self.robots)}")
        return self

    @property
    def robots(self) -> tuple[str, ...]:
        """Names of all robots, in order."""
        if self.names is not None:
            return self.names
        assert self.prefix is not None
        assert self.count is not None
        digits = self._digits(self.count)
        return tuple(f"{self.prefix}{i:0{digits}d}" for i in range(self.count))

    def _digits(self, count: int) -> int:
        return len(str(count - 1)) if self.digits is None else self.digits

    def resized(self, n: int) -> FleetConfig:
        """The same fleet with n robots: the first n of it, or more.

        Robots that are in both have the same names in both, so that a part of a fleet, or a bag of one, is that of the
        whole: of robot_00 to robot_99 the first five are robot_00 to robot_04, and the one after them is robot_100.
        """
        if self.names is not None:
            if n > len(self.names):
                raise UserError(f"n = {n}, but fleet.names lists {len(self.names)} robots: add names or lower n")
            smaller = FleetConfig(names=self.names[:n])
        else:
            assert self.count is not None
            if n > LARGEST:
                raise UserError(f"n = {n}: expected {LARGEST} robots at most")
            smaller = FleetConfig(prefix=self.prefix, count=n, digits=self._digits(self.count))
        there = set(smaller.robots)
        kept = {name: own for name, own in self.overrides.items() if name in there}
        return smaller.model_copy(update={"overrides": kept})


def _check_name(name: str) -> None:
    if len(name) > LONGEST_NAME:
        raise ValueError(f"robot name {name[:20]!r}… has {len(name)} letters: ROS topics take {LONGEST_NAME} at most")
    parts = name.split("/")
    if not all(
        part and part.replace("_", "a").isalnum() and part.isascii() and not part[0].isdigit() for part in parts
    ):
        raise ValueError(f"robot name {name!r} is no valid ROS name: letters, digits, '_' and '/', no leading digit")
