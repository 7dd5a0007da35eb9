"""The dispatcher as a ROS 2 node: `ros2 run meanfleet dispatcher --ros-args -p config:=FILE -p policy:=FILE`.

Every tick: draw robots, subscribe to their zones, gather until all answered or the time is up (replacing the silent
and the stale), decide, publish the priority, destroy the subscriptions (which stay if all robots are polled). An
observer with a belief takes in stale samples too, with their age. When nobody answers, the priority is held.

Mode shadow: it decides all the same, and publishes the priority to priority_zone/shadow, so it may run beside a
dispatcher that steers. An emergency stop (topic estop, or its service, which stops everybody and releases panels that
have left; see meanfleet.safety.stop) and `safety.min_hold` hold the priority; diagnostics say the reason.

Of robots on a line the zones are bins, and the priority's name is its place on the line, a number as text.

A managed node: inactive, it publishes no priority and keeps what it knows; every activation refuses to start beside
another dispatcher that is active.

Parameters, those with * changing between two ticks (`ros2 param set /dispatcher k 5`):
    config (string): configuration (YAML).
    policy* (string): policy bundle (.npz); set it again to load a file that was replaced.
    n (int, 0): robots; 0: as the configuration says.
    k* (int, 0): robots polled per tick; 0: as the configuration says.
    seed (int, 0): draws of robots and of the priority.
    rule* (string, learned): learned, hold or random.
    observer* (string, ""): memoryless, dirichlet or particle; empty: as the configuration says.
    sampling* (string, ""): uniform, oldest, stratified, nearest, weighted or graphon; empty: as the configuration says.
    rho* (double, 0): share of the belief that survives a tick; 0: as the configuration or the policy says.
    kappa* (int, 0): κ of the policy's filter to ask; 0: as the policy says.
    mode* (string, ""): shadow, advise or run; empty: as the configuration says.
    exclude* (string[], []): robots that are not polled; empty: as the configuration says; ['']: none.
    checkpoint (string, ""): file in which the state is kept; an existing one is resumed.
    startup_timeout (double, 20): [s, wall] to wait for all robots before the first tick; some of those found are then
        asked, for 3 s at most, whether they are heard.
    await_nodes (string[], []): nodes that are to hear of the first tick, such as a recorder: it waits until they too
        subscribe to diagnostics.
    state_dir (string, ""): folder of stops and of parameters set at run time, which the next process takes over unless
        they are given to it; empty means under XDG_STATE_HOME, by ROS domain, and none that nothing is kept.
    autostart (bool, true): configure and activate itself; false: wait for a lifecycle manager.

Subscribes: <robot>/zone (std_msgs/Header), k of them per tick, latched; priority_zone, for others who
    publish it; estop (std_msgs/Bool, of any quality);
estop_state (diagnostic_msgs/DiagnosticArray, latched).
Publishes: priority_zone (std_msgs/Header, latched; in mode shadow priority_zone/shadow; no name during an emergency
stop, nobody moves), estop_state (what it knows of stops),
diagnostics (diagnostic_msgs/DiagnosticArray): the tick with its samples, their ages and weights, the belief, its
entropy, effective sample size and surprise, the decision or the reason to hold, and the ledger of how all ticks ended.
Serves: ~/estop (std_srvs/SetBool).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSCompatibility, qos_check_compatible
from std_msgs.msg import Header

from meanfleet.base.errors import UserError
from meanfleet.base.memory import give_back
from meanfleet.floors.priorities import priority_name
from meanfleet.ros.conversions import diagnostics
from meanfleet.ros.estop import StopLine
from meanfleet.ros.exclusive import SolePublisher, SoleReader
from meanfleet.ros.managed import ManagedNode
from meanfleet.ros.node import DIAGNOSTICS, LATCHED, LEASE_SECONDS, Signals, run
from meanfleet.safety import SHADOW

from .checkpoint import Checkpoint
from .conversions import priority_message, report_message, zone_sample
from .dispatcher import Dispatcher
from .gather import Gather
from .holding import Holding
from .observers import fitted_to_another
from .parameters import PARAMETERS, dispatcher_from
from .rehearsal import Rehearsal
from .report import Ledger, tick_report
from .schedule import Due, Schedule
from .subscriptions import Lines

WAIT = 0.02  # [s, wall] longest wait between two looks at the clock
STALL_PERIOD = 5.0  # [s, wall] between two complaints about a clock that stands still
TIDY_PERIOD = 60.0  # [s, wall] between two times freed memory is given back
PATIENCE = 2.0  # [s, wall] with a silent second dispatcher when activated from outside, where somebody waits


@dataclass(frozen=True)
class Change:
    """What new parameters make of the node."""

    dispatcher: Dispatcher
    mode: str


class DispatcherNode(ManagedNode):
    """Thin: the decision is `Dispatcher`, the gathering `Gather`."""

    def __init__(self, stopped: Signals) -> None:
        super().__init__("dispatcher", PARAMETERS, stopped)
        self.priority = SolePublisher(self, Header, _topic("run"), LATCHED, "another dispatcher", stopped)
        self.reader = SoleReader(self, Header, _topic("run"))  # for whoever else publishes there, if only once
        self.lines = Lines(self._subscribe, self.destroy_subscription, self._store)
        self.rehearsal: Rehearsal | None = None
        self.gather: Gather | None = None
        self.checkpoint: Checkpoint | None = None
        self.stop_line = StopLine(self, fleet=True)
        self.stop = self.stop_line.stop
        self.stamp, self.started, self.stall_told, self.tidied = 0.0, False, 0.0, time.monotonic()

    def build(self) -> None:
        """Configure: everything but the publisher of the priority, which only an active dispatcher has."""
        values = self.values()
        self.config = self.configuration()
        self.dispatcher = dispatcher_from(values, self.config, self.policies(self.config))
        self.mode = values["mode"] or self.config.safety.mode
        self.zone_index = {name: i for i, name in enumerate(self.config.zones)}
        self.ledger, self.schedule, self.started = Ledger(), Schedule(self.config.dispatcher.tick), False
        self.holding = Holding(self.config.safety.min_hold)
        self.stop_line.serve()
        if values["checkpoint"]:
            self.checkpoint = Checkpoint(values["checkpoint"])
            self._resume(self.checkpoint)
        self.diagnostics = self.advertise(DiagnosticArray, "diagnostics", DIAGNOSTICS)
        self.deaf_to: set[str] = set()  # robots whose offer was told to be too little
        self.unfit = ""
        self._say_whom_robots_fit()

    def _say_whom_robots_fit(self) -> None:
        """Say once that the robots' policy was chosen for a dispatcher of another kind."""
        note = fitted_to_another(self.dispatcher.observer, self.dispatcher.bundle)
        if note and note != self.unfit:
            self.get_logger().warning(note)
        self.unfit = note

    def begin(self) -> None:
        """Activate: take the priority's topic."""
        self.priority.move(_topic(self.mode))
        self.priority.take(LEASE_SECONDS if self.starting else PATIENCE)
        self.deadline = time.monotonic() + self.get_parameter("startup_timeout").value
        self.schedule.restart()

    def pause(self) -> None:
        """Deactivate: leave the priority's topic; a tick that is being gathered is not decided."""
        if self.gather is not None:
            self._end_gather()
            self.ledger.note("skipped")
        self.lines.close()
        self.rehearsal = None
        self.priority.leave()

    def release(self) -> None:
        """Give up what `build` made, the checkpoint's lock with it."""
        super().release()
        if self.checkpoint is not None:
            self.checkpoint.close()
            self.checkpoint = None

    @property
    def between_ticks(self) -> bool:
        """Whether no tick is being gathered."""
        return self.gather is None

    def prepare(self, values: Mapping[str, Any], changed: Iterable[str]) -> Change:
        """Another dispatcher for new parameters, on a bundle that is loaded and checked whole."""
        latest = self.dispatcher if self.pending is None else self.pending.dispatcher
        bundle = self.load_policies(values["policy"], self.config) if "policy" in changed else latest.bundle
        mode = values["mode"] or self.config.safety.mode
        if self.active and _topic(mode) != self.priority.topic:
            self.priority.look_for_others(_topic(mode), PATIENCE)
        return Change(dispatcher_from(values, self.config, bundle), mode)

    def put(self, prepared: Change) -> None:
        """Let it go on in the place of the present one."""
        new = prepared.dispatcher
        new.take_over(self.dispatcher)
        self.dispatcher, self.mode = new, prepared.mode
        self.lines.close()  # of those who are excluded now
        self.rehearsal = None  # begins anew
        self.priority.move(_topic(self.mode))
        out = f", without {', '.join(new.excluded)}" if new.excluded else ""
        self.get_logger().info(
            f"from tick {new.tick} on: mode {self.mode}, k = {new.k}{out}, rule {new.rule}, observer {new.observer}, "
            f"sampling {new.polling.design.name}, policy {new.bundle.digest[:12]}"
        )
        self._say_whom_robots_fit()

    def attend(self) -> None:
        """Follow the emergency stop, and see who else publishes the priority."""
        self.stop_line.look()
        if self.reader.look():
            where = self.resolve_topic_name(self.reader.topic)
            self.get_logger().warning(f"somebody came to publish {where} and left: {self.reader.strays} so far")

    def act(self) -> float:
        """Begin, continue or end a tick."""
        if self.gather is not None:
            return self._continue(self.gather)
        self.priority.give_way()
        if not self.started:
            return self._wait_for_robots()
        wall = time.monotonic()
        due = self.schedule.look(self.ros_time(), wall)
        if due is None:
            self._watch_clock(wall)
            return WAIT
        self._begin(due)
        return 0.0

    def _watch_clock(self, wall: float) -> None:
        still = self.schedule.stalled(wall)
        if not still or wall - self.stall_told < STALL_PERIOD:
            return
        self.stall_told = wall
        text = f"the clock stands still at {self.ros_time():.1f} s for {still:.0f} s: no tick until it moves"
        self.get_logger().error(text)
        self.diagnostics.publish(diagnostics("dispatcher clock", "error", text, {"still": still}, self.ros_time()))

    def _wait_for_robots(self) -> float:
        """Count the robots whose zone topic has a publisher; when all have, or the time is up, listen to some."""
        if self.rehearsal is not None:
            return self._rehearse(self.rehearsal)
        expected = [name for name in self.config.robots if name not in self.dispatcher.excluded]
        found = [name for name in expected if self.count_publishers(f"{name}/zone") > 0]
        deaf = self._awaited_nodes()
        seen = f"{len(found)} of {len(expected)} found" + (f", no {' and no '.join(deaf)} yet" if deaf else "")
        wall = time.monotonic()
        if (len(found) == len(expected) and not deaf) or wall > self.deadline:
            if self.ros_time() <= 0:
                return self._wait_for_the_clock(wall)
            self.get_logger().info(f"robots: {seen}")
            self.rehearsal = Rehearsal(found, time.monotonic())
            self.lines.ask(self.rehearsal.asked)
            return 0.0
        self.get_logger().info(f"waiting for robots: {seen}", throttle_duration_sec=2.0)
        return 0.1

    def _wait_for_the_clock(self, wall: float) -> float:
        """A simulation that starts takes its time: nothing is wrong before `startup_timeout`."""
        text = "waiting for the clock: use_sim_time is set, so somebody has to publish /clock"
        if wall <= self.deadline:
            self.get_logger().info(text, throttle_duration_sec=STALL_PERIOD)
        elif wall - self.stall_told >= STALL_PERIOD:
            self.stall_told = wall
            self.get_logger().warning(text)
            self.diagnostics.publish(diagnostics("dispatcher clock", "warn", text, {}, 0.0))
        return WAIT

    def _awaited_nodes(self) -> list[str]:
        """Those nodes that are to hear of the first tick and do not listen yet."""
        wanted = self.values()["await_nodes"] or ()
        topic = self.resolve_topic_name("diagnostics")
        there = {one.node_name for one in self.get_subscriptions_info_by_topic(topic)} if wanted else set()
        return [name for name in wanted if name not in there]

    def _rehearse(self, rehearsal: Rehearsal) -> float:
        if not rehearsal.done(time.monotonic()) or self.stop_line.listening:
            return WAIT
        self.lines.end(keep=self.dispatcher.polls_all)
        self.rehearsal, self.started = None, True
        asked = len(rehearsal.asked)
        self.get_logger().info(f"{asked - len(rehearsal.silent)} of {asked} asked were heard, first tick follows")
        return 0.0

    def _begin(self, due: Due) -> None:
        if due.jumped:
            self.get_logger().warning(
                f"the clock jumped back by {due.jumped:.1f} s: ticks go on from {due.stamp:.1f} s"
            )
        self.ledger.note("skipped", due.skipped)
        self.stamp = due.stamp
        settings, dispatcher = self.config.dispatcher, self.dispatcher
        names = dispatcher.sample()
        self.gather = Gather(
            names, time.monotonic(), settings.gather_timeout, settings.max_age, dispatcher.more, dispatcher.reach
        )
        self.lines.ask(names)

    def _subscribe(self, name: str, callback: Callable[[Any], None]) -> Any:
        return self.listen(Header, f"{name}/zone", callback, LATCHED, events=False)

    def _store(self, name: str, message: Any, count: int) -> None:
        if self.rehearsal is not None:
            self.rehearsal.hear(name)
        if self.gather is not None:
            zone, stamp = zone_sample(message, self.zone_index)
            ticks = max(round((self.stamp - stamp) / self.config.dispatcher.tick), 0)
            self.gather.receive(name, zone, self.ros_time() - stamp, ticks, count)

    def _continue(self, gather: Gather) -> float:
        now = time.monotonic()
        self.lines.ask(gather.replace(now))
        if not gather.done(now):
            return 0.005
        self._end_gather()
        self._decide(gather, now - gather.began)
        return 0.0

    def _end_gather(self) -> None:
        self.lines.end(keep=self.dispatcher.polls_all)
        self.gather = None

    def _decide(self, gather: Gather, gather_seconds: float) -> None:
        self.dispatcher.observe(gather.zones | gather.late, gather.ages)
        self.dispatcher.decide(self._reason_to_hold())
        decision = self.dispatcher.last
        assert decision is not None
        told = (self.ledger, self.priority.others(), self.mode, self.reader.strays)
        report = tick_report(gather, decision, self.dispatcher, self.config.zones, self.stamp, gather_seconds, *told)
        self._keep()
        self._explain(gather.missing)
        # A robot node that starts during a stop may find this dispatcher before the panel: then it stands by this.
        name = "" if self.stop.stopped else priority_name(decision.priority, decision.place, self.config)
        self.priority.publish(priority_message(name, self.stamp))
        self.diagnostics.publish(report_message(report))
        if report.level != "ok":
            self.get_logger().warning(report.message, throttle_duration_sec=5.0)
        elif self.mode == "shadow":
            self.get_logger().info(f"{report.message}, would steer to {report.dispatch}")
        self._tidy()

    def _tidy(self) -> None:
        """Give freed memory back now and then: DDS takes it for subscriptions, and for every process that comes."""
        now = time.monotonic()
        if now - self.tidied >= TIDY_PERIOD:
            self.tidied = now
            give_back()

    def _explain(self, missing: Iterable[str]) -> None:
        """Say, once a robot, if it was not heard because its publisher offers less than is asked for."""
        for name in set(missing) - self.deaf_to:
            topic = self.resolve_topic_name(f"{name}/zone")
            for publisher in self.get_publishers_info_by_topic(topic):
                fit, reason = qos_check_compatible(publisher.qos_profile, LATCHED)
                if fit == QoSCompatibility.ERROR:
                    self.deaf_to.add(name)
                    why = reason.replace("ERROR: ", "").strip("; ").replace(";", ", ").lower()
                    text = f"{topic} of node '{publisher.node_name}' cannot be heard ({why})"
                    self.get_logger().error(f"{text}: publish it reliable and transient local")

    def _reason_to_hold(self) -> str:
        one = self.dispatcher
        nobody = len(one.excluded) == len(one.robots)
        return self.holding.reason(one.priority, self.stamp, self.config.dispatcher.tick, self.stop.stopped, nobody)

    def _keep(self) -> None:
        """Write the checkpoint, before anybody hears of the tick: a restart then never tells one twice."""
        if self.checkpoint is not None:
            wrong = self.checkpoint.write(self.dispatcher.state() | {"ledger": asdict(self.ledger)})
            if wrong:
                self.get_logger().error(wrong, throttle_duration_sec=5.0)

    def _resume(self, checkpoint: Checkpoint) -> None:
        try:
            state = checkpoint.read()
            if state is None:
                return
            self.dispatcher.restore(state)
            self.ledger = Ledger.restored(state.get("ledger", {}))
        except (OSError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
            raise UserError(f"checkpoint {checkpoint.path} cannot be resumed ({error}): remove it") from None
        self.get_logger().info(
            f"resuming at tick {self.dispatcher.tick} with priority {self.config.zones[self.dispatcher.priority]}"
        )
        if state.get("estop") and not self.operator.found:  # of a version that kept it there
            self.stop_line.press(True)
            self.get_logger().warning("the emergency stop that this dispatcher had pressed is still on")


def _topic(mode: str) -> str:
    return "priority_zone" + (SHADOW if mode == "shadow" else "")


def main() -> None:
    """Entry point of `ros2 run meanfleet dispatcher`."""
    sys.exit(run(DispatcherNode))


if __name__ == "__main__":
    main()
