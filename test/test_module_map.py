"""Which folder may know which: the rules of the house, read from the sources and tried out in fresh interpreters."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("solver", "sim", "dispatcher_node", "robot_node")
SOURCES = sorted(
    path
    for folder in (*FOLDERS, "meanfleet")
    for path in (ROOT / folder).rglob("*.py")
    # The links in meanfleet/ lead to the same files once more.
    if not any(parent.is_symlink() for parent in path.parents)
)


def name(path: Path) -> str:
    """Module as it is imported: solver/game.py is meanfleet.solver.game."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts if parts[0] == "meanfleet" else ("meanfleet", *parts))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """(absolute name, level) of every import statement in a file, wherever it stands."""
    package = name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            target = ".".join([*base, *([node.module] if node.module else [])])
            if target in ("meanfleet", "") or node.module is None:
                yield from ((f"{target}.{alias.name}", node.level) for alias in node.names)
            else:
                yield target, node.level


# From the ground up: a module imports from floors below its own and from its own room, never from above or beside.
FLOORS = (
    ("base",),
    ("space",),
    ("config",),
    ("solver",),
    ("floors",),
    ("safety",),
    ("ros",),
    ("dispatcher_node", "robot_node", "sim"),
    ("families",),
    ("running",),
    ("operating", "studies"),
    ("cli",),
)
ROOMS = {room: height for height, floor in enumerate(FLOORS) for room in floor}
OLD_PLACES = {"meanfleet.bundle", "meanfleet.errors", "meanfleet.filtering"}  # doors for programs of before the floors
# The modules that import ROS; whatever else there is can be read, tested and reused without it.
ROS = {
    *(f"meanfleet.ros.{module}" for module in ("conversions", "estop", "exclusive", "managed", "node")),
    *(f"meanfleet.robot_node.{module}" for module in ("action_sender", "conversions", "goal_senders", "node")),
    *(
        "meanfleet.dispatcher_node.node",
        "meanfleet.sim.conversions",
        "meanfleet.sim.node",
        "meanfleet.sim.recorder.node",
    ),
    *("meanfleet.running.node", "meanfleet.operating.doctor.node", "meanfleet.operating.watch.node"),
}
MODULES = {name(path): path for path in SOURCES}


def room(module: str) -> str:
    """Top folder of a module of the package; empty for what lies in the package itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def is_ros(module: str) -> bool:
    top = module.split(".")[0]
    return top in ("rclpy", "builtin_interfaces", "rosgraph_msgs") or top.endswith(("_msgs", "_srvs", "_interfaces"))


def known(module: str) -> str:
    """The module, or the one that a name imported from it is in."""
    while module and module not in MODULES:
        module = module.rpartition(".")[0]
    return module


def test_the_sources_were_found() -> None:
    assert {f"meanfleet.{folder}" for folder in FOLDERS} <= set(MODULES)
    assert {"meanfleet", "meanfleet.solver.bundle.policy", "meanfleet.sim.backends.model"} <= set(MODULES)
    assert ("meanfleet.solver.game", 2) in set(imports(ROOT / "solver" / "fleet" / "counts.py"))


def test_every_room_has_its_floor() -> None:
    assert {room(module) for module in MODULES} - {"", "__main__"} - {room(old) for old in OLD_PLACES} == set(ROOMS)


def test_imports_point_down() -> None:
    found = [
        f"{module} -> {other}"
        for module, path in MODULES.items()
        for other, _ in imports(path)
        if room(module) in ROOMS and room(other) in ROOMS and room(module) != room(other)
        if ROOMS[room(other)] >= ROOMS[room(module)]
    ]
    assert found == []


def test_no_module_imports_itself_through_others() -> None:
    arrows = {
        module: {known(other) for other, _ in imports(path) if other.startswith("meanfleet")} - {module, "meanfleet"}
        for module, path in MODULES.items()
    }
    list(TopologicalSorter(arrows).static_order())  # a CycleError shows the circle


def test_these_modules_alone_import_ros() -> None:
    assert {module for module, path in MODULES.items() for other, _ in imports(path) if is_ros(other)} == ROS


