"""The part of the configuration that measures a real floor: zones as polygons with slots, and frames.

Checked here as a whole; every complaint names the key and, where it can, what would put it right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from meanfleet.base.errors import suggestion
from meanfleet.space import polygons

from .sections import Finite, Name, Section

SLOT_GAP = 0.25  # [m] Nav2's default goal tolerance: slots closer than this are one place to it

ROBOT = "{robot}"  # in a frame's name: the name of the robot whose pose it is


def frame_name(text: str) -> str:
    """The name without its leading slash, which is no part of it (as in tf2)."""
    return text.lstrip("/")


FrameName = Annotated[str, AfterValidator(frame_name), Field(min_length=1)]
Corner = tuple[Finite, Finite]
Pose = tuple[Finite, Finite, Finite]


class ZoneConfig(Section):
    """One zone. Lengths in [m], angles in [rad], all in the map frame."""

    name: Name
    polygon: tuple[Corner, ...] = Field(description="[m, m] corners in order, not crossing itself")
    slots: tuple[Pose, ...] = Field(description="[m, m, rad] where robots stand in this zone, one each")
    neighbours: tuple[Name, ...] | None = Field(
        None, description="by moves; None: the next and the previous in the list"
    )

    @property
    def corners(self) -> NDArray[np.float64]:
        """The polygon [corner, 2]."""
        return np.array(self.polygon, dtype=np.float64).reshape(-1, 2)

    @property
    def slot_poses(self) -> NDArray[np.float64]:
        """The slots [slot, 3]."""
        return np.array(self.slots, dtype=np.float64).reshape(-1, 3)


class FloorConfig(Section):
    """All zones of a real floor."""

    zones: Annotated[tuple[ZoneConfig, ...], Field(min_length=1)]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the zones, in order."""
        return tuple(zone.name for zone in self.zones)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len(set(self.names)) < len(self.names):
            raise ValueError("zones: names must differ")
        for check in (self._check_shapes, self._check_slots, self._check_neighbours):
            check()
        return self

    def _check_shapes(self) -> None:
        for i, zone in enumerate(self.zones):
            wrong = polygons.fault(zone.corners)
            if wrong:
                raise ValueError(f"key 'zones.{i}.polygon': the polygon of zone {zone.name} {wrong}")
        for i, zone in enumerate(self.zones):
            for before in self.zones[:i]:
                if polygons.overlap(before.corners, zone.corners):
                    raise ValueError(
                        f"key 'zones.{i}.polygon': the polygons of zones {before.name} and {zone.name} overlap: "
                        "a robot there would be in both; they may share a side at most"
                    )

    def _check_slots(self) -> None:
        taken: list[tuple[str, NDArray[np.float64]]] = []
        for i, zone in enumerate(self.zones):
            deep = polygons.depth(zone.corners, zone.slot_poses[:, :2])
            for j, pose in enumerate(zone.slot_poses):
                key, where = f"zones.{i}.slots.{j}", f"[{pose[0]:g}, {pose[1]:g}]"
                if deep[j] <= polygons.NEAR:
                    raise ValueError(f"key '{key}': the slot at {where} lies outside its zone {zone.name}")
                for other, spot in taken:
                    if np.linalg.norm(spot - pose[:2]) < SLOT_GAP:
                        raise ValueError(
                            f"key '{key}': the slot at {where} is less than {SLOT_GAP} m from {other}, "
                            "so two robots would be sent to one place"
                        )
                taken.append((f"slot {j} of zone {zone.name}", pose[:2]))

    def _check_neighbours(self) -> None:
        for i, zone in enumerate(self.zones):
            named = zone.neighbours or ()
            for name in named:
                if name not in self.names:
                    raise ValueError(f"key 'zones.{i}.neighbours': {name!r} is no zone{suggestion(name, self.names)}")
                if name == zone.name:
                    raise ValueError(f"key 'zones.{i}.neighbours': {name!r} is the zone itself")
            if len(set(named)) < len(named):
                raise ValueError(f"key 'zones.{i}.neighbours': a zone is named twice")

    @property
    def ways(self) -> dict[str, tuple[str, ...]] | None:
        """Neighbours of every zone, those of a ring where none are named; None if no zone names any."""
        if all(zone.neighbours is None for zone in self.zones):
            return None
        names, count = self.names, len(self.names)
        return {
            zone.name: (names[(i + 1) % count], names[i - 1]) if zone.neighbours is None else zone.neighbours
            for i, zone in enumerate(self.zones)
        }

    def check_room(self, slots: Sequence[int]) -> None:
        """Raise ValueError unless every zone has the slots of these indices, one per robot."""
        for i, zone in enumerate(self.zones):
            if len(zone.slots) <= max(slots):
                raise ValueError(
                    f"key 'zones.{i}.slots': zone {zone.name} has {len(zone.slots)} slots for {len(slots)} robots, of "
                    f"which one has slot {max(slots)}: every robot needs a slot of its own in every zone"
                )

    def check_margin(self, margin: float) -> None:
        """Raise ValueError unless every slot is deeper in its zone than the margin [m] of zone changes."""
        for i, zone in enumerate(self.zones):
            deep = polygons.depth(zone.corners, zone.slot_poses[:, :2])
            for j in np.flatnonzero(deep <= margin).tolist():
                raise ValueError(
                    f"key 'zones.{i}.slots.{j}': the slot is {deep[j]:.2f} m inside zone {zone.name}, no more than "
                    f"robot.zone_margin ({margin} m), so a robot parked there would not count as in the zone"
                )


class FramesConfig(Section):
    """Frames of poses. Moving transforms are not followed: a pose must come in the map frame or one fixed in it."""

    map: FrameName = Field("map", description="frame of polygons, slots and goals")
    static: dict[FrameName, Pose] = Field(
        {}, description="[m, m, rad] other frames' origins in the map frame, by frame id; {robot} is a robot's name"
    )

    @model_validator(mode="after")
    def _map_is_not_moved(self) -> Self:
        if ROBOT in self.map:
            raise ValueError(
                f"map: {self.map!r} would be a frame per robot; name the one of polygons and goals here, and "
                f"the robots' own under static, such as '{ROBOT}/map': [0, 0, 0]"
            )
        if self.map in self.static:
            raise ValueError(f"static: {self.map!r} is the map frame itself and needs no transform")
        return self
