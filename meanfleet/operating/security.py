"""Who may publish, subscribe and serve what: a policy for SROS 2, out of the configuration.

Every executable has an enclave. What is not allowed is denied: only the dispatcher may publish `priority_zone`. The
format is the policy schema of ros2/sros2, version 0.2.0; `docs/security.md` says how it is put to use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.config.robot import GOAL_ACTION, node_name
from meanfleet.safety import SHADOW

VERSION = "0.2.0"
ROOT = "/meanfleet"
DOCTOR, WATCH = f"{ROOT}/doctor", f"{ROOT}/watch"  # commands that take their enclave by themselves
PARAMETERS = (
    "describe_parameters",
    "get_parameter_types",
    "get_parameters",
    "get_type_description",
    "list_parameters",
    "set_parameters",
    "set_parameters_atomically",
)
LIFECYCLE = ("change_state", "get_available_states", "get_available_transitions", "get_state", "get_transition_graph")
NAMESPACE = re.compile(r"/|(/[A-Za-z_][A-Za-z0-9_]*)+")


@dataclass(frozen=True)
class Rights:
    """What one enclave may do, by full names.

    Attributes:
        enclave: its path.
        node: name of its node.
        publish: topics.
        subscribe: topics.
        reply: services it offers; it may call none.
        call: actions it is a client of.
    """

    enclave: str
    node: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    reply: tuple[str, ...]
    call: tuple[str, ...] = ()


def rights(config: Config, namespace: str = "/", each: bool = False) -> tuple[Rights, ...]:
    """The rights of dispatcher, robots, monitor, recorder, world and the operators' commands.

    Args:
        config: names robots and the topic of their poses.
        namespace: of all nodes, such as /site_a.
        each: an enclave for every robot, whose process then runs with `robots:=[NAME]` and the node name
            `robot_NAME` (as `fleet.launch.py` starts it), instead of one for all.

    Raises:
        UserError: the namespace is none.
    """
    if not NAMESPACE.fullmatch(namespace):
        raise UserError(f"namespace {namespace!r}: expected / or names after slashes, such as /site_a")
    names, base = config.robots, namespace.rstrip("/")

    def allow(
        enclave: str,
        node: str,
        publish: list[str],
        subscribe: list[str],
        services: tuple[str, ...] = (),
        managed: bool = False,
        call: Iterable[str] = (),
        clock: bool = True,
    ) -> Rights:
        own = f"{base}/{node}"
        sent = [f"{base}/{topic}" for topic in publish] + ["/parameter_events", "/rosout"]
        sent += [f"{own}/transition_event"] if managed else []
        heard = [topic if topic.startswith("/") else f"{base}/{topic}" for topic in subscribe]
        heard += ["/clock"] if clock else []
        offered = (f"{own}/{service}" for service in (*PARAMETERS, *services, *(LIFECYCLE if managed else ())))
        acted = _sorted(f"{base}/{action}" for action in call)
        return Rights(f"{ROOT}/{enclave}", node, _sorted(sent), _sorted(heard), _sorted(offered), acted)

    def robots(enclave: str, some: tuple[str, ...]) -> Rights:
        acting = [name for name in some if config.goal_way(name) == "action"]
        told = [f"{name}/{topic}" for name in some for topic in ("zone", f"goal_pose{SHADOW}")]
        told += [f"{name}/goal_pose" for name in some if name not in acting]
        seen = [config.pose_source(name).topic for name in some]
        if config.safety.battery_low is not None:
            seen += [f"{name}/{config.safety.battery_topic}" for name in some]
        steered = ["priority_zone", f"priority_zone{SHADOW}", "estop", "estop_state"]
        node = node_name(some) if each else "robots"
        heard, actions = [*steered, *seen], [f"{name}/{GOAL_ACTION}" for name in acting]
        return allow(
            enclave,
            node,
            ["diagnostics", "estop_state", *told],
            heard,
            ("estop", "confirm"),
            managed=True,
            call=actions,
        )

    priority = ["priority_zone", f"priority_zone{SHADOW}"]
    kinds = ("zone", "goal_pose", f"goal_pose{SHADOW}")
    zones, goals, shadows = ([f"{name}/{topic}" for name in names] for topic in kinds)
    poses = [config.pose_source(name).topic for name in names]
    world = allow(
        "world",
        "world",
        ["diagnostics", "fleet_markers", *(f"{name}/odom" for name in names)],
        ["priority_zone", *goals],
    )
    return (
        # The dispatcher also listens to its own topic: a second publisher there is an error it reports.
        allow(
            "dispatcher",
            "dispatcher",
            ["diagnostics", "estop_state", *priority],
            ["estop", "estop_state", *priority, *zones],
            ("estop",),
            managed=True,
        ),
        *([robots(f"robots/{name}", (name,)) for name in names] if each else [robots("robots", names)]),
        allow("monitor", "monitor", [], ["diagnostics"]),
        allow("watch", "meanfleet_watch", [], ["diagnostics"], clock=False),
        allow("doctor", "meanfleet_doctor", [], ["priority_zone", *zones, *poses]),
        allow(
            "recorder",
            "recorder",
            [],
            ["diagnostics", "estop", "estop_state", *priority, *zones, *goals, *shadows, *poses],
        ),
        Rights(world.enclave, world.node, _sorted([*world.publish, "/clock"]), world.subscribe, world.reply),
    )


def policy_xml(granted: Iterable[Rights], namespace: str = "/") -> bytes:
    """The policy as `ros2 security` reads it."""
    root = ElementTree.Element("policy", version=VERSION)
    enclaves = ElementTree.SubElement(root, "enclaves")
    for one in granted:
        enclave = ElementTree.SubElement(enclaves, "enclave", path=one.enclave)
        profiles = ElementTree.SubElement(enclave, "profiles")
        profile = ElementTree.SubElement(profiles, "profile", ns=namespace, node=one.node)
        _add(profile, "topics", "publish", one.publish)
        _add(profile, "topics", "subscribe", one.subscribe)
        _add(profile, "services", "reply", one.reply)
        _add(profile, "actions", "call", one.call)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)) + b"\n"


def _add(profile: ElementTree.Element, kind: str, what: str, names: tuple[str, ...]) -> None:
    if not names:
        return
    rule = ElementTree.SubElement(profile, kind, {what: "ALLOW"})
    for name in names:
        ElementTree.SubElement(rule, kind.removesuffix("s")).text = name


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