@pytest.mark.parametrize(
    ("package", "home"),
    [
        ("pybullet", ("sim/backends/bullet", "meanfleet/families/line/bullet")),
        ("jax", "solver/continuous/learning"),
        ("optax", "solver/continuous/learning"),
        ("typer", "meanfleet/cli"),
    ],
)
def test_a_heavy_package_has_one_home(package: str, home: str | tuple[str, ...]) -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        for module, _ in imports(path)
        if module.split(".")[0] in (package, f"{package}_data", f"{package}_utils")
        and not path.relative_to(ROOT).as_posix().startswith(home)
    ]
    assert found == []


def test_imports_are_relative_inside_a_room_and_absolute_across() -> None:
    found = [
        f"{module}: {other}"
        for module, path in MODULES.items()
        for other, level in imports(path)
        if other.split(".")[0] in ("meanfleet", *FOLDERS) and room(module) in ROOMS
        if other.split(".")[0] in FOLDERS or (room(other) == room(module)) != (level > 0)
    ]
    assert found == []


def test_old_places_lead_to_the_new_ones() -> None:
    for old in sorted(OLD_PLACES):
        door = importlib.import_module(old)
        assert [getattr(door, name).__name__ for name in door.__all__] == door.__all__
        assert MODULES[old].read_text(encoding="utf-8").startswith('"""The old place of what is in `meanfleet.')


def test_nothing_hides_the_package_launch() -> None:
    assert not (ROOT / "launch" / "__init__.py").exists()


# --- in a fresh interpreter

BLOCKED = """
import importlib, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top in {names!r} or top.endswith(("_msgs", "_srvs", "_interfaces")):
            raise ImportError(f"{{name}} is blocked")

sys.meta_path.insert(0, Blocker())
try:
    importlib.import_module({first!r})
except ImportError:
    pass
else:
    sys.exit("the block does not work")
for name in {modules!r}:
    importlib.import_module(name)
"""


def import_without(blocked: set[str], modules: list[str]) -> subprocess.CompletedProcess[str]:
    code = BLOCKED.format(names=blocked, first=min(blocked), modules=modules)
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)


ROBOT_SIDE = [
    "meanfleet.solver.bundle.policy",
    "meanfleet.config",
    "meanfleet.floors.ring",
    "meanfleet.space.zone_map",
    "meanfleet.dispatcher_node.dispatcher",
    "meanfleet.dispatcher_node.gather",
    "meanfleet.dispatcher_node.report",
    "meanfleet.dispatcher_node.steering",
    "meanfleet.dispatcher_node.observers",
    "meanfleet.dispatcher_node.sampling",
    "meanfleet.families.line.dispatcher",
    "meanfleet.solver.bundle.loading",
    "meanfleet.robot_node.making",
    "meanfleet.families.line.team",
    "meanfleet.robot_node.robot",
    "meanfleet.robot_node.team",
]


@pytest.mark.parametrize("module", ROBOT_SIDE)
def test_a_robot_needs_numpy_yaml_and_pydantic_only(module: str) -> None:
    """A robot's computer installs rclpy, numpy, pyyaml and pydantic, nothing else; here even without rclpy."""
    heavy = {"numba", "scipy", "matplotlib", "pybullet", "typer", "rich", "joblib", "jax", "optax", "rclpy", "rosbags"}
    result = import_without(heavy, [module])
    assert result.returncode == 0, result.stderr


def test_everything_but_the_nodes_and_bullet_imports_without_ros_pybullet_and_jax() -> None:
    modules = [
        name(path)
        for path in SOURCES
        if name(path) not in ROS
        and path.name not in ("conversions.py", "bullet.py", "__main__.py")
        and "continuous/learning" not in path.as_posix()
    ]
    assert len(modules) > 40
    result = import_without({"rclpy", "pybullet", "jax"}, modules)
    assert result.returncode == 0, result.stderr


def test_the_block_is_able_to_fail() -> None:
    result = import_without({"numba"}, ["meanfleet.solver.fleet", "meanfleet.solver.next_law"])
    assert result.returncode != 0
    assert "numba is blocked" in result.stderr
