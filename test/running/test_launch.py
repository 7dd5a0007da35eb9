"""The launch files declare and start exactly what the process graphs say.

With the real `launch` and `launch_ros` installed they are used; they come with ROS 2 only, so elsewhere recorders with
the same constructors stand in for them, and what the launch file hands over is compared all the same.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from meanfleet.base.errors import UserError
from meanfleet.running.fleet import FLEET_ARGUMENTS, fleet_graph
from meanfleet.running.graph import ARGUMENTS, MODULES, parse_arguments, warehouse_graph

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "config" / "fleet.example.yaml"
GIVEN = {"n": "20", "k": "5", "backend": "kinematic", "seed": "4", "duration": "80", "gui": "false"}


@dataclass
class Call:
    """A recorded construction."""

    kind: str
    positional: tuple[Any, ...]
    named: dict[str, Any]


class Recorder(ModuleType):
    """A module whose every name records how it is called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "LaunchConfiguration":
            return Configuration
        return lambda *positional, **named: Call(name, positional, named)


class Configuration:
    """Reads its value from the context, as launch's does."""

    def __init__(self, name: str) -> None:
        self.name = name

    def perform(self, context: dict[str, str]) -> str:
        return context[self.name]


@pytest.fixture
def launch_file(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The launch file as a module, on recorders."""
    names = ("launch", "launch.actions", "launch.event_handlers", "launch.events", "launch.substitutions")
    for name in (*names, "launch_ros", "launch_ros.actions"):
        monkeypatch.setitem(sys.modules, name, Recorder(name))
    return load()


def load(name: str = "warehouse") -> Any:
    path = ROOT / "launch" / f"{name}.launch.py"
    spec = importlib.util.spec_from_file_location(f"{name}_launch", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_launch_file_starts_the_process_graph(launch_file: Any, demo_path: Path, demo_policy: Path) -> None:
    """Arguments with defaults and descriptions, executables and parameters: all equal to the graph's."""
    (entities,) = launch_file.generate_launch_description().positional
    declared = {
        call.positional[0]: (call.named["default_value"], call.named["description"])
        for call in entities
        if call.kind == "DeclareLaunchArgument"
    }
    assert declared == {argument.name: (str(argument.default), argument.help) for argument in ARGUMENTS}

    given = {name: default for name, (default, _) in declared.items()}
    given |= GIVEN | {"config": str(demo_path), "policy": str(demo_policy)}
    (opaque,) = [call for call in entities if call.kind == "OpaqueFunction"]
    started = opaque.named["function"](given)
    nodes = [call.named for call in started if call.kind == "Node"]
    graph = warehouse_graph(given)
    assert [(node["package"], node["executable"], node["parameters"]) for node in nodes] == [
        ("meanfleet", process.executable, [process.parameters]) for process in graph
    ]
    handlers = [call for call in started if call.kind == "RegisterEventHandler"]
    assert len(handlers) == len(nodes), "the run ends when any process ends"


def test_the_real_launch_package_accepts_the_file() -> None:
    """The same with ROS 2's own launch, where it is installed."""
    pytest.importorskip("launch_ros.actions", reason="launch and launch_ros come with a ROS 2 installation only")
    for name, arguments in (("warehouse", ARGUMENTS), ("fleet", FLEET_ARGUMENTS)):
        description = load(name).generate_launch_description()
        names = {argument.name for argument in description.get_launch_arguments()}
        assert names == {argument.name for argument in arguments}


@pytest.mark.parametrize("given", [{}, {"part": "dispatcher", "k": "2"}, {"robot": "amr_3", "use_sim_time": "true"}])
def test_the_fleets_launch_file_starts_the_fleets_graph(
    launch_file: Any, fleet_policy: Path, given: dict[str, str]
) -> None:
    """Executables, names and parameters are the graph's; what dies is started again, a mistake ends all."""
    module = load("fleet")
    (entities,) = module.generate_launch_description().positional
    declared = {call.positional[0]: call.named["default_value"] for call in entities if call.kind != "OpaqueFunction"}
    assert declared == {argument.name: str(argument.default) for argument in FLEET_ARGUMENTS}
    values = declared | {"fleet": str(EXAMPLE), "policy": str(fleet_policy)} | given
    (opaque,) = [call for call in entities if call.kind == "OpaqueFunction"]
    started = opaque.named["function"](values)
    nodes = [call.named for call in started if call.kind == "Node"]
    graph = fleet_graph(values)
    assert [(node["executable"], node["name"], node["parameters"], node["respawn"]) for node in nodes] == [
        (process.executable, process.name or None, [process.parameters], process.respawn) for process in graph
    ]
    handlers = [call.positional[0].named["on_exit"] for call in started if call.kind == "RegisterEventHandler"]
    for process, handler in zip(graph, handlers, strict=True):
        assert [bool(handler(Ending(code), None)) for code in (2, 1)] == [True, process.executable == "monitor"]


@dataclass
class Ending:
    """The event that a process has ended."""

    returncode: int


def test_executables_are_console_scripts_and_modules() -> None:
    """`ros2 run meanfleet X` and `meanfleet up` start the same modules."""
    setup = (ROOT / "setup.py").read_text()
    for executable, module in MODULES.items():
        assert f"{executable} = {module}:main" in setup
        assert importlib.util.find_spec(module) is not None


def test_the_graph_fits_together(demo_path: Path, demo_policy: Path) -> None:
    """All processes read one configuration; all but the world, which makes the clock, follow simulated time."""
    graph = warehouse_graph(GIVEN | {"config": str(demo_path), "policy": str(demo_policy)})
    assert [process.executable for process in graph] == ["world", "robot", "dispatcher", "monitor"]
    assert {process.parameters["config"] for process in graph} == {str(demo_path)}
    assert {process.parameters["n"] for process in graph} == {20}
    assert ["use_sim_time" in process.parameters for process in graph] == [False, True, True, True]


def test_the_first_tick_waits_for_whoever_keeps_it(demo_path: Path, demo_policy: Path, tmp_path: Path) -> None:
    given = {"config": str(demo_path), "policy": str(demo_policy)}
    for record, expected in (("", ["monitor"]), (str(tmp_path / "bag"), ["monitor", "recorder"])):
        graph = {process.executable: process for process in warehouse_graph(GIVEN | given | {"record": record})}
        assert graph["dispatcher"].parameters["await_nodes"] == expected


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"durration": "3"}, "unknown argument 'durration' (did you mean 'duration'?)"),
        ({"n": "many"}, "argument n: expected a whole number, not 'many'"),
        ({"k": "-1"}, "argument k: expected 0 or more"),
        ({"gui": "perhaps"}, "argument gui: expected true or false"),
        ({"duration": "nan"}, "argument duration: expected 0 or more"),
    ],
)
def test_wrong_arguments_are_refused(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_arguments(given)
    assert sentence in str(caught.value)


def test_k_above_n_is_refused_before_anything_starts(demo_path: Path, demo_policy: Path) -> None:
    with pytest.raises(UserError, match="k = 5, but the fleet has 3 robots"):
        warehouse_graph({"config": str(demo_path), "policy": str(demo_policy), "n": "3", "k": "5"})


@pytest.mark.parametrize(("name", "value"), [("observer", "kalman"), ("sampling", "quota"), ("rule", "learnt")])
def test_an_unknown_choice_is_refused_before_anything_is_solved(demo_path: Path, name: str, value: str) -> None:
    with pytest.raises(UserError, match=f"argument {name}: '{value}' is unknown"):
        warehouse_graph({"config": str(demo_path), name: value})


def test_observer_sampling_rho_and_kappa_reach_the_dispatcher(demo_path: Path, demo_policy: Path) -> None:
    given = {"config": str(demo_path), "policy": str(demo_policy), "n": "20", "k": "3", "observer": "dirichlet",
             "sampling": "stratified", "rho": "0.9", "kappa": "8"}  # fmt: skip
    dispatcher = warehouse_graph(given)[2]
    assert {name: dispatcher.parameters[name] for name in ("k", "observer", "sampling", "rho", "kappa")} == {
        "k": 3, "observer": "dirichlet", "sampling": "stratified", "rho": 0.9, "kappa": 8,
    }  # fmt: skip


def test_a_kappa_that_the_policy_does_not_hold_is_refused(demo_path: Path, demo_policy: Path) -> None:
    with pytest.raises(UserError, match="kappa = 9, but the policy holds a filter for kappa = 8"):
        warehouse_graph({"config": str(demo_path), "policy": str(demo_policy), "n": "20", "k": "5", "kappa": "9"})
