"""The policy follows the schema, and allows what the nodes really do over DDS, no more and no less."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from processes import Listener, Processes, wait_for

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.operating.security import Rights, policy_xml, rights

DEMO = Path(__file__).parents[1] / "config" / "demo.yaml"
RULES = {"topics": ("topic", {"publish", "subscribe"}), "services": ("service", {"request", "reply"})}
RULES |= {"actions": ("action", {"call", "execute"})}


BRIEF = {"world": {"/clock"}, "dispatcher": {"/priority_zone", "/priority_zone/shadow"}}


def check_structure(text: bytes) -> dict[str, dict[str, set[str]]]:
    """Fail unless the schema's rules hold; return the names of every enclave by what they are allowed for."""
    root = ElementTree.fromstring(text)
    assert (root.tag, root.attrib) == ("policy", {"version": "0.2.0"})
    (enclaves,) = root
    assert enclaves.tag == "enclaves"
    found: dict[str, dict[str, set[str]]] = {}
    for enclave in enclaves:
        assert enclave.tag == "enclave"
        assert enclave.attrib.keys() == {"path"}
        assert enclave.attrib["path"] not in found
        (profiles,) = enclave
        (profile,) = profiles
        assert (profiles.tag, profile.tag, profile.attrib.keys()) == ("profiles", "profile", {"ns", "node"})
        allowed = found[enclave.attrib["path"]] = {}
        for rule in profile:
            child, qualifiers = RULES[rule.tag]
            assert len(rule) > 0, "an empty list of names is not valid"
            assert rule.attrib.keys() <= qualifiers
            assert set(rule.attrib.values()) == {"ALLOW"}
            names = [name.text for name in rule]
            assert {name.tag for name in rule} == {child}
            assert len(set(names)) == len(names)
            assert all(name and name.startswith("/") and "//" not in name for name in names)
            for qualifier in rule.attrib:
                allowed.setdefault(qualifier, set()).update(name for name in names if name)
    return found


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("namespace", ["/", "/site_a/hall_2"])
def test_the_policy_follows_the_schema_and_only_the_dispatcher_steers(namespace: str, each: bool) -> None:
    config = Config.from_yaml(DEMO).with_robots(4)
    granted = rights(config, namespace, each)
    found = check_structure(policy_xml(granted, namespace))
    base = namespace.rstrip("/")
    assert [path for path, allowed in found.items() if f"{base}/priority_zone" in allowed["publish"]] == [
        "/meanfleet/dispatcher"
    ]
    assert [path for path, allowed in found.items() if "/clock" in allowed["publish"]] == ["/meanfleet/world"]
    assert all(f"{base}/estop" in allowed["subscribe"] for path, allowed in found.items() if "robots" in path)
    for name in config.robots:
        own = f"/meanfleet/robots/{name}" if each else "/meanfleet/robots"
        assert [path for path, allowed in found.items() if f"{base}/{name}/zone" in allowed["publish"]] == [own]


def test_a_robot_with_goals_by_action_may_call_it_and_publishes_none(tmp_path: Path) -> None:
    example = (DEMO.parent / "fleet.example.yaml").read_text()
    path = tmp_path / "fleet.yaml"
    path.write_text(example.replace("    amr_9: ", "    amr_3: {goals: action}\n    amr_9: "))
    found = check_structure(policy_xml(rights(Config.from_yaml(path), "/hall", each=True), "/hall"))
    acting, told = found["/meanfleet/robots/amr_3"], found["/meanfleet/robots/amr_4"]
    assert acting["call"] == {"/hall/amr_3/navigate_to_pose"}
    assert "/hall/amr_3/goal_pose" not in acting["publish"]
    assert "call" not in told
    assert "/hall/amr_4/goal_pose" in told["publish"]


def test_a_namespace_that_is_none_is_a_users_error() -> None:
    for namespace in ("", "site", "/site/", "//", "/1", "/a b"):
        with pytest.raises(UserError, match="namespace"):
            rights(Config.from_yaml(DEMO), namespace)


