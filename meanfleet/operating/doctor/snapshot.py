"""What the doctor saw of a ROS domain, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Reliability = Literal["reliable", "best effort", "unknown"]
Durability = Literal["transient local", "volatile", "unknown"]


@dataclass(frozen=True)
class Endpoint:
    """A publisher or a subscription in the graph.

    Attributes:
        topic: full name.
        type: of its messages, such as std_msgs/msg/Header.
        node: full name of its node.
        reliability, durability: offered by a publisher, requested by a subscription.
    """

    topic: str
    type: str
    node: str
    reliability: Reliability
    durability: Durability


@dataclass(frozen=True)
class Heard:
    """One message with a stamp.

    Attributes:
        topic: full name.
        stamp: in its header [s].
        own: the doctor's time when it came [s]: simulated time if somebody publishes /clock, else wall time.
        frame: its frame_id, which is the zone's name on zone topics.
        xy: position of a pose in that frame [m, m]; None for other messages.
    """

    topic: str
    stamp: float
    own: float
    frame: str = ""
    xy: tuple[float, float] | None = None

    @property
    def age(self) -> float:
        """How long ago the stamp was by the doctor's time [s]; negative: it lies in the future."""
        return self.own - self.stamp


@dataclass(frozen=True)
class Settings:
    """What decides who finds whom.

    Attributes:
        variables: those environment variables that are set.
        missing_files: files that variables name and that do not exist, by variable.
        versions: of packages, None for one that is not installed.
        rmw: the middleware in use; empty before ROS was started.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    missing_files: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str | None] = field(default_factory=dict)
    rmw: str = ""


@dataclass(frozen=True)
class Snapshot:
    """The graph without the doctor itself, and what was heard.

    Attributes:
        nodes: full names of nodes, hidden ones left out.
        publishers: on the interface's topics, and on all that end in /zone.
        subscriptions: on the interface's topics.
        heard: messages with stamps, in the order they came.
        clock: (wall time, simulated time) [s] whenever /clock was heard.
        seconds: how long the doctor looked [s, wall].
        listened: robots whose stamps were listened to.
        settings: of the doctor's own process.
    """

    nodes: tuple[str, ...] = ()
    publishers: tuple[Endpoint, ...] = ()
    subscriptions: tuple[Endpoint, ...] = ()
    heard: tuple[Heard, ...] = ()
    clock: tuple[tuple[float, float], ...] = ()
    seconds: float = 0.0
    listened: tuple[str, ...] = ()
    settings: Settings = Settings()

    def publishing(self, topic: str) -> list[Endpoint]:
        """Publishers of a topic."""
        return [endpoint for endpoint in self.publishers if endpoint.topic == topic]

    @property
    def simulated(self) -> bool:
        """Whether somebody publishes /clock."""
        return any(endpoint.topic == "/clock" for endpoint in self.publishers)

    @property
    def rate(self) -> float:
        """Simulated per wall seconds; 1 if there is no clock or too little was heard of it."""
        if len(self.clock) < 2:
            return 1.0
        (first_wall, first), (last_wall, last) = self.clock[0], self.clock[-1]
        return max((last - first) / (last_wall - first_wall), 0.0) if last_wall > first_wall else 1.0
