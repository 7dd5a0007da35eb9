"""What decides who finds whom: environment variables, middleware, versions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

import meanfleet

from .findings import Finding
from .snapshot import Settings, Snapshot

DISCOVERY = ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_STATIC_PEERS", "ROS_LOCALHOST_ONLY")
FILES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE", "CYCLONEDDS_URI")
OTHERS = ("RMW_IMPLEMENTATION", "ROS_DISCOVERY_SERVER", "ROS_SECURITY_ENABLE", "ROS_DISTRO")
RANGES = ("SUBNET", "LOCALHOST", "OFF", "SYSTEM_DEFAULT")
HIGHEST = 232  # a domain above has no ports
SAFE = 101  # a domain above shares ports with those that Linux hands out to anybody
PACKAGES = ("ros-rclpy", "ros-rmw-fastrtps-cpp", "ros-std-msgs", "numpy", "numba", "pydantic", "rich")


def gather_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process, its middleware left out (`Settings.rmw`)."""
    given = os.environ if environment is None else environment
    variables = {name: given[name] for name in (*DISCOVERY, *FILES, *OTHERS) if given.get(name)}
    paths = {name: variables[name].removeprefix("file://") for name in FILES if name in variables}
    # CYCLONEDDS_URI may also hold the settings themselves.
    missing = {name: path for name, path in paths.items() if not path.startswith("<") and not os.path.isfile(path)}
    versions = {"meanfleet": meanfleet.__version__} | {name: _version(name) for name in PACKAGES}
    return Settings(variables, missing, versions)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def check_settings(seen: Snapshot) -> Iterator[Finding]:
    """Variables that keep nodes from finding one another, or that contradict each other."""
    settings = seen.settings
    yield from _check_domain(settings.variables.get("ROS_DOMAIN_ID", "0"))
    yield from _check_range(settings.variables)
    for name, path in settings.missing_files.items():
        yield Finding(
            "error", "settings", f"{name} names {path}, which does not exist", f"correct the path, or unset {name}"
        )
    wanted = settings.variables.get("RMW_IMPLEMENTATION")
    if wanted and settings.rmw and wanted != settings.rmw:
        yield Finding(
            "error",
            "middleware",
            f"RMW_IMPLEMENTATION is {wanted}, but {settings.rmw} is in use",
            f"install {wanted}, or unset RMW_IMPLEMENTATION; all nodes of a fleet should use the same",
        )
    if "ROS_DISCOVERY_SERVER" in settings.variables:
        yield Finding(
            "info",
            "discovery",
            f"nodes are found through the discovery server {settings.variables['ROS_DISCOVERY_SERVER']}",
            "as a client of it the doctor sees only topics it uses: set ROS_SUPER_CLIENT=TRUE for the whole graph",
        )


def _check_domain(domain: str) -> Iterator[Finding]:
    if not domain.isdecimal() or int(domain) > HIGHEST:
        yield Finding(
            "error",
            "domain",
            f"ROS_DOMAIN_ID is {domain!r}, so no node can start",
            f"set it to a number from 0 to {SAFE}, the same for the whole fleet",
        )
    elif int(domain) > SAFE:
        yield Finding(
            "warn",
            "domain",
            f"ROS_DOMAIN_ID is {domain}: its ports are among those that Linux gives to any program",
            f"choose a domain from 0 to {SAFE}",
        )


def _check_range(variables: Mapping[str, str]) -> Iterator[Finding]:
    reach, only = variables.get("ROS_AUTOMATIC_DISCOVERY_RANGE"), variables.get("ROS_LOCALHOST_ONLY")
    if reach is not None and reach not in RANGES:
        yield Finding(
            "error",
            "discovery",
            f"ROS_AUTOMATIC_DISCOVERY_RANGE is {reach!r}, which ROS 2 does not know: it stays on this computer",
            f"set it to one of {', '.join(RANGES)}",
        )
    if only == "1":
        peers = " and ROS_STATIC_PEERS" if "ROS_STATIC_PEERS" in variables else ""
        yield Finding(
            "warn",
            "discovery",
            f"ROS_LOCALHOST_ONLY=1 hides other computers and overrides ROS_AUTOMATIC_DISCOVERY_RANGE{peers}",
            "unset it; it is deprecated: ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST says the same",
        )
    elif reach == "OFF":
        yield Finding(
            "error",
            "discovery",
            "ROS_AUTOMATIC_DISCOVERY_RANGE=OFF: not even nodes on this computer are found",
            "set it to SUBNET, or to LOCALHOST to stay on this computer",
        )
    elif reach == "LOCALHOST":
        beyond = f" and {variables['ROS_STATIC_PEERS']}" if "ROS_STATIC_PEERS" in variables else ""
        yield Finding(
            "info",
            "discovery",
            f"ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST: only this computer{beyond} can be seen",
            "for robots with computers of their own set it to SUBNET, or name them in ROS_STATIC_PEERS",
        )
