"""How Fast DDS carries messages: by UDP, between the processes of one computer too.

It would use shared memory there, which outlives whoever is killed while it writes: a segment left half made stops every
process that opens it later, a lock left taken stops those that write to its owner, and ports are shared across domains.
UDP leaves nothing behind. Whoever sets up the transports otherwise, by a profile or a variable, is left alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PROFILES, TRANSPORTS = "FASTDDS_DEFAULT_PROFILES_FILE", "FASTDDS_BUILTIN_TRANSPORTS"
RANGE = "ROS_AUTOMATIC_DISCOVERY_RANGE"
CHOICES = (PROFILES, "FASTRTPS_DEFAULT_PROFILES_FILE", TRANSPORTS)
"""Variables of users who choose transports: nothing is changed then."""
BEYOND = ("ROS_STATIC_PEERS", "ROS_DISCOVERY_SERVER")
"""Variables that reach beyond this computer whatever the range is: the profile would not."""
NETWORK = "UDPv4?sockets_size=4MB"
LOOPBACK = Path(__file__).with_name("loopback.xml")


def udp_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables to change in `environment` so that Fast DDS uses UDP alone, and reaches as far as it would.

    None if the user chose something else, or uses another middleware. For the range LOCALHOST rmw_fastrtps adds shared
    memory whatever the variables say, so a profile takes its place.
    """
    middleware = environment.get("RMW_IMPLEMENTATION") or "rmw_fastrtps_cpp"
    if "fastrtps" not in middleware or any(environment.get(name) for name in CHOICES):
        return {}
    if environment.get("ROS_LOCALHOST_ONLY") == "1":  # overrides the range, so no profile could take its place
        return {}
    reach = environment.get(RANGE) or "SUBNET"
    if reach == "SUBNET":
        return {TRANSPORTS: NETWORK}
    if reach == "LOCALHOST" and not any(environment.get(name) for name in BEYOND):
        return {PROFILES: str(LOOPBACK), RANGE: "SYSTEM_DEFAULT"}
    return {}


@contextmanager
def by_udp() -> Iterator[None]:
    """Initialize rclpy and make its first node within this: both read the environment, which is then as before."""
    settings = udp_settings(os.environ)
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
