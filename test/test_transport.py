"""Which variables make Fast DDS use UDP alone, and that they are as before afterwards."""

from __future__ import annotations

import contextlib
import os
import re
from xml.etree import ElementTree

import pytest

from meanfleet.base.errors import UserError
from meanfleet.ros.transport import BEYOND, CHOICES, PROFILES, RANGE, TRANSPORTS, by_udp, udp_settings


def test_on_the_network_and_on_this_computer() -> None:
    network: tuple[dict[str, str], ...] = (
        {},
        {RANGE: ""},
        {RANGE: "SUBNET"},
        {"RMW_IMPLEMENTATION": "rmw_fastrtps_dynamic_cpp"},
        {"ROS_STATIC_PEERS": "10.0.0.2"},
        {"ROS_DISCOVERY_SERVER": "10.0.0.1:11811"},
        {"ROS_LOCALHOST_ONLY": "0"},
    )
    for given in network:
        assert re.fullmatch(r"UDPv4\?sockets_size=\d+MB", udp_settings(given)[TRANSPORTS])
    settings = udp_settings({RANGE: "LOCALHOST"})
    assert settings[RANGE] == "SYSTEM_DEFAULT", "another range would add shared memory to the profile's transports"
    profile = ElementTree.parse(settings[PROFILES])
    addresses = [element.text for element in profile.iter() if element.tag.endswith("address")]
    assert set(addresses) == {"127.0.0.1"}


@pytest.mark.parametrize(
    "chosen",
    [
        {TRANSPORTS: "SHM"},
        {PROFILES: "/opt/fleet.xml"},
        {"FASTRTPS_DEFAULT_PROFILES_FILE": "/opt/fleet.xml"},
        {"ROS_STATIC_PEERS": "10.0.0.2"},
        {"ROS_DISCOVERY_SERVER": "10.0.0.1:11811"},
        {"ROS_LOCALHOST_ONLY": "1"},
        {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"},
        {RANGE: "OFF"},
        {RANGE: "SYSTEM_DEFAULT"},
    ],
)
def test_whoever_chooses_is_left_alone(chosen: dict[str, str]) -> None:
    assert udp_settings({RANGE: "LOCALHOST"} | chosen) == {}


@pytest.mark.parametrize("reach", ["SUBNET", "LOCALHOST"])
def test_the_environment_is_as_before(reach: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*CHOICES, *BEYOND, "ROS_LOCALHOST_ONLY", "RMW_IMPLEMENTATION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(RANGE, reach)
    before = dict(os.environ)
    with by_udp():
        changed = {name for name in os.environ if os.environ[name] != before.get(name)}
        assert changed == ({TRANSPORTS} if reach == "SUBNET" else {PROFILES, RANGE})
    assert dict(os.environ) == before
    with contextlib.suppress(UserError), by_udp():
        raise UserError("a node that cannot start")
    assert dict(os.environ) == before
