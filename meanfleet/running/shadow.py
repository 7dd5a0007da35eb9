"""A bag played to a dispatcher in shadow mode: it decides and tells, and nobody is moved.

Of the bag only the fleet's zones are played, and the clock: recorded priorities and goals would move robots that
listen, recorded diagnostics would mix with the shadow's. A simulation's recorded clock is played, since its stamps
follow it; where there is none, stamps are those of the system, and `ros2 bag play --clock` tells the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.dispatcher_node.steering import Steering
from meanfleet.safety import KEEP_NONE
from meanfleet.sim.bags.bag import Bag, Channel
from meanfleet.sim.bags.qos import HEADER
from meanfleet.sim.bags.topics import absolute
from meanfleet.solver.bundle.loading import load_policies

from .graph import ARGUMENTS, Argument, Process, heard_by, parse_arguments
from .simulation import check_fit

CLOCK_RATE = 20  # [Hz, wall]
CLOCK = "/clock"
_TAKEN = ("config", "policy", "n", "k", "rule", "observer", "sampling", "rho", "kappa", "seed")
SHADOW_ARGUMENTS: tuple[Argument, ...] = (
    Argument("bag", "", "bag to play: a rosbag2 folder"),
    *(argument for argument in ARGUMENTS if argument.name in _TAKEN),
    Argument("rate", 1.0, "bag's seconds per second"),
    Argument("delay", 5.0, "[s] before playing, for the dispatcher to be there"),
    Argument(
        "qos", "", "overrides of qualities (`meanfleet record --qos-overrides`), for bags that do not know theirs"
    ),
    Argument("record", "", "folder for a bag of what the shadow says, new or empty; empty: none"),
)


@dataclass(frozen=True)
class Shadow:
    """What is started: the command that plays the bag, whose end is the end of it all, and the nodes."""

    play: tuple[str, ...]
    nodes: tuple[Process, ...]


def shadow_graph(given: Mapping[str, Any]) -> Shadow:
    """Command and nodes for arguments by name, as values or as text.

    Raises:
        UserError: no bag or policy, wrong values, or a bag without zones of the configuration's fleet.
    """
    run = parse_arguments(given, SHADOW_ARGUMENTS)
    for name in ("bag", "config", "policy"):
        if not run[name]:
            raise UserError(f"argument {name}: give the {name} that is to be replayed, such as {name}:=/path/to/it")
    if run["rate"] <= 0:
        raise UserError("argument rate: expected a number above 0")
    config = Config.from_yaml(run["config"]).with_robots(run["n"] or None)
    steering = Steering(run["k"] or None, run["observer"], run["sampling"], run["rho"] or None, run["kappa"] or None)
    check_fit(config, load_policies(run["policy"], config), steering)
    topics = _topics(run["bag"], config)
    clock = () if CLOCK in topics else ("--clock", str(CLOCK_RATE))
    qualities = ("--qos-profile-overrides-path", _path(run["qos"])) if run["qos"] else ()
    pace = ("--rate", f"{run['rate']:g}", "--delay", f"{run['delay']:g}", "--disable-keyboard-controls")
    play = ("ros2", "bag", "play", _path(run["bag"]), *clock, *pace, *qualities, "--topics", *topics)
    deciding = {name: run[name] for name in ("n", "k", "rule", "seed", "observer", "sampling", "rho", "kappa")}
    files = {name: _path(run[name]) for name in ("config", "policy")}
    said = {"out": _path(run["record"]), "topics": "/diagnostics,*/priority_zone/shadow"} if run["record"] else {}
    recording = [Process("recorder", said)] if said else []
    shadowing = {"mode": "shadow", "use_sim_time": True, "state_dir": KEEP_NONE} | heard_by(*recording)
    return Shadow(
        play,
        (
            *recording,
            Process("dispatcher", files | deciding | shadowing),
        ),
    )


def _topics(source: str, config: Config) -> tuple[str, ...]:
    """Zones of the fleet that the bag has, and its clock if it has one."""
    wanted = {absolute(f"{name}/zone") for name in config.robots}
    with Bag(source) as bag:
        zones = sorted(channel.topic for channel in bag.channels if channel in {Channel(t, HEADER) for t in wanted})
        clock = [CLOCK] if any(channel.topic == CLOCK for channel in bag.channels) else []
    if not zones:
        raise UserError(
            f"bag {source} has no zones (std_msgs/Header) of the fleet of {config.source}, such as {min(wanted)}: a "
            "shadow dispatcher listens to zones; poses are replayed by `meanfleet replay`"
        )
    return (*zones, *clock)


def _path(text: str) -> str:
    return str(Path(text).resolve())
