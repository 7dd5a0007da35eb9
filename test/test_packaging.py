"""What gets installed, and that setup.py, package.xml, the links, the entry points and the wheel agree on it."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import meanfleet

ROOT = Path(__file__).resolve().parent.parent
LINKS = ("solver", "sim", "dispatcher_node", "robot_node")
BUILD_WHEEL = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"


@pytest.fixture(scope="module")
def arguments() -> dict[str, Any]:
    """What setup.py passes to `setup()`."""
    pytest.importorskip("setuptools", reason="setuptools is not importable")
    caught: dict[str, Any] = {}
    script = ROOT / "setup.py"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr("setuptools.setup", caught.update)
        exec(compile(script.read_text(encoding="utf-8"), script, "exec"), {"__file__": str(script)})
    return caught


@pytest.fixture(scope="module")
def manifest() -> ElementTree.Element:
    return ElementTree.parse(ROOT / "package.xml").getroot()


def modules() -> list[Path]:
    """All Python files of the five code folders as an installed package has them, e.g. meanfleet/solver/__init__.py."""
    return sorted(
        Path(folder, name).relative_to(ROOT)
        for folder, _, names in os.walk(ROOT / "meanfleet", followlinks=True)
        for name in names
        if name.endswith(".py")
    )


@pytest.mark.parametrize("folder", LINKS)
def test_code_folders_are_linked_into_the_package(folder: str) -> None:
    link = ROOT / "meanfleet" / folder
    assert link.is_symlink()
    assert os.readlink(link) == f"../{folder}"
    assert (link / "__init__.py").is_file()


def test_setup_lists_every_folder_with_code(arguments: dict[str, Any]) -> None:
    folders = {module.parent for module in modules()}
    assert sorted(arguments["packages"]) == sorted(".".join(folder.parts) for folder in folders)
    assert [folder for folder in folders if not (ROOT / folder / "__init__.py").is_file()] == []


def test_launch_holds_only_launch_files() -> None:
    # An __init__.py there would hide the package `launch` from whoever runs Python in this folder's parent.
    names = [path.name for path in (ROOT / "launch").glob("*.py")]
    assert [name for name in names if not name.endswith(".launch.py")] == []


def test_package_xml_is_a_format_3_ament_python_manifest(manifest: ElementTree.Element) -> None:
    assert manifest.tag == "package"
    assert manifest.get("format") == "3"
    assert manifest.findtext("export/build_type") == "ament_python"
    required = [manifest.findtext(tag) for tag in ("name", "version", "description", "maintainer", "license")]
    assert all(required)
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest.findtext("version", ""))
    depends = [element.text for element in manifest if element.tag.endswith("depend")]
    assert len(depends) == len(set(depends))


def test_name_version_and_license_are_the_same_everywhere(
    arguments: dict[str, Any], manifest: ElementTree.Element
) -> None:
    assert manifest.findtext("name") == arguments["name"] == meanfleet.__name__
    assert manifest.findtext("version") == arguments["version"] == meanfleet.__version__
    assert manifest.findtext("license") == arguments["license"]
    assert (ROOT / "resource" / arguments["name"]).is_file()


def test_package_xml_names_the_pip_requirements_it_cannot_depend_on(
    arguments: dict[str, Any], manifest: ElementTree.Element
) -> None:
    text = (ROOT / "package.xml").read_text(encoding="utf-8")
    keys = {element.text for element in manifest if element.tag == "exec_depend"}
    missing = [
        requirement
        for requirement in arguments["install_requires"]
        if f'"{requirement}"' not in text and f"python3-{_project(requirement).removeprefix('py')}" not in keys
    ]
    assert missing == []


# Python packages whose distributions have another name.
MODULES_OF = {"pyyaml": "yaml", "scikit-learn": "sklearn"}


def imported() -> dict[str, set[str]]:
    """Top-level names that the code, launch files included, imports anywhere, each with the files."""
    found: dict[str, set[str]] = {}
    for path in (*modules(), *(ROOT / "launch").glob("*.py")):
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [str(node.module)]
            else:
                continue
            for name in names:
                found.setdefault(name.split(".")[0], set()).add(str(path))
    return found


def test_package_xml_depends_on_every_ros_package_that_is_imported(
    arguments: dict[str, Any], manifest: ElementTree.Element
) -> None:
    """What is imported is Python's own, comes by pip, or is a ROS package, and these are named for rosdep."""
    extras = (line for name, lines in arguments["extras_require"].items() if name != "ros" for line in lines)
    by_pip = {_project(line) for line in (*arguments["install_requires"], *extras)}
    python = {MODULES_OF.get(name, name) for name in by_pip} | sys.stdlib_module_names | {"meanfleet"}
    ros = {name: files for name, files in imported().items() if name not in python}
    assert {"rclpy", "action_msgs", "rosidl_generator_py", "launch"} <= ros.keys(), "the search finds them"
    depends = {element.text for element in manifest if element.tag in ("depend", "exec_depend")}
    assert {name: files for name, files in ros.items() if name not in depends} == {}


