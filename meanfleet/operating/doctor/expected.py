"""What meanfleet's nodes need of the graph: topics, types and qualities of service of the interface."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from meanfleet.config import Config, DispatcherConfig
from meanfleet.config.robot import GOAL_ACTION, RobotConfig, RobotOverride, goal_way, pose_source
from meanfleet.floors.floor import floor_of
from meanfleet.floors.frames import Frames
from meanfleet.floors.priorities import Priorities, priorities_of
from meanfleet.safety import SHADOW
from meanfleet.space.zone_map import ZoneMap

from .snapshot import Durability, Endpoint, Reliability

HEADER = "std_msgs/msg/Header"
POSE_TYPES = {
    "Odometry": "nav_msgs/msg/Odometry",
    "PoseWithCovarianceStamped": "geometry_msgs/msg/PoseWithCovarianceStamped",
    "PoseStamped": "geometry_msgs/msg/PoseStamped",
}


@dataclass(frozen=True)
class Topic:
    """One topic of the interface.

    Attributes:
        name: full name.
        kind: what it is for: zone, pose, goal, navigation, priority, shadow (of that), clock, diagnostics or markers.
        type: of its messages.
        reader: who of meanfleet subscribes to it; empty: nobody.
        reliability, durability: what the reader requests.
        robot: whose it is; empty: the fleet's.
    """

    name: str
    kind: str
    type: str
    reader: str = ""
    reliability: Reliability = "reliable"
    durability: Durability = "volatile"
    robot: str = ""


@dataclass(frozen=True)
class Expected:
    """A fleet as its configuration describes it, or, without one, as the graph shows it.

    Attributes:
        robots: their names.
        known: whether the names come from a configuration, so that some can be missing.
        zones: names; empty if not known.
        namespace: of all nodes, such as /site_a; empty for the root.
        robot, dispatcher: settings.
        overrides: what is different for single robots.
        priorities: reads what is told of s_g; None if that is not known.
        frames, zone_map: which frames poses may come in, and what zones they are in; None if that is not known.
    """

    robots: tuple[str, ...]
    known: bool
    zones: tuple[str, ...] = ()
    namespace: str = ""
    robot: RobotConfig = field(default_factory=RobotConfig)
    dispatcher: DispatcherConfig = field(default_factory=DispatcherConfig)
    overrides: Mapping[str, RobotOverride] = field(default_factory=dict)
    priorities: Priorities | None = field(default=None, compare=False)
    frames: Frames | None = field(default=None, compare=False)
    zone_map: ZoneMap | None = field(default=None, compare=False)

    @classmethod
    def from_config(cls, config: Config, namespace: str = "") -> Expected:
        """The fleet of a configuration."""
        return cls(
            robots=config.robots,
            known=True,
            zones=config.zones,
            namespace=namespace,
            robot=config.robot,
            dispatcher=config.dispatcher,
            overrides=config.fleet.overrides,
            priorities=priorities_of(config),
            frames=Frames(config.frames, config.robots),
            zone_map=floor_of(config).zone_map,
        )

    @classmethod
    def from_graph(cls, publishers: Iterable[Endpoint], namespace: str = "") -> Expected:
        """Whoever publishes a zone."""
        return cls(tuple(sorted(zone_publishers(publishers, namespace))), False, namespace=namespace)

    def knows(self, kind: str, frame: str) -> bool:
        """Whether what a zone or priority topic says is of the configuration; nothing is, and all if there is none.

        A robot out of service tells an empty zone, and a dispatcher an empty priority while an emergency stop is on.
        """
        if not frame or not self.zones:
            return True
        if kind == "priority" and self.priorities is not None:
            return self.priorities.read(frame) is not None
        return frame in self.zones

    def topics(self) -> list[Topic]:
        """All topics of the interface."""
        prefix = f"{self.namespace}/"
        found = [
            Topic(f"{prefix}priority_zone", "priority", HEADER, "the robot nodes", "reliable", "transient local"),
            Topic(f"{prefix}estop", "estop", "std_msgs/msg/Bool"),
            Topic(f"{prefix}priority_zone{SHADOW}", "shadow", HEADER, "", "reliable", "transient local"),
            Topic("/clock", "clock", "rosgraph_msgs/msg/Clock", "nodes on simulated time", "best effort"),
            Topic(f"{prefix}diagnostics", "diagnostics", "diagnostic_msgs/msg/DiagnosticArray"),
            Topic(f"{prefix}fleet_markers", "markers", "visualization_msgs/msg/MarkerArray"),
        ]
        for robot in self.robots:
            own = f"{prefix}{robot}/"
            found += [
                Topic(f"{own}zone", "zone", HEADER, "the dispatcher", "reliable", "transient local", robot),
                self._goal(robot, own),
            ]
            # Without a configuration nobody knows where poses come from.
            if self.known:
                found.append(self._pose(robot, prefix))
        return found

    def _goal(self, robot: str, own: str) -> Topic:
        """The topic of goals, or one of those that the server of the action publishes."""
        if goal_way(self.robot, self.overrides.get(robot)) == "action":
            status = f"{own}{GOAL_ACTION}/_action/status"
            return Topic(status, "navigation", "action_msgs/msg/GoalStatusArray", robot=robot)
        return Topic(f"{own}goal_pose", "goal", "geometry_msgs/msg/PoseStamped", robot=robot)

    def _pose(self, robot: str, prefix: str) -> Topic:
        source = pose_source(robot, self.robot, self.overrides.get(robot))
        name = source.topic if source.topic.startswith("/") else f"{prefix}{source.topic}"
        reliability: Reliability = "reliable" if source.reliability == "reliable" else "best effort"
        durability: Durability = "transient local" if source.durability == "transient_local" else "volatile"
        return Topic(name, "pose", POSE_TYPES[source.type], "the robot nodes", reliability, durability, robot)


def zone_publishers(publishers: Iterable[Endpoint], namespace: str) -> dict[str, list[Endpoint]]:
    """Who publishes NAME/zone under a namespace, by NAME."""
    prefix = f"{namespace}/"
    found: dict[str, list[Endpoint]] = {}
    for endpoint in publishers:
        if endpoint.topic.startswith(prefix) and endpoint.topic.endswith("/zone"):
            name = endpoint.topic[len(prefix) : -len("/zone")]
            if name:
                found.setdefault(name, []).append(endpoint)
    return found
