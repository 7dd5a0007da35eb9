"""A recorded fleet before a dispatcher in shadow mode, which decides and tells but moves nobody:

    ros2 launch meanfleet replay.launch.py bag:=/data/monday config:=/srv/fleet.yaml policy:=/srv/policy.npz k:=5

Starts what `meanfleet.running.shadow` says: `ros2 bag play` with the fleet's zones alone, the dispatcher, and a
recorder if `record:=FOLDER` is given. It ends when the bag does, or when any process dies.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, ExecuteProcess, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from meanfleet.running.shadow import SHADOW_ARGUMENTS, shadow_graph


def generate_launch_description():
    """Declare the arguments and start bag and dispatcher with their values."""
    declared = [
        DeclareLaunchArgument(argument.name, default_value=str(argument.default), description=argument.help)
        for argument in SHADOW_ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=_start)])


def _start(context):
    given = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in SHADOW_ARGUMENTS}
    graph = shadow_graph(given)
    nodes = [
        Node(package="meanfleet", executable=process.executable, parameters=[process.parameters], output="screen")
        for process in graph.nodes
    ]
    player = ExecuteProcess(cmd=list(graph.play), output="screen")
    endings = [
        RegisterEventHandler(
            OnProcessExit(target_action=action, on_exit=[EmitEvent(event=Shutdown(reason="the replay has ended"))])
        )
        for action in (*nodes, player)
    ]
    # Endings first: a process that cannot start ends before anything after it is looked at.
    return [*endings, *nodes, player]