def test_package_xml_depends_on_the_ros2_commands_that_are_called(manifest: ElementTree.Element) -> None:
    """Those that the code starts; rosbag2 brings `ros2 bag`, and bags are MCAP."""
    depends = {element.text for element in manifest if element.tag in ("depend", "exec_depend")}
    texts = [(ROOT / path).read_text(encoding="utf-8") for path in modules()]
    called = {verb for text in texts for verb in re.findall(r'"ros2",\s*"(?!meanfleet)(\w+)"', text)}
    assert "bag" in called, "the search finds it"
    packages = {"bag": {"rosbag2", "rosbag2_storage_mcap"}}
    wanted = {"ros2launch", "ros2run"}.union(*(packages.get(verb, {f"ros2{verb}"}) for verb in called))
    assert wanted - depends == set()


def _project(requirement: str) -> str:
    return re.split(r"[^\w-]", requirement, maxsplit=1)[0]


def test_entry_points_name_existing_functions(arguments: dict[str, Any]) -> None:
    scripts = dict(re.split(r"\s*=\s*", line) for line in arguments["entry_points"]["console_scripts"])
    assert scripts.keys() == {"meanfleet", "dispatcher", "robot", "world", "monitor", "recorder"}
    assert [script for script, target in scripts.items() if not _defines(*target.split(":"))] == []