def test_the_command_writes_the_policy_and_says_what_to_do_with_it(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "meanfleet", "security", str(DEMO), "-n", "3", "--each", "-o", str(tmp_path)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    config = Config.from_yaml(DEMO).with_robots(3)
    found = check_structure((tmp_path / "policy.xml").read_bytes())
    assert found.keys() == {one.enclave for one in rights(config, each=True)}
    assert f"-e {' '.join(found)}" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["policy.xml"]


def test_the_policy_allows_what_the_nodes_do_and_nothing_else(
    processes: Processes, demo_path: Path, demo_policy: Path, tmp_path: Path
) -> None:
    """Every publisher, subscriber and service of seven processes, gathered from the graph until they are all there.

    The dispatcher subscribes to robots for the moment of a tick; with robots stopped it waits for them, and is seen.
    World and dispatcher listen to their own topic at the start, which may be over before the graph tells. The topics of
    mode shadow are there in that mode alone; the dispatcher leaves it on the way.
    """
    pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")
    granted = {one.node: one for one in rights(Config.from_yaml(demo_path).with_robots(3))}
    seen: dict[str, dict[str, set[str]]] = {
        name: {"publish": set(), "subscribe": set(), "reply": set(), "request": set()} for name in granted
    }
    listener = Listener(processes.domain)
    own = listener.node
    from std_msgs.msg import Bool

    from meanfleet.ros.node import LATCHED

    own.create_publisher(Bool, "estop", LATCHED)  # a panel: the recorder takes what is published
    ways = {
        "publish": own.get_publisher_names_and_types_by_node,
        "subscribe": own.get_subscriber_names_and_types_by_node,
        "reply": own.get_service_names_and_types_by_node,
        "request": own.get_client_names_and_types_by_node,
    }

    def look() -> bool:
        for name in set(own.get_node_names()) & set(granted):
            for what, ask in ways.items():
                seen[name][what].update(names(ask, name))
        return not lacking()

    def lacking() -> set[str]:
        return {name for name, one in granted.items() if missing(seen[name], one)}

    def graph() -> str:
        absent = {name: missing(seen[name], one) for name, one in granted.items()}
        return f"the graph: {absent}\n" + "\n".join(map(processes.output, processes.started))

    def shadowed() -> bool:
        """Whether all topics of that mode are in use: who has not subscribed before it ends will not do so any more."""
        absent = {topic for name, one in granted.items() for topic in missing(seen[name], one)}
        return not any(topic.endswith("/shadow") for topic in absent)

    def looking() -> None:
        look()
        listener.spin()

    try:
        common: dict[str, Any] = {"config": str(demo_path), "n": 3, "seed": 3}
        acting = common | {"policy": str(demo_policy), "use_sim_time": True}
        processes.node("meanfleet.running.node", **acting)
        processes.node("meanfleet.sim.recorder.node", out=str(tmp_path / "bag"))
        processes.node("meanfleet.sim.node", real_time_factor=8.0, **common)
        processes.module("meanfleet", "watch", str(demo_path), "-n", "3")
        processes.module("meanfleet", "doctor", str(demo_path), "-n", "3", "--seconds", "600")
        dispatcher = processes.node("meanfleet.dispatcher_node.node", k=2, mode="shadow", **acting)
        robots = processes.node("meanfleet.robot_node.node", mode="shadow", **acting)
        wait_for(lambda: "first tick" in processes.output(dispatcher), 60, "the first tick", looking)
        wait_for(lambda: look() or shadowed(), 60, graph, listener.spin)
        leave_shadow(listener)
        wait_for(lambda: look() or lacking() == {"dispatcher"}, 60, graph, listener.spin)
        robots.send_signal(signal.SIGSTOP)
        wait_for(look, 60, graph, listener.spin)
        robots.send_signal(signal.SIGCONT)
    finally:
        listener.close()
    for name, one in granted.items():
        assert seen[name]["publish"] == set(one.publish)
        assert seen[name]["subscribe"] | BRIEF.get(name, set()) == set(one.subscribe)
        assert seen[name]["reply"] == set(one.reply)
        assert seen[name]["request"] == set()


def leave_shadow(listener: Listener) -> None:
    """`ros2 param set /dispatcher mode run`."""
    from rcl_interfaces.srv import SetParameters
    from rclpy.parameter import Parameter

    client = listener.node.create_client(SetParameters, "/dispatcher/set_parameters")
    wait_for(client.service_is_ready, 30, "the dispatcher's parameters", listener.spin)
    future = client.call_async(SetParameters.Request(parameters=[Parameter("mode", value="run").to_parameter_msg()]))
    wait_for(future.done, 30, "the dispatcher's answer", listener.spin)
    assert future.result().results[0].successful


def names(ask: Any, node: str) -> set[str]:
    """Names at a node; none while it is coming or going."""
    from rclpy.node import NodeNameNonExistentError

    try:
        return {name for name, _ in ask(node, "/")}
    except NodeNameNonExistentError:
        return set()


def missing(one: dict[str, set[str]], allowed: Rights) -> list[str]:
    """What is allowed and has not been seen."""
    left = (set(getattr(allowed, what)) - one[what] for what in ("publish", "subscribe", "reply"))
    return sorted(set().union(*left) - BRIEF.get(allowed.node, set()))
