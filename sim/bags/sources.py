"""Whose poses a topic of a bag tells, and where that is on the map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from meanfleet.config import Config
from meanfleet.floors.frames import Frames, named, refusal

from .topics import Template, absolute


def common_template(config: Config, space: str = "") -> str:
    """The topics of poses of robots that have none of their own, in a namespace."""
    return f"{space}/{{robot}}/{config.robot.pose_topic}"


def pose_owners(config: Config, topics: Iterable[str], space: str = "") -> dict[str, str]:
    """Robots whose poses are on topics, by topic; names of topics and robots are in the namespace.

    A robot to which the configuration gives a topic of its own has that alone; every other name, also one that the
    configuration does not know, the common one.
    """
    given = [name for name, own in config.fleet.overrides.items() if own.pose_topic is not None]
    sources = {name: config.pose_source(name).topic for name in given}
    owners = {topic if topic.startswith("/") else f"{space}/{topic}": name for name, topic in sources.items()}
    template, found = Template(common_template(config, space)), {}
    for topic in topics:
        robot = owners.get(absolute(topic)) or template.robot(topic)
        if robot and (absolute(topic) in owners or robot not in given):
            found[topic] = robot
    return found


class Placing:
    """Puts positions of any frame into the map frame.

    Attributes:
        strange: messages in frames that are not known, by frame.
        whose: robots of those messages, by frame.
    """

    def __init__(self, config: Config, robots: Sequence[str]) -> None:
        self._frames, self._robots = Frames(config.frames, robots), tuple(robots)
        self.strange: Counter[str] = Counter()
        self.whose: dict[str, set[str]] = {}

    def place(
        self,
        blob: bytes,
        text: NDArray[np.int64],
        xy: NDArray[np.float64],
        which: NDArray[np.bool_],
        robots: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """Turn positions into those of frame `map`; returns which of `which` [message] could be.

        Args:
            blob: holds the frames' names.
            text: int64 [message, 2]: begin and end of them in it.
            xy: float64 [message, 2], in [m]; mutated.
            which: bool [message].
            robots: int64 [message]: whose they are.
        """
        rows = np.flatnonzero(which)
        names = [blob[begin:end] for begin, end in text[rows].tolist()]
        placed = which.copy()
        for name in set(names):
            own = rows[[one == name for one in names]] if len(set(names)) > 1 else rows
            frame = name.decode(errors="replace")
            positions = self._frames.positions(frame, xy[own])
            if positions is None:
                self.strange[frame] += len(own)
                whose = {self._robots[robot] for robot in np.unique(robots[own]).tolist()}
                self.whose[frame] = self.whose.get(frame, set()) | whose
                placed[own] = False
            else:
                xy[own] = positions
        return placed

    @property
    def complaint(self) -> str:
        """What to do about frames that are not known; empty if there are none."""
        if not self.strange:
            return ""
        plural = "frames" if len(self.strange) > 1 else "frame"
        return f"{self.strange.total()} poses are in {plural} {named(self.strange)}, {refusal(self.whose)}"
