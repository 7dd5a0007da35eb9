"""How meanfleet is installed, by pip and by colcon alike."""

import shutil
from glob import glob
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from setuptools import setup
from setuptools.command.install_scripts import install_scripts

try:
    from setuptools.command.develop import develop
except ImportError:  # setuptools means to drop it; pip does without
    develop = object

NAME = "meanfleet"

# The folders solver, sim, dispatcher_node and robot_node are packages of meanfleet through the links in meanfleet/.
PACKAGES = (
    "meanfleet",
    "meanfleet.base",
    "meanfleet.cli",
    "meanfleet.config",
    "meanfleet.dispatcher_node",
    "meanfleet.dispatcher_node.observers",
    "meanfleet.dispatcher_node.sampling",
    "meanfleet.families",
    "meanfleet.families.line",
    "meanfleet.families.zones",
    "meanfleet.floors",
    "meanfleet.operating",
    "meanfleet.operating.doctor",
    "meanfleet.operating.watch",
    "meanfleet.robot_node",
    "meanfleet.ros",
    "meanfleet.running",
    "meanfleet.safety",
    "meanfleet.sim",
    "meanfleet.sim.backends",
    "meanfleet.sim.bags",
    "meanfleet.sim.fitting",
    "meanfleet.sim.recorder",
    "meanfleet.studies.replay",
    "meanfleet.solver",
    "meanfleet.solver.bundle",
    "meanfleet.solver.chained",
    "meanfleet.solver.continuous",
    "meanfleet.solver.continuous.learning",
    "meanfleet.solver.dynamics",
    "meanfleet.solver.fleet",
    "meanfleet.solver.logged",
    "meanfleet.solver.meanfield",
    "meanfleet.solver.mfq",
    "meanfleet.solver.next_law",
    "meanfleet.solver.sampled",
    "meanfleet.space",
    "meanfleet.studies",
    "meanfleet.studies.continuous",
    "meanfleet.studies.dynamics",
    "meanfleet.studies.federated",
    "meanfleet.studies.mfq",
    "meanfleet.studies.paper",
    "meanfleet.studies.paper.figures",
    "meanfleet.studies.sweep",
)

CONFIGS = ("yaml", "rviz", "foxglove.json")
CONTINUOUS = ["jax>=0.4.30", "optax>=0.2.2"]
FEDERATED = ["scikit-learn>=1.3"]
DASK = ["dask>=2024.5", "distributed>=2024.5"]
TEST = ["pytest>=8", "pytest-xdist>=3.5", "hypothesis>=6.100", "setuptools>=70.1", "shapely>=2.0"]

DOCS = ["sphinx>=7.3", "myst-parser>=3", "furo>=2024.1.29", "latex2mathml>=3.77"]

VERSION = ElementTree.parse(Path(__file__).parent / "package.xml").findtext("version")  # here alone it is written
README = Path(__file__).parent / "README.md"


def put_on_path(scripts: str) -> list[str]:
    """Copy the command line from PREFIX/lib/meanfleet, where `ros2 run` looks, to PREFIX/bin; returns what was written.

    colcon puts PREFIX/bin on PATH as soon as something is in it. The nodes stay where they are: `robot` and `world` are
    no names for everybody's PATH.
    """
    folder = Path(scripts)
    command = folder / NAME
    if (folder.parent.name, folder.name) != ("lib", NAME) or not command.is_file():
        return []
    target = folder.parents[1] / "bin" / NAME
    target.parent.mkdir(exist_ok=True)
    return [str(shutil.copy(command, target))]


class InstallScripts(install_scripts):
    """`colcon build`."""

    outfiles: list[str]

    def run(self) -> None:
        """Install all console scripts, and the command line once more."""
        super().run()
        self.outfiles += put_on_path(self.install_dir)


class Develop(develop):
    """`colcon build --symlink-install`, which needs a setuptools before 80."""

    def install_egg_scripts(self, dist: Any) -> Any:
        """The same for scripts that lead to the source."""
        super().install_egg_scripts(dist)
        put_on_path(self.script_dir)


setup(
    name=NAME,
    version=VERSION,
    description="A fleet dispatcher that polls k robots instead of n",
    long_description=README.read_text(encoding="utf-8") if README.is_file() else "",
    long_description_content_type="text/markdown",
    maintainer="meanfleet maintainers",
    maintainer_email="maintainers@meanfleet.example",
    license="Apache-2.0",
    packages=list(PACKAGES),
    package_data={NAME: ["py.typed"], f"{NAME}.ros": ["loopback.xml"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", sorted(glob("launch/*.launch.py"))),
        (
            f"share/{NAME}/config",
            [path for kind in CONFIGS for path in sorted(glob(f"config/*.{kind}"))],
        ),
    ],
    cmdclass={"install_scripts": InstallScripts} | ({} if develop is object else {"develop": Develop}),
    zip_safe=False,
    python_requires=">=3.10",
    install_requires=[
        "numpy>=1.24",
        "numba>=0.59",
        "pybullet>=3.2.5",
        "matplotlib>=3.6",
        "pyyaml>=6.0",
        "pydantic>=2.5",
        "typer>=0.12",
        "rich>=13",
        "scipy>=1.11",
        "joblib>=1.5",
        "threadpoolctl>=3.1",
        "rosbags>=0.11",
        "mcap>=1.6",
        "zstandard>=0.22",
    ],
    extras_require={
        # ROS 2 from wheels, for a machine without a ROS 2 installation.
        "ros": [
            "ros-rclpy[fastrtps]>=9.1",
            "ros-std-msgs>=5.5",
            "ros-geometry-msgs>=5.5",
            "ros-nav-msgs>=5.5",
            "ros-sensor-msgs>=5.5",
            "ros-diagnostic-msgs>=5.5",
            "ros-visualization-msgs>=5.5",
            "ros-std-srvs>=5.5",
            "ros-lifecycle-msgs>=2.3",
            "ros-rosgraph-msgs>=2.3",
        ],
        # Peers that bench/solver.py compares with; CPU and memory of processes in bench/fleet.py and bench/soak.py.
        "bench": ["quantecon>=0.7", "mdpsolver>=0.10", "psutil>=5.9"],
        # Sweeps on a cluster: `meanfleet sweep --backend dask`.
        "dask": DASK,
        # Learning by gradients on the continuous warehouse; wheels of 90 MB for the CPU.
        "continuous": CONTINUOUS,
        # The digits of `meanfleet federated`.
        "federated": FEDERATED,
        "test": TEST,
        # The pages of docs/: `make docs`.
        "docs": DOCS,
        "dev": [
            *TEST,
            *CONTINUOUS,
            *DASK,
            *DOCS,
            *FEDERATED,
            "ruff>=0.17",
            "mypy>=1.15",
            "types-PyYAML>=6.0",
            "scipy-stubs>=1.15",
        ],
    },
    entry_points={
        "console_scripts": [
            "meanfleet = meanfleet.cli:main",
            "dispatcher = meanfleet.dispatcher_node.node:main",
            "robot = meanfleet.robot_node.node:main",
            "world = meanfleet.sim.node:main",
            "recorder = meanfleet.sim.recorder.node:main",
            "monitor = meanfleet.running.node:main",
        ],
    },
)