def _defines(module: str, function: str) -> bool:
    """Whether `module` binds `function` at its top level; nothing is imported."""
    path = ROOT.joinpath(*module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not source.is_file():
        return False
    names: set[str] = set()
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
    return function in names


def test_ci_runs_make_test_and_nothing_else() -> None:
    script = ROOT / ".ci" / "run"
    lines = [line.strip() for line in script.read_text(encoding="utf-8").splitlines()]
    commands = [line for line in lines if line and not line.startswith(("#", "set -", "cd "))]
    assert "set -euo pipefail" in lines
    assert commands == ["make test"]
    assert os.access(script, os.X_OK)


def copied(copy: Path) -> Path:
    """A folder with a copy of what this tree has for builds."""
    for name in ("meanfleet", *LINKS, "launch", "config", "resource"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "package.xml", "LICENSE", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, copy)
    return copy


@pytest.fixture(scope="module")
def wheel(arguments: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel built from a copy of this tree."""
    copy = copied(tmp_path_factory.mktemp("copy"))
    target = tmp_path_factory.mktemp("wheel")
    build = subprocess.run(
        [sys.executable, "-c", BUILD_WHEEL, target], cwd=copy, capture_output=True, text=True, timeout=120
    )
    assert build.returncode == 0, build.stdout + build.stderr
    (path,) = target.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_wheel_holds_exactly_the_modules(wheel: set[str]) -> None:
    assert sorted(name for name in wheel if name.endswith(".py") and ".data/" not in name) == [
        module.as_posix() for module in modules()
    ]
    assert "meanfleet/py.typed" in wheel


def test_wheel_shares_what_ros_and_users_look_for(wheel: set[str], arguments: dict[str, Any]) -> None:
    shared = {name.split(".data/data/", 1)[1] for name in wheel if ".data/data/" in name}
    expected = {"share/ament_index/resource_index/packages/meanfleet", "share/meanfleet/package.xml"}
    for pattern in ("launch/*.launch.py", "config/*.yaml", "config/*.rviz", "config/*.foxglove.json"):
        expected |= {f"share/meanfleet/{path.relative_to(ROOT).as_posix()}" for path in ROOT.glob(pattern)}
    assert shared == expected
    metadata = {
        name.split("/", 1)[1] for name in wheel if name.startswith(f"meanfleet-{arguments['version']}.dist-info/")
    }
    assert "entry_points.txt" in metadata
    assert any(name.endswith("LICENSE") for name in metadata)


def scripts_of(arguments: dict[str, Any]) -> set[str]:
    return {line.split()[0] for line in arguments["entry_points"]["console_scripts"]}


def test_colcons_install_puts_the_command_line_on_path(arguments: dict[str, Any], tmp_path: Path) -> None:
    """With the commands that colcon gives to setup.py."""
    copy, prefix, record = copied(tmp_path), tmp_path / "prefix", tmp_path / "record.txt"
    command = [
        *(sys.executable, "setup.py", "egg_info", "build", "--build-base", tmp_path / "build"),
        *("install", "--prefix", prefix, "--record", record, "--single-version-externally-managed"),
        *("install_data", "--force"),
    ]
    built = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stdout + built.stderr
    assert str(prefix / "bin" / "meanfleet") in record.read_text().splitlines(), "or colcon would not remove it"
    (packages,) = prefix.glob("lib/python*/site-packages")
    assert {path.name for path in (prefix / "lib" / "meanfleet").iterdir()} == scripts_of(arguments)
    assert [path.name for path in (prefix / "bin").iterdir()] == ["meanfleet"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(packages), *sys.path])}
    for folder in ("bin", "lib/meanfleet"):
        command = [prefix / folder / "meanfleet", "--version"]
        called = subprocess.run(command, cwd=prefix, env=environment, capture_output=True, text=True, timeout=120)
        assert (called.returncode, called.stdout.strip()) == (0, arguments["version"]), called.stderr


@pytest.mark.parametrize("more", [(), ("--symlink-install",)], ids=["copied", "linked"])
def test_colcon_itself_puts_the_command_line_on_path(
    arguments: dict[str, Any], tmp_path: Path, more: tuple[str, ...]
) -> None:
    colcon = shutil.which("colcon")
    if colcon is None:
        pytest.skip("colcon is not installed")
    (tmp_path / "src" / "meanfleet").mkdir(parents=True)
    copied(tmp_path / "src" / "meanfleet")
    built = subprocess.run([colcon, "build", *more], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    found = subprocess.run(
        ["bash", "-c", ". install/setup.bash && command -v meanfleet"], cwd=tmp_path, capture_output=True, text=True
    )
    assert found.stdout.strip() == str(tmp_path / "install" / "meanfleet" / "bin" / "meanfleet"), found.stderr
    nodes = tmp_path / "install" / "meanfleet" / "lib" / "meanfleet"
    assert {path.name for path in nodes.iterdir()} == scripts_of(arguments)


def test_constraints_allow_what_setup_asks_for(arguments: dict[str, Any]) -> None:
    """Every version that `make env` installs is at least the lower bound, and none that it needs is left to chance."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found = re.findall(r"^([\w.-]+)==([\w.+!]+); python_version == \"3\.11\"$", "\n".join(lines), re.MULTILINE)
    pinned = {canonicalize_name(name): version for name, version in found}
    assert len(pinned) == len([line for line in lines if not line.startswith("#")])
    extras = arguments["extras_require"]
    for requirement in map(Requirement, [*arguments["install_requires"], *extras["ros"], *extras["dev"]]):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement


def test_hooks_run_the_tools_of_make_test() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8")
    for hook in hooks:
        tool = hook["entry"].split()[0].rpartition("/")[2]
        assert f"$(BIN)/{tool}" in recipe
    assert yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))["jobs"]
