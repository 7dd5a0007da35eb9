"""Which folder may know which: the rules of the house, read from the sources and tried out in fresh interpreters."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("solver", "sim", "dispatcher_node", "robot_node")
ROS_FILES = ("node.py", "conversions.py")
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


def area(module: str) -> str:
    """Top folder of a module of the package, `meanfleet` for what lies in the package itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FOLDERS else "meanfleet"


def is_ros(module: str) -> bool:
    top = module.split(".")[0]
    return top in ("rclpy", "builtin_interfaces", "rosgraph_msgs") or top.endswith(("_msgs", "_srvs", "_interfaces"))


def test_the_sources_were_found() -> None:
    names = {name(path) for path in SOURCES}
    assert {f"meanfleet.{folder}" for folder in FOLDERS} <= names
    assert {"meanfleet", "meanfleet.bundle", "meanfleet.solver.game", "meanfleet.sim.backends.model"} <= names
    assert ("meanfleet.solver.game", 2) in set(imports(ROOT / "solver" / "fleet" / "counts.py"))


def test_only_nodes_and_conversions_know_ros() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {module}"
        for path in SOURCES
        for module, _ in imports(path)
        if is_ros(module) and path.name not in ROS_FILES
    ]
    assert found == []


@pytest.mark.parametrize(
    ("package", "home"),
    [
        ("pybullet", "sim/backends/bullet"),
        ("jax", "solver/continuous/learning"),
        ("optax", "solver/continuous/learning"),
        ("typer", "meanfleet/cli"),
    ],
)
def test_a_heavy_package_has_one_home(package: str, home: str) -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        for module, _ in imports(path)
        if module.split(".")[0] in (package, f"{package}_data", f"{package}_utils")
        and not path.relative_to(ROOT).as_posix().startswith(home)
    ]
    assert found == []


def test_the_solver_knows_neither_worlds_nor_nodes_nor_the_command_line() -> None:
    forbidden = (
        *(f"meanfleet.{folder}" for folder in FOLDERS[1:]),
        "meanfleet.running",
        "meanfleet.cli",
        "meanfleet.ros",
    )
    found = [
        f"{path.relative_to(ROOT)}: {module}"
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] == "solver"
        for module, _ in imports(path)
        if f"{module}.".startswith(tuple(f"{prefix}." for prefix in forbidden))
    ]
    assert found == []


# A replay runs the dispatcher's own decision code on a recorded fleet: the one arrow between these folders.
ARROWS = {("sim/replay", "dispatcher_node")}


def test_worlds_dispatcher_and_robots_do_not_know_each_other() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {module}"
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] in FOLDERS[1:]
        for module, _ in imports(path)
        if module.startswith("meanfleet.") and area(module) in set(FOLDERS[1:]) - {path.relative_to(ROOT).parts[0]}
        if (path.relative_to(ROOT).parent.as_posix(), area(module)) not in ARROWS
    ]
    assert found == []


def test_parts_do_not_know_runs_or_the_command_line() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {module}"
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] in FOLDERS
        for module, _ in imports(path)
        if f"{module}.".startswith(("meanfleet.running.", "meanfleet.cli."))
    ]
    assert found == []


def test_imports_are_relative_inside_a_folder_and_absolute_across() -> None:
    found = []
    for path in SOURCES:
        here = path.relative_to(ROOT).parts[0]
        for module, level in imports(path):
            if module.split(".")[0] in FOLDERS:
                found.append(f"{path.relative_to(ROOT)}: {module} lacks 'meanfleet.'")
            if here not in FOLDERS or not module.startswith("meanfleet"):
                continue
            if (area(module) == here) != (level > 0):
                found.append(f"{path.relative_to(ROOT)}: {module}")
    assert found == []


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
    "meanfleet.bundle",
    "meanfleet.config",
    "meanfleet.layout",
    "meanfleet.zone_map",
    "meanfleet.dispatcher_node.dispatcher",
    "meanfleet.dispatcher_node.gather",
    "meanfleet.dispatcher_node.report",
    "meanfleet.dispatcher_node.steering",
    "meanfleet.dispatcher_node.observers",
    "meanfleet.dispatcher_node.sampling",
    "meanfleet.dispatcher_node.line",
    "meanfleet.loading",
    "meanfleet.robot_node.crew",
    "meanfleet.robot_node.line",
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
        if path.name not in (*ROS_FILES, "bullet.py", "bullet_line.py", "__main__.py")
        and "continuous/learning" not in path.as_posix()
    ]
    assert len(modules) > 40
    result = import_without({"rclpy", "pybullet", "jax"}, modules)
    assert result.returncode == 0, result.stderr


def test_the_block_is_able_to_fail() -> None:
    result = import_without({"numba"}, ["meanfleet.solver.fleet", "meanfleet.solver.next_law"])
    assert result.returncode != 0
    assert "numba is blocked" in result.stderr
