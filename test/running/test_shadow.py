"""A bag before a shadow dispatcher: what is played, what is started, and what the launch file makes of it."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from bag_files import header, write_bag
from processes import Processes

from meanfleet.base.errors import UserError
from meanfleet.families.line.bundle import ContinuousBundle
from meanfleet.running.shadow import SHADOW_ARGUMENTS, shadow_graph

ROOT = Path(__file__).resolve().parent.parent.parent
HEADER, EPOCH = "std_msgs/msg/Header", 1_700_000_000


@pytest.fixture
def given(tmp_path: Path, demo_path: Path, demo_policy: Path) -> dict[str, str]:
    """Two robots' zones and a dispatcher's priorities, on the system's time."""
    names = ("/robot_00/zone", "/robot_01/zone", "/stranger/zone", "/priority_zone")
    said = [(topic, HEADER, (EPOCH + t) * 10**9, header(EPOCH + t, "storage")) for t in range(3) for topic in names]
    write_bag(tmp_path / "bag", said)
    return {"bag": str(tmp_path / "bag"), "config": str(demo_path), "policy": str(demo_policy), "n": "20", "k": "2"}


def test_only_the_fleets_zones_are_played_and_the_time_with_them(given: dict[str, str]) -> None:
    play = shadow_graph(given | {"rate": "4", "qos": "qos.yaml"}).play
    assert play == (
        "ros2", "bag", "play", given["bag"], "--clock", "20", "--rate", "4", "--delay", "5",
        "--disable-keyboard-controls", "--qos-profile-overrides-path", str(Path("qos.yaml").resolve()),
        "--topics", "/robot_00/zone", "/robot_01/zone",
    )  # fmt: skip


def test_a_recorded_clock_is_played_instead_of_a_second_one() -> None:
    folder = ROOT / "test" / "data" / "sample"
    files = {"bag": folder / "bag", "config": ROOT / "config" / "demo.yaml", "policy": folder / "policy.npz"}
    play = shadow_graph({"n": 40, "k": 5} | {name: str(path) for name, path in files.items()}).play
    assert "--clock" not in play
    topics = play[play.index("--topics") + 1 :]
    assert topics == (*(f"/robot_{i:02d}/zone" for i in range(40)), "/clock")


def test_the_dispatcher_is_a_shadow_on_the_bags_time(given: dict[str, str], tmp_path: Path) -> None:
    recorder, dispatcher = shadow_graph(given | {"record": str(tmp_path / "said"), "observer": "dirichlet"}).nodes
    assert (recorder.executable, recorder.parameters["out"]) == ("recorder", str(tmp_path / "said"))
    assert dispatcher.executable == "dispatcher"
    expected = {"mode": "shadow", "use_sim_time": True, "k": 2, "n": 20, "observer": "dirichlet"}
    assert {name: dispatcher.parameters[name] for name in expected} == expected


def test_a_bag_of_robots_on_a_line_is_played_to_their_dispatcher(tmp_path: Path, line_bundle: ContinuousBundle) -> None:
    """Told are bins, as zones are; a policy for zones is refused."""
    line_bundle.save(tmp_path / "line.npz")
    told = [("/robot_000/zone", HEADER, (EPOCH + t) * 10**9, header(EPOCH + t, "bin_1")) for t in range(3)]
    write_bag(tmp_path / "bag", told)
    config = ROOT / "config" / "continuous.yaml"
    files = {"bag": str(tmp_path / "bag"), "config": str(config), "policy": str(tmp_path / "line.npz"), "n": "12"}
    shadow = shadow_graph(files)
    assert shadow.play[-2:] == ("--topics", "/robot_000/zone")
    assert [node.executable for node in shadow.nodes] == ["dispatcher"]
    with pytest.raises(UserError, match="its policies are for zones"):
        shadow_graph(files | {"policy": str(ROOT / "test" / "data" / "sample" / "policy.npz")})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"bag": ""}, "argument bag: give the bag"),
        ({"policy": ""}, "argument policy: give the policy"),
        ({"rate": "0"}, "argument rate: expected a number above 0"),
        ({"k": "30"}, "k = 30, but the fleet has 20 robots"),
        ({"bag": "nowhere"}, "nowhere"),
        ({"speed": "2"}, "unknown argument 'speed'"),
    ],
)
def test_mistakes_are_one_sentence(given: dict[str, str], changes: dict[str, str], sentence: str) -> None:
    with pytest.raises(UserError) as refused:
        shadow_graph(given | changes)
    assert sentence in str(refused.value)


def test_a_bag_of_strangers_is_refused(given: dict[str, str], tmp_path: Path) -> None:
    write_bag(tmp_path / "strangers", [("/stranger/zone", HEADER, EPOCH * 10**9, header(EPOCH, "storage"))])
    with pytest.raises(UserError, match=r"no zones .* such as /robot_00/zone: a shadow dispatcher listens to zones"):
        shadow_graph(given | {"bag": str(tmp_path / "strangers")})


def load() -> Any:
    spec = importlib.util.spec_from_file_location("replay_launch", ROOT / "launch" / "replay.launch.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_real_launch_package_builds_the_processes(given: dict[str, str]) -> None:
    """With ROS 2's own launch, where it is installed: arguments, commands and the nodes' executables."""
    launch = pytest.importorskip("launch", reason="launch and launch_ros come with a ROS 2 installation only")
    actions = pytest.importorskip(
        "launch_ros.actions", reason="launch and launch_ros come with a ROS 2 installation only"
    )
    description = load().generate_launch_description()
    assert [argument.name for argument in description.get_launch_arguments()] == [a.name for a in SHADOW_ARGUMENTS]
    context = launch.LaunchContext()
    context.launch_configurations.update(
        {argument.name: str(argument.default) for argument in SHADOW_ARGUMENTS} | given
    )
    (opaque,) = [entity for entity in description.entities if isinstance(entity, launch.actions.OpaqueFunction)]
    started = opaque.execute(context)
    nodes = [entity for entity in started if isinstance(entity, actions.Node)]
    assert [node.node_executable for node in nodes] == ["dispatcher"]
    (player,) = [e for e in started if isinstance(e, launch.actions.ExecuteProcess) and not isinstance(e, actions.Node)]
    command = [launch.utilities.perform_substitutions(context, part) for part in player.cmd]
    assert command == list(shadow_graph(given).play)
    handlers = [entity for entity in started if isinstance(entity, launch.actions.RegisterEventHandler)]
    assert len(handlers) == 2, "it ends with the bag, and with the dispatcher"


def test_ros2_bag_itself_plays_the_command(processes: Processes, given: dict[str, str]) -> None:
    if (
        shutil.which("ros2") is None
        or subprocess.run(["ros2", "bag", "play", "--help"], capture_output=True).returncode
    ):
        pytest.skip("ros2 bag comes with a ROS 2 installation only")
    command = [*shadow_graph(given | {"delay": "0"}).play]
    played = subprocess.run(command, env=processes.environment, capture_output=True, text=True, timeout=120)
    assert played.returncode == 0, played.stderr
