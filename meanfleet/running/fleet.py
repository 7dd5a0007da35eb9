"""The graph of processes of a real fleet: started by `fleet.launch.py` and by `meanfleet up --fleet`.

The dispatcher and its monitor run on one computer; robot nodes beside them, or each on its robot's own computer, which
needs rclpy, numpy, pyyaml and pydantic alone. What dies is started again: one robot's node does not end the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from meanfleet.base.errors import UserError, suggestion
from meanfleet.config import Config
from meanfleet.config.robot import node_name
from meanfleet.safety import KEEP_NONE, MODES
from meanfleet.solver.bundle.loading import load_policies

from .folder import run_folder
from .graph import Argument, Process, choose, heard_by, parse_arguments, recorder_of, steering_of

PARTS = ("all", "dispatcher", "robots")
MOST_NODES = 100  # of robots on one computer: DDS has ports for some 120 processes per computer and domain

FLEET_ARGUMENTS: tuple[Argument, ...] = (
    Argument("fleet", "", "configuration of the fleet (YAML), such as config/fleet.example.yaml"),
    Argument("policy", "", "policy bundle (.npz); empty: solved once and kept in the cache, with part all only"),
    Argument("part", "all", "what runs here: all, dispatcher or robots"),
    Argument("robot", "", "name of one robot: its node alone, for the robot's own computer"),
    Argument("robots_per_process", 1, "robots of one node"),
    Argument("mode", "", "shadow, advise or run, of dispatcher and robots; empty: as the configuration says"),
    Argument("k", 0, "robots polled per tick; 0: as the configuration says"),
    Argument("rule", "learned", "dispatcher: learned, hold or random"),
    Argument("observer", "", "memoryless, dirichlet or particle; empty: as the configuration says"),
    Argument(
        "sampling", "", "uniform, oldest, stratified, nearest, weighted, graphon; empty: as the configuration says"
    ),
    Argument("rho", 0.0, "share of the belief that survives a tick; 0: as the configuration or the policy says"),
    Argument("kappa", 0, "κ of the policy's filter to ask; 0: as the policy says"),
    Argument("checkpoint", "", "file in which the dispatcher keeps its state, to resume after a restart; empty: none"),
    Argument("state_dir", "", "folder of emergency stops and settings made at run time; empty: under XDG_STATE_HOME"),
    Argument("seed", 0, "of robots and dispatcher"),
    Argument("use_sim_time", False, "follow /clock instead of the computer's clock"),
    Argument("duration", 0.0, "[s, ROS time] from the first tick until the run ends; 0: until interrupted"),
    Argument("out", "", "folder for the run's log and summary; empty: none"),
    Argument("record", "", "folder for a bag of the run, new or empty, beside the dispatcher; empty: none"),
)


def fleet_graph(given: Mapping[str, Any]) -> tuple[Process, ...]:
    """The processes that run here, robots first; the monitor, where there is a dispatcher, is the last.

    Args:
        given: arguments by name, as values or as text; those not given have their defaults.

    Raises:
        UserError: an unknown argument, a value of the wrong type, or parts that do not fit together.
    """
    run = parse_arguments(given, FLEET_ARGUMENTS)
    if not run["fleet"]:
        raise UserError("argument fleet: name the fleet's configuration, such as fleet:=fleet.yaml")
    path = Path(run["fleet"])
    config = Config.from_yaml(path)
    part, names = _part(run, config)
    steering = steering_of(run)
    choose("mode", run["mode"], ("", *MODES))
    policy = run["policy"] or _solved(run, config, part)
    bundle = load_policies(policy, config)
    common: dict[str, Any] = {"config": str(path.resolve()), "policy": str(Path(policy).resolve())}
    common |= {"use_sim_time": True} if run["use_sim_time"] else {}
    kept = (
        str(Path(run["state_dir"]).expanduser().resolve())
        if run["state_dir"] not in ("", KEEP_NONE)
        else run["state_dir"]
    )
    steered = common | {"mode": run["mode"], "seed": run["seed"], "state_dir": kept}
    robots = _robot_processes(names, run["robots_per_process"], steered) if part != "dispatcher" else ()
    if part == "robots":
        return robots
    steering.check(config, bundle)
    if run["out"]:
        run["out"] = str(run_folder(run["out"]))
    deciding = {name: run[name] for name in ("k", "rule", "observer", "sampling", "rho", "kappa", "checkpoint")}
    watching = {"duration": run["duration"], "out": run["out"]}
    recording, monitor = recorder_of(run), Process("monitor", common | watching)
    dispatcher = Process("dispatcher", steered | deciding | heard_by(monitor, *recording), respawn=True)
    return (*robots, *recording, dispatcher, monitor)


def _part(run: Mapping[str, Any], config: Config) -> tuple[str, tuple[str, ...]]:
    """What runs here, and which robots."""
    choose("part", run["part"], PARTS)
    if run["robots_per_process"] < 1:
        raise UserError("argument robots_per_process: expected 1 or more")
    if not run["robot"]:
        return run["part"], config.robots
    if run["robot"] not in config.robots:
        hint = suggestion(run["robot"], config.robots)
        raise UserError(f"argument robot: {run['robot']!r} is not in the fleet of {config.source}{hint}")
    if run["part"] == "dispatcher":
        raise UserError("argument robot: with part dispatcher no robot runs here: leave one of them out")
    return "robots", (run["robot"],)


def _solved(run: Mapping[str, Any], config: Config, part: str) -> str:
    if part != "all":
        raise UserError(
            "argument policy: name the bundle (.npz), a copy of the same file on every computer: "
            "dispatcher and robots play one policy"
        )
    from .policies import cached_policy  # takes the solver, which a robot's computer lacks

    return str(cached_policy(config, run["k"] or config.dispatcher.k, run["observer"] or config.dispatcher.observer))


def _robot_processes(names: Sequence[str], size: int, common: Mapping[str, Any]) -> tuple[Process, ...]:
    groups = [list(names[i : i + size]) for i in range(0, len(names), size)]
    if len(groups) > MOST_NODES:
        least = math.ceil(len(names) / MOST_NODES)
        raise UserError(
            f"argument robots_per_process: {len(names)} robots by {size} are {len(groups)} processes, and a computer "
            f"carries {MOST_NODES}: expected {least} or more; or start robots on their own computers, by part and robot"
        )
    return tuple(Process("robot", {**common, "robots": group}, name=node_name(group), respawn=True) for group in groups)
