"""A real fleet: `ros2 launch meanfleet fleet.launch.py fleet:=fleet.yaml policy:=fleet.npz`.

On one computer for all; or with `part:=dispatcher` here and `robot:=NAME` on each robot's own computer, where rclpy,
numpy, pyyaml and pydantic are enough. Starts the process graph of `meanfleet.running.fleet`, the same that
`meanfleet up --fleet` starts. What dies is started again; the run ends when the monitor does (at `duration`), or when a
process tells a user's mistake (code 2).
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from meanfleet.running.fleet import FLEET_ARGUMENTS, fleet_graph

MISTAKE = 2


def generate_launch_description():
    """Declare the arguments and start the graph with their values."""
    declared = [
        DeclareLaunchArgument(argument.name, default_value=str(argument.default), description=argument.help)
        for argument in FLEET_ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=_start)])


def _start(context):
    given = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in FLEET_ARGUMENTS}
    started = []
    for process in fleet_graph(given):
        node = Node(
            package="meanfleet",
            executable=process.executable,
            name=process.name or None,
            parameters=[process.parameters],
            output="screen",
            respawn=process.respawn,
            respawn_delay=2.0,
        )
        started += [node, RegisterEventHandler(OnProcessExit(target_action=node, on_exit=_ending(process)))]
    return started


def _ending(process):
    """What is done when a process has ended."""

    def on_exit(event, context):
        if process.respawn and event.returncode != MISTAKE:
            return []
        return [EmitEvent(event=Shutdown(reason=f"{process.name or process.executable} ended"))]

    return on_exit
