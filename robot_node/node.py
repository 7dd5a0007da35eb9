"""The robots as a ROS 2 node, one or many per process: `ros2 run meanfleet robot --ros-args -p config:=FILE …`.

Each robot reports its zone and, at every tick of the dispatcher, draws a move from its zone and the priority, and goes
to its slot of the zone that the move leads to. Without a priority for `robot.priority_timeout` it holds its zone, and
also while more than one node publishes the priority; one that came, published and left is not obeyed.

Mode shadow: moves are drawn and goals published to <robot>/goal_pose/shadow alone; the priority is taken from
priority_zone/shadow while somebody publishes that. Mode advise: robots act on a priority after a call of ~/confirm,
which lasts while the priority stays, or for `safety.confirm_for`; diagnostics say what awaits one.

An emergency stop (topic estop, this node's service, or a dispatcher that is stopped and names no priority; see
meanfleet.safety.stop) sends every robot its present pose as goal, again if it goes on, and nothing else until it is
released, also while the node is inactive. It outlives the node: it is on disk, and other nodes know of it. A node that
starts waits for what they know before it sends goals. Robots that are excluded, or whose battery is low,
get no other goal than that; they tell an empty zone, so that they are not polled.

Robots on a line tell their bin; the priority that they hear is a place, and each goal a place on the robot's track.

A managed node: inactive, it keeps track of positions but reports no zone and sends no goal, so the dispatcher polls
others instead. With several such processes on one domain give each a node name (`__node:=robots_07`).

Parameters, those with * changing between two ticks:
    config (string): configuration (YAML).
    policy* (string): policy bundle (.npz); set it again to load a file that was replaced.
    n (int, 0): robots of the fleet; 0: as the configuration says.
    robots (string[], []): names of the robots of this process; empty: the whole fleet.
    seed (int, 0): every robot draws from its own stream of this seed.
    mode* (string, ""): shadow, advise or run; empty: as the configuration says.
    exclude* (string[], []): robots that get no goals; empty: as the configuration says; ['']: none.
    state_dir (string, ""): folder of stops and of parameters set at run time, which the next process takes over unless
        they are given to it; empty means under XDG_STATE_HOME, by ROS domain, and none that nothing is kept.
    autostart (bool, true): configure and activate itself; false: wait for a lifecycle manager.

Subscribes: priority_zone and priority_zone/shadow (std_msgs/Header, latched), <robot>/odom or what robot.pose_topic,
    pose_type, pose_reliability and pose_durability say, estop (std_msgs/Bool, of any quality), estop_state
    (diagnostic_msgs/DiagnosticArray, latched, what other nodes know of stops), with safety.battery_low
    <robot>/battery_state (sensor_msgs/BatteryState). A pose in a frame that the configuration does not know is refused.
    While a pose's publisher is there and silent, the pose stays true for robot.pose_hold.
Publishes: <robot>/zone (std_msgs/Header, latched, on change and as heartbeat; empty: out of service), <robot>/goal_pose
    or <robot>/goal_pose/shadow (geometry_msgs/PoseStamped, on change, and again every robot.goal_timeout until it is
    reached; with robot.cancel_on_stop a robot's own pose when the node stops while it drives), diagnostics
    (diagnostic_msgs/DiagnosticArray, every tick), estop_state.
Actions: with robot.goals: action, in the place of <robot>/goal_pose, <robot>/navigate_to_pose
    (nav2_msgs/action/NavigateToPose) as a client: on change, and again every robot.goal_timeout until it is reached,
    sooner after it was rejected or given up (1 s, 2 s, 4 s, ...); cancelled when the robot is excluded and, with
    robot.cancel_on_stop, when the node stops. An emergency stop cancels all goals of that action, whoever sent them.
Serves: ~/estop (std_srvs/SetBool), ~/confirm (std_srvs/Trigger).
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import BatteryState
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from meanfleet.base.errors import UserError, suggestion
from meanfleet.floors.frames import Frames, PlanarPose
from meanfleet.floors.priorities import priorities_of
from meanfleet.ros.conversions import diagnostics, to_seconds, zone_header
from meanfleet.ros.estop import StopLine
from meanfleet.ros.exclusive import SoleReader
from meanfleet.ros.exclusive_choice import SETTLED
from meanfleet.ros.managed import ManagedNode
from meanfleet.ros.node import DIAGNOSTICS, LATCHED, LEASE_SECONDS, Signals, run
from meanfleet.safety import SHADOW, excluded
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.space.zone_map import NOWHERE

from .awaiting import awaited
from .confirmation import Confirmation
from .conversions import POSE_TYPES, planar_pose, pose_quality
from .goal_outcome import Outcome
from .goal_senders import Outlets
from .goals import Goal
from .halt import Halt
from .making import check_mode, crew_of
from .parameters import PARAMETERS
from .service import Service
from .twins import Twins

FLUSH = 0.02  # [s, wall] between two looks at new positions
LOOK = 0.1  # [s, wall] between two looks in a stop for robots that were not told
CLASH_PERIOD = 1.0  # [s, wall] between two reports of one
TWIN_PERIOD = 2.0  # [s, wall] between two looks for other nodes of the same robots
AWAIT_PERIOD = 5.0  # [s, wall] between two lines about what was never heard
STOP_PERIOD = 1.0  # [s, wall] between two reports of an emergency stop
LONGEST = 80  # characters of an unknown name that are repeated
PRIORITY = "priority_zone"


@dataclass(frozen=True)
class Change:
    """What new parameters make of the node."""

    bundle: PolicyBundle
    mode: str
    excluded: tuple[str, ...]


class RobotNode(ManagedNode):
    """Thin: decisions are `Team`'s."""

    def __init__(self, stopped: Signals) -> None:
        super().__init__("robots", PARAMETERS, stopped)
        self.stop_line = StopLine(self)
        self.stop = self.stop_line.stop
        self.readers = {topic: SoleReader(self, Header, topic) for topic in (PRIORITY, PRIORITY + SHADOW)}

    def build(self) -> None:
        """Configure: who they are, where their slots lie, all topics."""
        self.config, values = self.configuration(), self.values()
        self.bundle = self.policies(self.config)
        self.names = self._own_robots()
        self.frames, self.priorities, self.sent_again = (
            Frames(self.config.frames, self.names),
            priorities_of(self.config),
            0,
        )
        self.team, self.goals = crew_of(self.config, self.bundle, self.names, self.get_parameter("seed").value)
        self.zone_publishers = [self.advertise(Header, f"{name}/zone", LATCHED) for name in self.names]
        ways = [self.config.goal_way(name) for name in self.names]
        self.outlets = Outlets(self, self.names, ways, self.frames.map, self.operator.drove)
        self.failed = 0
        self.diagnostics = self.advertise(DiagnosticArray, "diagnostics", DIAGNOSTICS)
        self.acted, self.heard_at, self.holding = -math.inf, 0.0, False
        self.flushed, self.reported = 0.0, 0
        self.clash_told = self.torn_since = 0.0
        self.twins, self.twins_looked = Twins(LEASE_SECONDS), 0.0
        self.sources, self.kept = [self.config.pose_source(name) for name in self.names], 0.0
        for index, source in enumerate(self.sources):
            kind = POSE_TYPES[source.type][0]
            self.follow(kind, source.topic, lambda message, i=index: self._see(i, message), pose_quality(source))
        self._build_safety(values)

    def _build_safety(self, values: Mapping[str, Any]) -> None:
        settings, count = self.config.safety, len(self.names)
        self.mode, self.source = check_mode(values["mode"] or settings.mode, self.config), PRIORITY
        self.service = Service(self.names, settings.battery_low, settings.battery_back)
        self.service.exclude(excluded(values["exclude"], self.config))
        self.confirmation, self.again = Confirmation(settings.confirm_for), False
        self.halt, self.halt_looked, self.stop_told = Halt(count), 0.0, 0.0
        self.outlets.cast(self.mode == "shadow")
        self.stop_line.serve()
        self.serve(Trigger, "~/confirm", self._confirm)
        if settings.battery_low is not None:
            for index, name in enumerate(self.names):
                topic = f"{name}/{settings.battery_topic}"
                self.follow(BatteryState, topic, lambda m, i=index: self._charge(i, m), qos_profile_sensor_data)

    def _own_robots(self) -> tuple[str, ...]:
        names = tuple(self.values()["robots"] or ())
        for name in names:
            if name not in self.config.robots:
                hint = suggestion(name, self.config.robots)
                raise UserError(f"parameter 'robots': {name!r} is not in the fleet of {self.config.source}{hint}")
        return names or self.config.robots

    def _see(self, index: int, message: Any) -> None:
        frame, pose, stamp = planar_pose(message, self.sources[index].type)
        placed = self.frames.to_map(frame, pose)
        if placed is None:
            self.team.refuse(index, frame)
        else:
            self.team.see(index, placed[0], placed[1], stamp, placed[2])

    def _charge(self, index: int, message: Any) -> None:
        self.service.charge(index, message.percentage)

    def _confirm(self, request: Any) -> tuple[bool, str]:
        zone = self.confirmation.give(self.ros_time())
        if not zone:
            return False, f"nothing awaits a confirm (mode {self.mode}{', stopped' if self.stopped_by else ''})"
        self.again = True
        return True, f"priority {zone} is confirmed"

    @property
    def heard(self) -> tuple[float, str] | None:
        """The latest priority that counts: stamp [s] and zone name."""
        message = self.readers[self.source].latest
        return None if message is None else (to_seconds(message.stamp), message.frame_id)

    @property
    def clashes(self) -> int:
        """How many publishers of the priority are one too many."""
        return max(self.readers[self.source].publishers - 1, 0)

    @property
    def stopped_by(self) -> str:
        """Who has stopped the robots; empty if nobody has. A dispatcher that is stopped names no priority."""
        names_none = self.heard is not None and not self.heard[1]
        return self.stop.by or ("the dispatcher" if names_none else "")

    def prepare(self, values: Mapping[str, Any], changed: Iterable[str]) -> Change:
        """What new values mean; a new bundle is loaded and checked whole."""
        latest = self.bundle if self.pending is None else self.pending.bundle
        bundle = self.load_policies(values["policy"], self.config) if "policy" in changed else latest
        mode = check_mode(values["mode"] or self.config.safety.mode, self.config)
        return Change(bundle, mode, excluded(values["exclude"], self.config))

    def put(self, prepared: Change) -> None:
        """Let the robots draw from the new policy, in the new mode."""
        if prepared.bundle is not self.bundle:
            self.bundle = prepared.bundle
            self.team.follow(self.bundle)
        if prepared.mode != self.mode:
            self.mode = prepared.mode
            self.outlets.cast(self.mode == "shadow")
            self.confirmation.void()
            self._forget_goals()
            self.halt.renew()
        self.service.exclude(prepared.excluded)
        self.get_logger().info(f"robots act by policy {self.bundle.digest[:12]} in mode {self.mode} from now on")

    def attend(self) -> None:
        """Follow the emergency stop; inactive, too, robots that drive are halted."""
        self.stop_line.look()
        if self.configured:
            self._look()
            if not self.active:
                self._halted(time.monotonic())

    def act(self) -> float:
        """Report zones, act on a new priority, hold when there is none; but nothing of it while stopped."""
        now = time.monotonic()
        self._say_what_is_awaited(now)
        self._look_for_twins(now)
        self._hear_navigations()
        halted = self._halted(now)
        due = self.heard is not None and (self.again or self.heard[0] != self.acted)
        if (due and not halted) or now - self.flushed >= FLUSH:
            self._keep_poses()
            self._report_zones()
            self.flushed = now
        if halted or self.stop_line.listening or self._torn(now):
            return FLUSH
        if due:
            self._obey()
        elif math.isfinite(self.acted) and not self.holding:
            self._watch_timeout()
        self._send_again()
        return FLUSH

    def begin(self) -> None:
        """Activate: whatever is needed should come soon."""
        self.awaiting_told = time.monotonic()

    def pause(self) -> None:
        """Deactivate: robots that drive are sent to where they are, if the configuration says so."""
        if not self.config.robot.cancel_on_stop:
            return
        self.goals.look(self.team.xy)
        driving = self.goals.drop()
        self.team.forget_goals(driving)
        for robot in driving:
            self.outlets.stay(robot, self._pose(robot), self.ros_time())
        self.outlets.settle(driving)

    def _pose(self, robot: int) -> PlanarPose:
        (x, y), yaw = self.team.xy[robot].tolist(), float(self.team.yaw[robot])
        return x, y, yaw

    def _forget_goals(self) -> None:
        self.team.forget_goals()
        self.goals.drop()
        self.outlets.forget()

    def _keep_poses(self) -> None:
        """Twice a heartbeat, keep the poses of robots whose localisation lives and is silent."""
        now, settings = self.ros_time(), self.config.robot
        if settings.pose_hold and abs(now - self.kept) >= settings.heartbeat / 2:
            self.kept = now
            alive = [self.count_publishers(source.topic) > 0 for source in self.sources]
            self.team.keep(alive, now, settings.pose_hold)

    def _say_what_is_awaited(self, now: float) -> None:
        if now - self.awaiting_told < AWAIT_PERIOD:
            return
        self.awaiting_told = now
        silent = [
            self.resolve_topic_name(self.sources[i].topic) + (f" (now in frame {frame!r})" if frame else "")
            for i, frame in self.team.never_seen()
        ]
        missing = awaited(self.ros_time() > 0, silent, self.heard is not None)
        if missing:
            self.get_logger().warning(f"still waiting for {missing}")

    def _hear_navigations(self) -> None:
        for robot, outcome in self.outlets.look():
            if outcome is Outcome.REACHED:
                self.goals.reach(robot)
            else:
                self.failed += 1
                self.goals.fail(robot, self.ros_time())

    def _send_again(self) -> None:
        """Goals that failed, or were not reached in time: lost, or the robot is stuck."""
        self.goals.look(self.team.xy)
        overdue = self.goals.overdue(self.ros_time())
        self.sent_again += len(overdue)
        self._send(overdue, self.ros_time())

    def _halted(self, now: float) -> bool:
        """Whether an emergency stop is on: robots are told their present poses as goals."""
        if self.halt.turn(bool(self.stopped_by)):
            self.stop_told = self.halt_looked = 0.0
            self.confirmation.void()
            self.again = False
            self._forget_goals()  # whoever moves on after the release needs its goal again
            if not self.halt.on:
                self.get_logger().warning(f"released: robots go on in mode {self.mode} at the next tick")
        if not self.halt.on:
            return False
        if now - self.halt_looked >= LOOK:
            self.halt_looked = now
            for robot in self.halt.due(self.team.xy, self.outlets.listeners, self.outlets.blind):
                self.outlets.halt(robot, self._pose(robot), self.ros_time())
        self.acted = self.heard[0] if self.heard is not None else self.acted
        self.heard_at = self.ros_time()
        if now - self.stop_told >= STOP_PERIOD:
            self.stop_told = now
            text = f"emergency stop by {self.stopped_by}: robots stand until it is released there"
            self.get_logger().error(text, throttle_duration_sec=5.0)
            self._tell("error", text, {"stopped": self.stopped_by, "mode": self.mode})
        return True

    def _report_zones(self) -> None:
        out = self.service.out
        self.outlets.withdraw(self.service.newly_excluded())
        if (out != self.team.out).any():
            gone = self.team.withdraw(out)
            self.goals.drop(gone)
            self.outlets.keep_back(gone)
            for robot in gone:
                self.zone_publishers[robot].publish(zone_header("", self.ros_time()))
            said = ", ".join(f"{name} ({why})" for name, why in self.service.reasons.items())
            self.get_logger().warning(f"out of service: {said or 'nobody any more'}")
        for robot, zone, stamp in self.team.reports():
            name = self.config.zones[zone] if zone != NOWHERE else ""  # which takes no part, as one out of service
            self.zone_publishers[robot].publish(zone_header(name, stamp))
            self.reported += 1

    def _look(self) -> None:
        """Who publishes the priority: where, and whether there are several."""
        for topic, reader in self.readers.items():
            if reader.look():
                where = self.resolve_topic_name(topic)
                text = f"somebody came to publish {where} and left: robots did not obey ({reader.strays} so far)"
                self.get_logger().warning(text)
                self._tell("warn", text, {"strays": reader.strays})
        shadow = self.mode == "shadow" and self.readers[PRIORITY + SHADOW].publishers > 0
        self.source = PRIORITY + SHADOW if shadow else PRIORITY

    def _look_for_twins(self, now: float) -> None:
        """Say which robots another node has as well."""
        if now - self.twins_looked < TWIN_PERIOD:
            return
        self.twins_looked = now
        doubled = [name for name in self.names if self.count_publishers(f"{name}/zone") > 1]
        self.twins.look({name: self._nodes_of(f"{name}/zone") for name in doubled}, now)
        if self.twins.text:
            self.get_logger().error(self.twins.text, throttle_duration_sec=5.0)
            self._tell(self.twins.level, self.twins.text, {"twins": self.twins.nodes})

    def _nodes_of(self, topic: str) -> list[str]:
        found = self.get_publishers_info_by_topic(self.resolve_topic_name(topic))
        return [f"{one.node_namespace.rstrip('/')}/{one.node_name}" for one in found]

    def _torn(self, now: float) -> bool:
        """Whether several dispatchers publish the priority: robots then hold, and obey none until one is left."""
        if not self.clashes:
            self.torn_since = 0.0
            return False
        self.torn_since = self.torn_since or now
        if now - self.torn_since >= SETTLED and now - self.clash_told >= CLASH_PERIOD:
            self.clash_told = now
            text = f"{self.clashes + 1} dispatchers publish the priority: robots hold their zones until one is left"
            self._hold()
            self.get_logger().error(text, throttle_duration_sec=5.0)
            self._tell("error", text, {"holding": list(self.names), "clashes": self.clashes})
        return True

    def _obey(self) -> None:
        assert self.heard is not None
        stamp, name = self.heard
        self.acted, self.heard_at, self.holding, self.again = stamp, self.ros_time(), False, False
        priority = self.priorities.read(name)
        if priority is None:
            self.get_logger().error(
                f"priority {name[:LONGEST]!r} is no {self.priorities.kind} of the configuration: ignored"
            )
            return
        if self.mode == "advise" and not self.confirmation.allows(name, self.ros_time()):
            text = f"priority {name} awaits a confirm: robots go on to the goals they have"
            self._tell("warn", text, {"awaiting": name, "since": stamp, "mode": self.mode})
            return
        orders = self.team.act(priority)
        self._send(orders.changed, stamp)
        wrong = self.team.complaints(self.ros_time(), self.config.dispatcher.max_age)
        unserved = self.outlets.unserved
        odd, self.service.odd = self.service.odd, {}
        out = self.service.reasons
        text = f"shadow, nobody is moved: {len(orders.robots)} robots would have" if self.mode == "shadow" else ""
        text = f"{text or f'{len(orders.robots)} robots'} acted on priority {name}"
        text += f"; {len(out)} out of service" if out else ""
        text += f"; batteries of {', '.join(odd)} tell no share of 0 to 1" if odd else ""
        text += f"; nobody offers navigate_to_pose of {', '.join(unserved)}" if unserved else ""
        self._tell(
            "warn" if wrong or odd or unserved else "ok",
            text + (f"; {wrong.text}" if wrong else ""),
            {
                "mode": self.mode,
                "out": out,
                "odd_batteries": odd,
                "stamp": stamp,
                "priority": name,
                "robots": [self.names[i] for i in orders.robots],
                "zones": orders.zones,
                "moves": orders.moves,
                "goals_sent": len(orders.changed),
                "goals_sent_again": self.sent_again,
                "goals_failed": self.failed,
                "unserved": unserved,
                "zone_messages": self.reported,
                "bad_poses": wrong.bad,
                "silent_poses": wrong.silent,
                "strange_frames": wrong.strange,
                "outside_zones": wrong.outside,
                **({} if orders.places is None else {"places": orders.places}),
            },
        )

    def _watch_timeout(self) -> None:
        self.heard_at = min(self.heard_at, self.ros_time())  # of a clock that went back
        silent = self.ros_time() - self.heard_at
        if silent > self.config.priority_timeout:
            self.holding = True
            text = f"no priority for {silent:.1f} s: robots hold their zones"
            self._hold()
            self.get_logger().warning(text)
            self._tell("warn", text, {"holding": list(self.names)})

    def _hold(self) -> None:
        """Every robot stays in its zone; in mode advise, if robots may act at all."""
        zone = self.heard[1] if self.heard is not None else ""
        if self.mode != "advise" or self.confirmation.covers(zone, self.ros_time()):
            self._send(self.team.hold(), self.ros_time())

    def _send(self, changed: list[tuple[int, Goal]], stamp: float) -> None:
        now = self.ros_time()
        if changed and self.mode != "shadow" and not self.operator.drove:  # a restart in mode shadow has to know
            self.operator.drove = True
            self.operator.write()
        for robot, goal in changed:
            self.outlets.send(robot, self.goals.send(robot, goal, now), stamp)

    def _tell(self, level: str, text: str, values: dict[str, Any]) -> None:
        self.diagnostics.publish(diagnostics(f"robots {self.names[0]}", level, text, values, self.ros_time()))


def main() -> None:
    """Entry point of `ros2 run meanfleet robot`."""
    sys.exit(run(RobotNode))


if __name__ == "__main__":
    main()
