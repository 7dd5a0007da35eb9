"""The simulated warehouse: `ros2 launch meanfleet warehouse.launch.py n:=100 k:=10 backend:=bullet duration:=240`.

Starts the process graph of `meanfleet.running.graph`, the same that `meanfleet up` starts. The run ends when the
monitor does (at `duration`), or when any other process dies. Dispatcher and robots are managed nodes that configure and
activate themselves, so that nothing here has to lead them.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from meanfleet.running.graph import ARGUMENTS, warehouse_graph


def generate_launch_description():
    """Declare the arguments and start the graph with their values."""
    declared = [
        DeclareLaunchArgument(argument.name, default_value=str(argument.default), description=argument.help)
        for argument in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=_start)])


def _start(context):
    given = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in ARGUMENTS}
    nodes = [
        Node(
            package="meanfleet",
            executable=process.executable,
            parameters=[process.parameters],
            output="screen",
        )
        for process in warehouse_graph(given)
    ]
    endings = [
        RegisterEventHandler(
            OnProcessExit(target_action=node, on_exit=[EmitEvent(event=Shutdown(reason="a process of the run ended"))])
        )
        for node in nodes
    ]
    return [*nodes, *endings]
