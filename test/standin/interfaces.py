"""A package `nav2_msgs` with the action NavigateToPose, generated and compiled on the spot.

Nav2's own is in no registry of wheels. The fields have its names, so that a node meant for it can be tried; the text is
ours. ROS 2's wheels bring the generators and headers; what is needed beside is a compiler and Python's headers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PACKAGE, ACTION = "nav2_msgs", "NavigateToPose"
DEFINITION = """\
geometry_msgs/PoseStamped pose
string behavior_tree
---
uint16 error_code
string error_msg
---
geometry_msgs/PoseStamped current_pose
float32 distance_remaining
"""
GENERATE = """
import sys
from pathlib import Path

from ament_index_python import get_package_share_path
from rosidl_adapter.action import convert_action_to_idl
from rosidl_generator_c.cli import GenerateC
from rosidl_generator_py.cli import GeneratePython
from rosidl_generator_type_description.cli import HashTypeDescription
from rosidl_typesupport_c.cli import GenerateCTypesupport
from rosidl_typesupport_fastrtps_c.cli import GenerateFastRTPSCTypesupport

package, action, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
out = folder / package
convert_action_to_idl(folder, package, Path("action") / f"{action}.action", out / "action")
given = package, [f"{out}:action/{action}.idl"], [str(get_package_share_path("geometry_msgs").parent)], out
hashes = HashTypeDescription("").generate_type_hashes(*given)
GenerateC("").generate(*given, hashes)
GenerateFastRTPSCTypesupport("").generate(*given)
GenerateCTypesupport("", typesupport_implementations=["rosidl_typesupport_fastrtps_c"]).generate(*given)
GeneratePython("", typesupport_implementations=["rosidl_typesupport_c"]).generate(*given)
"""


class CannotBuildError(Exception):
    """Something that this machine lacks."""


def build(folder: Path) -> Path:
    """Build the package below a folder; returns what belongs into PYTHONPATH.

    Raises:
        CannotBuildError: there are no generators, no compiler or no headers of Python.
        subprocess.CalledProcessError: they are there and fail.
    """
    compilers = {".c": shutil.which("gcc"), ".cpp": shutil.which("g++")}
    if not all(compilers.values()):
        raise CannotBuildError("no gcc or g++")
    headers = Path(sysconfig.get_path("include"))
    if not (headers / "Python.h").is_file():
        raise CannotBuildError(f"no {headers}/Python.h")
    try:
        import numpy
        import rosidl_adapter
        import rosidl_typesupport_fastrtps_c  # noqa: F401
    except ImportError as error:
        raise CannotBuildError(f"no generators of interfaces ({error})") from None
    (folder / "action").mkdir(parents=True)
    (folder / "action" / f"{ACTION}.action").write_text(DEFINITION)
    prefix = Path(rosidl_adapter.__file__).parents[4]
    found = {"AMENT_PREFIX_PATH": os.pathsep.join(filter(None, (str(prefix), os.environ.get("AMENT_PREFIX_PATH"))))}
    run([sys.executable, "-c", GENERATE, PACKAGE, ACTION, str(folder)], found)

    package = folder / PACKAGE
    (package / "__init__.py").touch()
    includes = [headers, numpy.get_include(), folder, prefix / "include", *sorted((prefix / "include").iterdir())]
    flags = ["-O0", "-fPIC", "-w", *(f"-I{path}" for path in includes)]
    sources = sorted(path for path in package.rglob("*.c*") if path.suffix in compilers)
    with ThreadPoolExecutor() as pool:
        objects = list(pool.map(lambda path: compiled(str(compilers[path.suffix]), path, flags), sources))
    # Everything in one module: Python's side, which imports it by this name, and the type support it asks for.
    module = package / f"{PACKAGE}_s__rosidl_typesupport_c{sysconfig.get_config_var('EXT_SUFFIX')}"
    libraries = [str(path) for path in sorted((prefix / "lib").glob("lib*.so")) if wanted(path.name)]
    run(["g++", "-shared", "-o", str(module), *map(str, objects), *libraries, f"-Wl,-rpath,{prefix / 'lib'}"])
    return folder


def compiled(compiler: str, source: Path, flags: list[str]) -> Path:
    """The object file of a source."""
    target = source.with_suffix(f"{source.suffix}.o")
    run([compiler, *flags, "-c", str(source), "-o", str(target)])
    return target


def wanted(library: str) -> bool:
    """Whether to link to it."""
    return "rosidl" in library or library.startswith(("librcutils", "librmw.", "libfastcdr"))


def run(command: list[str], variables: Mapping[str, str] | None = None) -> None:
    """Run a command with these variables too; what it said is in the error."""
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | (variables or {}), check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} …: {done.stdout[-2000:]}{done.stderr[-4000:]}")
