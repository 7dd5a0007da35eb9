"""Who is there, with which types and qualities of service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from meanfleet.base.errors import suggestion
from meanfleet.config.robot import GOAL_ACTION
from meanfleet.safety import SHADOW

from ..words import few
from .expected import HEADER, POSE_TYPES, Expected, Topic, zone_publishers
from .findings import Finding
from .snapshot import Endpoint, Snapshot

RECORDERS = ("recorder", "rosbag2_recorder")  # nodes that listen and do not drive
STEERING = ("zone", "pose", "goal", "navigation", "priority")  # kinds of topics without which the fleet stands still
GHOST = "one that was killed less than half a minute ago may still be listed: then look again"


def check_presence(seen: Snapshot, fleet: Expected) -> Iterator[Finding]:
    """Whether anybody is there at all, and a dispatcher among them."""
    if not seen.nodes and not seen.publishers:
        domain = seen.settings.variables.get("ROS_DOMAIN_ID", "0")
        yield Finding(
            "error",
            "discovery",
            f"no other ROS node was seen in {seen.seconds:.0f} s on domain {domain}",
            "start the fleet, or give this terminal the ROS_DOMAIN_ID, the ROS_AUTOMATIC_DISCOVERY_RANGE and the "
            "RMW_IMPLEMENTATION of the fleet; between machines also check that the network lets UDP multicast through "
            "(or name the other machines in ROS_STATIC_PEERS)",
        )
        return
    if not zone_publishers(seen.publishers, fleet.namespace) and not fleet.known:
        yield Finding(
            "error",
            "robots",
            f"{len(seen.nodes)} nodes were seen, but no topic '{fleet.namespace}/NAME/zone'",
            "start the robot nodes (ros2 run meanfleet robot), or name their namespace with --namespace",
        )
    if only_shadow(seen, fleet):
        yield Finding(
            "info",
            "dispatcher",
            "the dispatcher runs in mode shadow: it decides, and nobody is moved by it",
            "to let it move robots: ros2 param set /dispatcher mode run",
        )
    elif not seen.publishing(f"{fleet.namespace}/priority_zone"):
        yield Finding(
            "warn",
            "dispatcher",
            f"nobody publishes '{fleet.namespace}/priority_zone'",
            "start the dispatcher, or activate it: ros2 lifecycle set /dispatcher activate",
        )


def only_shadow(seen: Snapshot, fleet: Expected) -> bool:
    """Whether the only dispatcher there is runs in mode shadow."""
    topic = f"{fleet.namespace}/priority_zone"
    return bool(seen.publishing(topic + SHADOW)) and not seen.publishing(topic)


def check_robots(seen: Snapshot, fleet: Expected) -> Iterator[Finding]:
    """Robots that are missing, unknown, or there twice."""
    if not seen.publishers:
        return
    zones = zone_publishers(seen.publishers, fleet.namespace)
    missing = [name for name in fleet.robots if name not in zones] if fleet.known else []
    if missing:
        yield Finding(
            "error",
            "robots",
            f"{len(missing)} of {len(fleet.robots)} robots publish no zone: {few(missing)}",
            "start their robot nodes (ros2 run meanfleet robot), check their network and that all use this ROS domain",
            tuple(missing),
        )
    strangers = sorted(
        name
        for name, found in zones.items()
        if fleet.known and name not in set(fleet.robots) and any(one.type == HEADER for one in found)
    )
    if strangers:
        # Numbers differ between any two robots: only another spelling is worth a hint.
        hint = suggestion(strangers[0], [name for name in missing if _letters(name) != _letters(strangers[0])])
        yield Finding(
            "warn",
            "robots",
            f"{len(strangers)} robots are not in the configuration: {few(strangers)}{hint}",
            "add them to 'fleet', or end them: they follow the priority but are never polled",
            tuple(strangers),
        )
    twins = [name for name, found in zones.items() if len(found) > 1]
    if twins:
        nodes = few(f"{node} (twice)" if count > 1 else node for node, count in _publishers(zones, twins))
        yield Finding(
            "error",
            "robots",
            f"more than one node publishes the zone of {few(twins)}: {nodes}",
            f"end all but one, or give every process its own share by the parameter 'robots'; {GHOST}",
            tuple(twins),
        )


def _publishers(zones: dict[str, list[Endpoint]], robots: list[str]) -> list[tuple[str, int]]:
    """Nodes that publish zones of these robots, and how many of that name publish the same one at most."""
    most: dict[str, int] = {}
    for robot in robots:
        for node, count in Counter(one.node for one in zones[robot]).items():
            most[node] = max(most.get(node, 0), count)
    return sorted(most.items())


def _letters(name: str) -> str:
    return "".join(letter for letter in name if not letter.isdigit())


def check_poses(seen: Snapshot, fleet: Expected) -> Iterator[Finding]:
    """Robots whose node is there but whose driver is not."""
    published = {endpoint.topic for endpoint in seen.publishers}
    deaf = [
        topic.robot
        for topic in fleet.topics()
        if topic.kind == "pose" and topic.name not in published and f"{fleet.namespace}/{topic.robot}/zone" in published
    ]
    if deaf:
        yield Finding(
            "error",
            "poses",
            f"nobody publishes '{fleet.robot.pose_topic}' of {few(deaf)}, so their nodes cannot know their zones",
            "start the drivers or the localisation, or name the right topic in robot.pose_topic",
            tuple(deaf),
        )


def check_goals(seen: Snapshot, fleet: Expected) -> Iterator[Finding]:
    """Robots whose node is there but whose navigation is not; in mode shadow they are not to move."""
    if only_shadow(seen, fleet):
        return
    published = {endpoint.topic for endpoint in seen.publishers}
    taken = {one.topic for one in seen.subscriptions if not one.node.rpartition("/")[2].startswith(RECORDERS)}
    for kind, action in (("goal", False), ("navigation", True)):
        own = [topic for topic in fleet.topics() if topic.kind == kind]
        if action:
            idle = [
                t.robot for t in own if f"{fleet.namespace}/{t.robot}/zone" in published and t.name not in published
            ]
        else:
            idle = [topic.robot for topic in own if topic.name in published and topic.name not in taken]
        what = f"offers the action '{GOAL_ACTION}'" if action else "subscribes to 'goal_pose'"
        if idle:
            yield Finding(
                "warn",
                "goals",
                f"nobody {what} of {few(idle)}, so they will not move",
                "start their navigation in the namespace of the robot's name, or let it use that name by a remap",
                tuple(idle),
            )


def check_dispatchers(seen: Snapshot, fleet: Expected) -> Iterator[Finding]:
    """More than one dispatcher tears the fleet."""
    for topic in (f"{fleet.namespace}/priority_zone", f"{fleet.namespace}/priority_zone{SHADOW}"):
        found = seen.publishing(topic)
        if len(found) < 2:
            continue
        nodes = [endpoint.node for endpoint in found]
        yield Finding(
            "error",
            "dispatcher",
            f"{len(found)} nodes publish '{found[0].topic}': {few(nodes)}; robots hold their zones meanwhile",
            f"end all but one, or give the fleets different ROS domains or namespaces; {GHOST}",
            tuple(nodes),
        )


def check_types(seen: Snapshot, fleet: Expected) -> Iterator[Finding]:
    """Topics of the interface with messages of another type."""
    topics = {topic.name: topic for topic in fleet.topics()}
    wrong: dict[tuple[str, str, str], list[Endpoint]] = {}
    for endpoint in (*seen.publishers, *seen.subscriptions):
        topic = topics.get(endpoint.topic)
        if topic is not None and endpoint.type != topic.type:
            wrong.setdefault((topic.kind, topic.type, endpoint.type), []).append(endpoint)
    for (kind, expected, actual), endpoints in wrong.items():
        names = sorted({endpoint.topic for endpoint in endpoints})
        nodes = few(sorted({endpoint.node for endpoint in endpoints}))
        yield Finding(
            "error",
            "types",
            f"{few(names)}: {actual} (of {nodes}) where meanfleet uses {expected}",
            _type_remedy(kind, actual),
            tuple(names),
        )


def _type_remedy(kind: str, actual: str) -> str:
    name = next((name for name, full in POSE_TYPES.items() if full == actual), None)
    if kind == "pose" and name is not None:
        return f"set robot.pose_type: {name} in the configuration"
    return "rename that topic (--ros-args -r OLD:=NEW), or end the node: publishers and readers of two types never meet"


def check_qos(seen: Snapshot, fleet: Expected) -> Iterator[Finding]:
    """Publishers that offer less than a reader requests: these two never exchange a message."""
    offered: dict[str, list[Endpoint]] = {}
    for endpoint in seen.publishers:
        offered.setdefault(endpoint.topic, []).append(endpoint)
    requested: dict[str, list[Endpoint]] = {}
    for endpoint in seen.subscriptions:
        requested.setdefault(endpoint.topic, []).append(endpoint)
    found: dict[tuple[str, str, str], list[tuple[Topic, Endpoint]]] = {}
    for topic in fleet.topics():
        if topic.kind == "estop":  # its readers ask for every quality, see `check_panels`
            continue
        for offer in offered.get(topic.name, []):
            for reader, why in _unmet(topic, offer, requested.get(topic.name, [])):
                found.setdefault((topic.kind, reader, why), []).append((topic, offer))
    for (kind, reader, why), pairs in found.items():
        names = sorted({topic.name for topic, _ in pairs})
        nodes = few(sorted({offer.node for _, offer in pairs}))
        yield Finding(
            "error" if kind in STEERING else "warn",
            "QoS",
            f"{few(names)}: {nodes} {why[0].lower()}{why[1:]} {reader}, so nothing arrives",
            _qos_remedy(why),
            tuple(names),
        )


def check_panels(seen: Snapshot, fleet: Expected) -> Iterator[Finding]:
    """Emergency stops that a node which starts later, or a network that loses packets, would not receive."""
    panels = seen.publishing(f"{fleet.namespace}/estop")
    weak = {
        "volatile, so a node that starts later learns of its stop from other nodes alone": [
            one.node for one in panels if one.durability == "volatile"
        ],
        "best effort, so a lost packet is a lost stop": [
            one.node for one in panels if one.reliability == "best effort"
        ],
    }
    for why, nodes in weak.items():
        if nodes:
            yield Finding(
                "warn",
                "estop",
                f"{few(sorted(set(nodes)))} publishes '{fleet.namespace}/estop' {why}",
                "let it offer reliability reliable and durability transient_local (depth 1)",
                tuple(nodes),
            )


VOLATILE = "publishes volatile, which never reaches the transient-local subscription of"
BEST_EFFORT = "publishes best effort, which never reaches the reliable subscription of"


def _unmet(topic: Topic, offer: Endpoint, subscriptions: list[Endpoint]) -> set[tuple[str, str]]:
    """(reader, what it lacks) for meanfleet's own reader and the subscriptions seen; each sort of request once."""
    readers = [Endpoint(topic.name, topic.type, topic.reader, topic.reliability, topic.durability)]
    readers = [reader for reader in readers if reader.node]
    own = {(reader.reliability, reader.durability) for reader in readers}
    readers += [one for one in subscriptions if (one.reliability, one.durability) not in own]
    found = set()
    for reader in readers:
        if (reader.type, offer.type) != (topic.type, topic.type):
            continue
        if reader.durability == "transient local" and offer.durability == "volatile":
            found.add((reader.node, VOLATILE))
        if reader.reliability == "reliable" and offer.reliability == "best effort":
            found.add((reader.node, BEST_EFFORT))
    return found


def _qos_remedy(why: str) -> str:
    if why == VOLATILE:
        return (
            "let the publisher offer durability transient_local (depth 1), as meanfleet's own nodes do, "
            "or the reader ask for volatile"
        )
    return "let the publisher offer reliability reliable, or the reader ask for best_effort"
