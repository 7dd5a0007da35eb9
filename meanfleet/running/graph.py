"""The graph of processes of a warehouse run: one description, started by the launch file and by `meanfleet up`.

Importing it takes nothing that a robot's computer lacks; solver and worlds are imported where a run needs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meanfleet.base.errors import UserError, suggestion
from meanfleet.base.resources import config_file
from meanfleet.config import Config
from meanfleet.dispatcher_node.dispatcher import RULES
from meanfleet.dispatcher_node.observers import OBSERVERS
from meanfleet.dispatcher_node.sampling import DESIGNS
from meanfleet.dispatcher_node.steering import Steering
from meanfleet.safety import KEEP_NONE
from meanfleet.solver.bundle.loading import load_policies

from .folder import run_folder

MODULES = {
    "world": "meanfleet.sim.node",
    "robot": "meanfleet.robot_node.node",
    "dispatcher": "meanfleet.dispatcher_node.node",
    "monitor": "meanfleet.running.node",
    "recorder": "meanfleet.sim.recorder.node",
}


@dataclass(frozen=True)
class Argument:
    """An argument of a run, as launch argument and as command-line option."""

    name: str
    default: bool | int | float | str
    help: str


ARGUMENTS: tuple[Argument, ...] = (
    Argument("config", "", "configuration (YAML); empty: the demo's"),
    Argument("policy", "", "policy bundle (.npz); empty: solved once for the configuration and kept in the cache"),
    Argument("n", 0, "robots; 0: as the configuration says"),
    Argument("k", 0, "robots polled per tick; 0: as the configuration says"),
    Argument("backend", "", "bullet, kinematic or model; empty: as the configuration says"),
    Argument("gui", False, "open PyBullet's window"),
    Argument("rule", "learned", "dispatcher: learned, hold or random"),
    Argument("observer", "", "memoryless, dirichlet or particle; empty: as the configuration says"),
    Argument(
        "sampling", "", "uniform, oldest, stratified, nearest, weighted, graphon; empty: as the configuration says"
    ),
    Argument("rho", 0.0, "share of the belief that survives a tick; 0: as the configuration or the policy says"),
    Argument("kappa", 0, "κ of the policy's filter to ask; 0: as the policy says"),
    Argument("duration", 0.0, "[s, simulated] until the run ends; 0: until interrupted"),
    Argument("real_time_factor", -1.0, "simulated per wall seconds; 0: as fast as possible; -1: configuration"),
    Argument("seed", 0, "of start, robots and dispatcher"),
    Argument("out", "", "folder for the run's log and summary; empty: none"),
    Argument("record", "", "folder for a bag of the run, new or empty; empty: none"),
)


@dataclass(frozen=True)
class Process:
    """One process: the executable of `ros2 run meanfleet EXECUTABLE` and its ROS parameters.

    Attributes:
        executable: of `ros2 run`.
        parameters: by name.
        name: of its node where the executable's own would not be the only one; empty: the executable's own.
        respawn: whether it is started again when it dies, instead of the run's end.
    """

    executable: str
    parameters: dict[str, Any]
    name: str = ""
    respawn: bool = False

    @property
    def module(self) -> str:
        """Python module of the executable."""
        return MODULES[self.executable]


def warehouse_graph(given: Mapping[str, Any], solve_missing: bool = True) -> tuple[Process, ...]:
    """The processes of a run, in the order they are started; the run ends when the last one, the monitor, does.

    Args:
        given: arguments by name, as values or as text; those not given have their defaults.
        solve_missing: solve the game if no policy is given and none is cached.

    Raises:
        UserError: an unknown argument, a value of the wrong type, or parts that do not fit together.
    """
    from meanfleet.sim.world import check_world

    from .policies import cached_policy

    run = parse_arguments(given)
    path = Path(run["config"]) if run["config"] else config_file("demo.yaml")
    config = Config.from_yaml(path).with_robots(run["n"] or None)
    check_world(config, run["backend"], run["gui"])
    steering = steering_of(run)
    policy = run["policy"]
    if not policy and solve_missing:
        observer = run["observer"] or config.dispatcher.observer
        policy = str(cached_policy(config, run["k"] or config.dispatcher.k, observer))
    if policy:
        bundle = load_policies(policy, config)
        steering.check(config, bundle)
    if run["out"]:
        run["out"] = str(run_folder(run["out"]))
    common = {"config": str(path.resolve()), "n": run["n"]}
    policies = {
        "policy": str(Path(policy).resolve()) if policy else "",
        "state_dir": KEEP_NONE,
    }  # every run is a new one
    world = {name: run[name] for name in ("backend", "gui", "real_time_factor", "seed")}
    deciding = {name: run[name] for name in ("k", "rule", "seed", "observer", "sampling", "rho", "kappa")}
    watching = {"duration": run["duration"], "out": run["out"]}
    simulated = {"use_sim_time": True}
    recording = recorder_of(run)
    monitor = Process("monitor", common | {"policy": policies["policy"]} | watching | simulated)
    return (
        *recording,
        Process("world", common | world),
        Process("robot", common | policies | {"seed": run["seed"]} | simulated),
        Process("dispatcher", common | policies | deciding | simulated | heard_by(monitor, *recording)),
        monitor,
    )


def recorder_of(run: Mapping[str, Any]) -> list[Process]:
    """The recorder of a run, if it has one."""
    return [Process("recorder", {"out": str(Path(run["record"]).resolve())})] if run["record"] else []


def heard_by(*listening: Process) -> dict[str, Any]:
    """The dispatcher's parameter by which logs and bags have its first tick; none where nobody listens."""
    names = [process.executable for process in listening]
    return {"await_nodes": names} if names else {}


def steering_of(run: Mapping[str, Any]) -> Steering:
    """What the arguments of a run change of its configuration's dispatcher.

    Raises:
        UserError: an unknown rule, observer or design.
    """
    choose("rule", run["rule"], RULES)
    choose("observer", run["observer"], ("", *OBSERVERS))
    choose("sampling", run["sampling"], ("", *DESIGNS))
    return Steering(run["k"] or None, run["observer"], run["sampling"], run["rho"] or None, run["kappa"] or None)


def choose(argument: str, value: str, known: tuple[str, ...]) -> None:
    """Raise UserError unless the value is among those known."""
    if value not in known:
        raise UserError(f"argument {argument}: {value!r} is unknown: choose from {', '.join(filter(None, known))}")


def parse_arguments(given: Mapping[str, Any], arguments: tuple[Argument, ...] = ARGUMENTS) -> dict[str, Any]:
    """All arguments with their types, from values or texts.

    Raises:
        UserError: an unknown argument or a value of the wrong type.
    """
    known = {argument.name: argument for argument in arguments}
    for name in given:
        if name not in known:
            raise UserError(f"unknown argument {name!r}{suggestion(name, known)}")
    return {argument.name: _parse(argument, given.get(argument.name, argument.default)) for argument in arguments}


def _parse(argument: Argument, value: Any) -> Any:
    kind = type(argument.default)
    if kind is bool:
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("true", "false", "1", "0"):
            return str(value).lower() in ("true", "1")
        raise UserError(f"argument {argument.name}: expected true or false, not {value!r}")
    try:
        parsed = kind(value)
    except ValueError:
        expected = {int: "a whole number", float: "a number"}[kind]
        raise UserError(f"argument {argument.name}: expected {expected}, not {value!r}") from None
    if isinstance(parsed, int | float) and (parsed != parsed or (parsed < 0 and parsed != argument.default)):
        raise UserError(f"argument {argument.name}: expected 0 or more, not {value!r}")
    return parsed
