"""The traffic law of the ring warehouse: from where robots are and want to be, to how fast they drive now.

A trip is slot → radially into the adjacent one-way lane of the shorter way round → along the lane → radially into the
robot's own slot of the goal zone; at each corner the robot stands for an instant. Three rules keep robots apart:

    follow   v²/2b + vΔ/2 <= gap + max(V²/2b - VΔ/2, 0): even if the robot ahead (speed V) brakes fully from now on,
             stopping one step of length Δ later leaves the gap open (Krauss 1998, in the discrete form of the step);
    merge    a robot leaves its slot only if its place in the lane is free and whoever comes can brake in time; merges
             are granted one after another, those who waited longest first;
    patience whoever has waited for `patience` is braked for by everyone in the lane who still can.

Robots stand only in their own slots or in a lane, and every robot in a lane is on its way to a slot that is its own
and free: a queue's head always leaves, so there is no deadlock. Positions are polar, (ρ, θ), about the ring's centre.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from meanfleet.config import WorldConfig
from meanfleet.layout import RingLayout

PARKED, LEAVING, DRIVING, ENTERING = 0, 1, 2, 3
"""Phases of a robot: in its slot; moving out to its lane; along the lane; moving in from the lane."""

_ARRIVED = 0.02  # [m] a corner counts as reached this close to it, at less than one step's change of speed
_MARGIN = 0.05  # [m] kept free between two robots in a lane
_PATIENCE = 2.0  # [s] a robot waits politely before it makes others brake
_ROUND = 2 * math.pi
_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


class Ring(NamedTuple):
    """Where rows, lanes and columns are."""

    home: _Floats  # [robot] radius of the robot's row [m]
    row: _Ints  # [robot]
    column: _Floats  # [robot] angle of its column from the middle of a zone [rad]
    lanes: _Floats  # [lane] radius [m]; even lanes run counter-clockwise
    zones: int
    zone_angle: float  # [rad] between the middles of neighbouring zones


class Drive(NamedTuple):
    """What a robot can do and how much room it keeps."""

    speed: float  # [m/s]
    acceleration: float  # [m/s²] for speeding up, b for braking
    step: float  # [s] Δ
    spacing: float  # [m] between the centres of robots that stand in a lane
    merging: float  # [m] least distance along the lane between a merging robot and its neighbours
    clearance: float  # [m] a robot this close to a lane's middle blocks it
    patience: float  # [s]


class Fleet(NamedTuple):
    """The traffic state of all robots, changed in place by `redirect` and `steer`."""

    phase: _Ints  # [robot]
    lane: _Ints  # [robot] lane it drives in, leaves for, comes from, or waits for
    zone: _Ints  # [robot] zone of the own column it stands at or, DRIVING, will leave the lane at
    goal: _Ints  # [robot] zone to park in
    waited: _Floats  # [robot] time since it wants to merge [s]
    rank: _Floats  # [robot] in [0, 1): who goes first after equal waits


def ring_of(layout: RingLayout) -> Ring:
    """The kernel's view of a layout."""
    home = layout.row_radii[layout.row]
    return Ring(home, layout.row, layout.column_angle, layout.lane_radii, layout.zones, layout.zone_angle)


def drive_of(world: WorldConfig) -> Drive:
    """The kernel's view of a world's speeds and sizes."""
    diameter = 2 * world.layout.robot_radius
    margin = min(_MARGIN, (world.layout.lane_offset - diameter) / 2)
    spacing, merging, clearance = diameter + margin, diameter + 0.7 * margin, diameter + 0.8 * margin
    return Drive(world.speed, world.acceleration, world.step, spacing, merging, clearance, _PATIENCE)


def parked_fleet(zones: _Ints, rank: _Floats) -> Fleet:
    """Robots that stand in their own slots of `zones` [robot] and want to stay; `rank` [robot] breaks ties."""
    n = len(zones)
    zeros = np.zeros(n, dtype=np.int64)
    return Fleet(zeros, zeros.copy(), zones.astype(np.int64), zones.astype(np.int64), np.zeros(n), rank)


# --- Routes ----------------------------------------------------------------------------------------------------------


@njit(cache=True)  # type: ignore[untyped-decorator]
def _way(lane: int) -> float:
    """+1 for a counter-clockwise lane, -1 for a clockwise one."""
    return 1.0 - 2.0 * (lane & 1)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _lane_to(ring: Ring, robot: int, zone: int, goal: int) -> int:
    """Lane of the shorter way from a slot in `zone` to `goal`; if both ways are equal, the lane of the row's number."""
    turns = (goal - zone) % ring.zones
    row = ring.row[robot]
    if 2 * turns == ring.zones:
        return row
    counter_clockwise = 2 * turns < ring.zones
    return row + (row & 1 if counter_clockwise else 1 - (row & 1))


@njit(cache=True)  # type: ignore[untyped-decorator]
def _to_column(ring: Ring, robot: int, lane: int, angle: float, zone: int) -> float:
    """Distance [m] along a lane from an angle to the robot's column in `zone`; negative if it was just passed."""
    radius = ring.lanes[lane]
    ahead = (_way(lane) * (ring.column[robot] + zone * ring.zone_angle - angle)) % _ROUND * radius
    behind = _ROUND * radius - ahead
    return -behind if behind < 10 * _ARRIVED else ahead


@njit(cache=True)  # type: ignore[untyped-decorator]
def _stopping(speed: float, drive: Drive) -> float:
    """Distance [m] to a standstill for a robot that drives one more step at `speed`."""
    return speed * speed / (2 * drive.acceleration) + speed * drive.step / 2


@njit(cache=True)  # type: ignore[untyped-decorator]
def _fastest(distance: float, drive: Drive) -> float:
    """The speed [m/s] whose stopping distance is `distance`; 0 if there is none."""
    if distance <= 0:
        return 0.0
    half = drive.step / 2
    return drive.acceleration * (math.sqrt(half * half + 2 * distance / drive.acceleration) - half)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _duration(distance: float, speed: float, drive: Drive) -> float:
    """Time [s] to stop exactly `distance` ahead, starting at `speed` (negative: moving away)."""
    a, time = drive.acceleration, drive.step / 2  # pieces end on a step: half of one is lost on average
    if distance <= 0 and speed <= 0:
        return 0.0
    if speed < 0:
        time, distance, speed = time - speed / a, distance + speed * speed / (2 * a), 0.0
    peak = math.sqrt(max(a * distance + speed * speed / 2, speed * speed))
    if peak <= drive.speed:
        return time + (2 * peak - speed) / a
    cruise = distance - (2 * drive.speed**2 - speed * speed) / (2 * a)
    return time + (2 * drive.speed - speed) / a + cruise / drive.speed


@njit(cache=True)  # type: ignore[untyped-decorator]
def _from_slot(ring: Ring, drive: Drive, robot: int, zone: int, goal: int) -> float:
    """Free-flow time [s] from standing in the slot of `zone` to standing in the slot of `goal`."""
    if zone == goal:
        return 0.0
    lane = _lane_to(ring, robot, zone, goal)
    angle = ring.column[robot] + zone * ring.zone_angle
    corner = _duration(abs(ring.lanes[lane] - ring.home[robot]), 0.0, drive)
    return 2 * corner + _duration(_to_column(ring, robot, lane, angle, goal), 0.0, drive)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _plan(ring: Ring, drive: Drive, robot: int, lane: int, angle: float, speed: float, goal: int) -> tuple[int, float]:
    """Where a robot in a lane leaves it, and its free-flow time [s] to the goal.

    Either it stays in the lane up to the goal, or it leaves at the next own column where it can still stop, crosses its
    slot there and drives back in the other lane.
    """
    best, best_time = goal, np.inf
    corner = _duration(abs(ring.lanes[lane] - ring.home[robot]), 0.0, drive)
    for zone in range(ring.zones):
        distance = _to_column(ring, robot, lane, angle, zone)
        if distance < _stopping(max(speed - drive.acceleration * drive.step, 0.0), drive) - _ARRIVED:
            distance += _ROUND * ring.lanes[lane]
        time = _duration(distance, speed, drive) + corner + _from_slot(ring, drive, robot, zone, goal)
        if time < best_time:
            best, best_time = zone, time
    return best, best_time


@njit(cache=True)  # type: ignore[untyped-decorator]
def _redirect(
    fleet: Fleet, ring: Ring, drive: Drive, i: int, rho: float, theta: float, radial: float, along: float, goal: int
) -> float:
    """Give robot i a goal; return its free-flow time [s] to it. Changes fleet.goal, .phase, .zone of robot i."""
    fleet.goal[i] = goal
    zone, lane, phase = fleet.zone[i], fleet.lane[i], fleet.phase[i]
    if phase == DRIVING:
        fleet.zone[i], time = _plan(ring, drive, i, lane, theta, max(_way(lane) * along, 0.0), goal)
        return time
    from_slot = _from_slot(ring, drive, i, zone, goal)
    if phase == PARKED:
        return from_slot
    home, outward = ring.home[i], 1.0 if ring.lanes[lane] > ring.home[i] else -1.0
    if phase == LEAVING and goal != zone and _lane_to(ring, i, zone, goal) == lane:
        corner = abs(ring.lanes[lane] - home)
        done = _duration(corner - outward * (rho - home), outward * radial, drive)
        return from_slot - _duration(corner, 0.0, drive) + done
    fleet.phase[i] = ENTERING  # back into, or on into, the own slot, which is free
    return from_slot + _duration(outward * (rho - home), -outward * radial, drive)


# --- Who is in which lane --------------------------------------------------------------------------------------------


@njit(cache=True)  # type: ignore[untyped-decorator]
def _polar(xy: _Floats, velocity: _Floats, step: float) -> tuple[_Floats, _Floats, _Floats, _Floats]:
    """ρ [m], θ [rad] and the last step's radial and (counter-clockwise) tangential speeds [m/s], all [robot]."""
    n = len(xy)
    rho, theta, radial, along = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        x, y = xy[i]
        before_x, before_y = x - velocity[i, 0] * step, y - velocity[i, 1] * step
        rho[i], theta[i] = math.hypot(x, y), math.atan2(y, x)
        radial[i] = (rho[i] - math.hypot(before_x, before_y)) / step
        # From step to step robots go along chords, so the angle that was turned is the distance that was driven.
        along[i] = math.atan2(before_x * y - before_y * x, before_x * x + before_y * y) * rho[i] / step
    return rho, theta, radial, along


@njit(cache=True)  # type: ignore[untyped-decorator]
def _turn_corners(
    fleet: Fleet, ring: Ring, drive: Drive, rho: _Floats, theta: _Floats, radial: _Floats, along: _Floats
) -> None:
    """Start the next phase of every robot that reached the end of one. Changes fleet."""
    slow = drive.acceleration * drive.step * 1.01
    for i in range(len(rho)):
        phase, lane = fleet.phase[i], fleet.lane[i]
        if phase == LEAVING:
            if abs(ring.lanes[lane] - rho[i]) < _ARRIVED and abs(radial[i]) < slow:
                fleet.phase[i] = DRIVING
                fleet.zone[i] = _plan(ring, drive, i, lane, theta[i], 0.0, fleet.goal[i])[0]
        elif phase == DRIVING:
            distance = _to_column(ring, i, lane, theta[i], fleet.zone[i])
            if abs(distance) < _ARRIVED and abs(along[i]) < slow:
                fleet.phase[i] = ENTERING
            elif distance < 0:  # pushed past its column
                fleet.zone[i] = _plan(ring, drive, i, lane, theta[i], abs(along[i]), fleet.goal[i])[0]
        elif phase == ENTERING:
            if abs(ring.home[i] - rho[i]) < _ARRIVED and abs(radial[i]) < slow:
                fleet.phase[i], fleet.waited[i] = PARKED, 0.0
        if fleet.phase[i] == PARKED and fleet.goal[i] != fleet.zone[i]:
            wanted = _lane_to(ring, i, fleet.zone[i], fleet.goal[i])
            fleet.waited[i] = fleet.waited[i] + drive.step if wanted == lane else 0.0
            fleet.lane[i] = wanted


@njit(cache=True)  # type: ignore[untyped-decorator]
def _line_up(
    fleet: Fleet, ring: Ring, drive: Drive, rho: _Floats, theta: _Floats
) -> tuple[_Ints, _Floats, _Ints, _Ints]:
    """Everyone who is in a lane or waits for one, by lane and in its direction.

    Returns:
        queue: robots [member], lane after lane; place: way [m] along the lane [member]; first, [lane]: index of a
        lane's first member; after, [lane]: index after its last.
    """
    n, count = len(rho), 0
    robots, keys = np.empty(n, dtype=np.int64), np.empty(n)
    width = ring.lanes[1] - ring.lanes[0]
    first, after = np.zeros(len(ring.lanes), dtype=np.int64), np.zeros(len(ring.lanes), dtype=np.int64)
    for i in range(n):
        lane, angle = fleet.lane[i], theta[i]
        if fleet.phase[i] == PARKED and fleet.goal[i] != fleet.zone[i]:
            angle = ring.column[i] + fleet.zone[i] * ring.zone_angle
        elif fleet.phase[i] == PARKED or fleet.phase[i] == ENTERING:
            lane = min(max(int(round((rho[i] - ring.lanes[0]) / width)), 0), len(ring.lanes) - 1)
            if abs(rho[i] - ring.lanes[lane]) > drive.clearance:
                continue
        robots[count], keys[count] = i, 7.0 * lane + (_way(lane) * angle) % _ROUND  # 7 > 2π keeps lanes apart
        after[lane] += 1
        count += 1
    for lane in range(len(ring.lanes)):
        first[lane] = after[lane - 1] if lane else 0
        after[lane] += first[lane]
    order = np.argsort(keys[:count])
    queue, place = robots[:count][order], keys[:count][order]
    for lane in range(len(ring.lanes)):
        for p in range(first[lane], after[lane]):
            place[p] = (place[p] - 7.0 * lane) * ring.lanes[lane]
    return queue, place, first, after


@njit(cache=True)  # type: ignore[untyped-decorator]
def _waits(fleet: Fleet, robot: int) -> bool:
    """Whether a member of a queue is not in the lane but waits in its slot to merge."""
    return bool(fleet.phase[robot] == PARKED and fleet.goal[robot] != fleet.zone[robot])


@njit(cache=True)  # type: ignore[untyped-decorator]
def _speed_in_lane(fleet: Fleet, robot: int, lane: int, along: _Floats) -> float:
    """Speed [m/s] in the lane's direction; 0 for robots that only cross."""
    return max(_way(lane) * along[robot], 0.0) if fleet.phase[robot] == DRIVING else 0.0


@njit(cache=True)  # type: ignore[untyped-decorator]
def _may_merge(
    fleet: Fleet, ring: Ring, drive: Drive, along: _Floats, queue: _Ints, place: _Floats, p: int, lo: int, hi: int
) -> bool:
    """Whether the waiting member p of a lane's queue[lo:hi] has room between the robots before and behind it."""
    lane = fleet.lane[queue[p]]
    around, reach = _ROUND * ring.lanes[lane], _stopping(drive.speed, drive) + drive.spacing
    for step in (1, -1):
        q = p
        while True:
            q = lo + (q + step - lo) % (hi - lo)
            gap = (step * (place[q] - place[p])) % around
            if q == p or gap > reach:
                break
            if not _waits(fleet, queue[q]):
                speed = _speed_in_lane(fleet, queue[q], lane, along) if step < 0 else 0.0
                slowed = max(speed - drive.acceleration * drive.step, 0.0)
                if gap < drive.merging + _stopping(slowed, drive):
                    return False
                break
    return True


@njit(cache=True)  # type: ignore[untyped-decorator]
def _merge(
    fleet: Fleet, ring: Ring, drive: Drive, along: _Floats, queue: _Ints, place: _Floats, first: _Ints, after: _Ints
) -> None:
    """Let waiting robots leave their slots, longest wait first. Changes fleet.phase."""
    urgency = np.full(len(queue), np.inf)
    count = 0
    for p in range(len(queue)):
        if _waits(fleet, queue[p]):
            urgency[p] = -(fleet.waited[queue[p]] + drive.step * fleet.rank[queue[p]])
            count += 1
    if count == 0:
        return
    for p in np.argsort(urgency)[:count]:
        lane = fleet.lane[queue[p]]
        if _may_merge(fleet, ring, drive, along, queue, place, p, first[lane], after[lane]):
            fleet.phase[queue[p]] = LEAVING


# --- Speeds ----------------------------------------------------------------------------------------------------------


@njit(cache=True)  # type: ignore[untyped-decorator]
def _lane_speed(
    fleet: Fleet, ring: Ring, drive: Drive, along: _Floats, queue: _Ints, place: _Floats, p: int, lo: int, hi: int
) -> float:
    """Highest safe speed [m/s] of the driving member p of a lane's queue[lo:hi]."""
    robot, lane = queue[p], fleet.lane[queue[p]]
    around, reach = _ROUND * ring.lanes[lane], _stopping(drive.speed, drive) + drive.spacing
    least = max(_speed_in_lane(fleet, robot, lane, along) - drive.acceleration * drive.step, 0.0)
    q = p
    while True:
        q = q + 1 if q + 1 < hi else lo
        ahead = (place[q] - place[p]) % around
        if q == p or ahead > reach + drive.speed * drive.step:
            return drive.speed
        gap = ahead - drive.spacing
        if not _waits(fleet, queue[q]):
            leader = _speed_in_lane(fleet, queue[q], lane, along)
            return _fastest(gap + max(_stopping(leader, drive) - leader * drive.step, 0.0), drive)
        if fleet.waited[queue[q]] >= drive.patience and _stopping(least, drive) <= gap:
            return _fastest(gap, drive)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _towards(distance: float, speed: float, limit: float, drive: Drive) -> float:
    """Next speed [m/s] of a robot that wants to stop `distance` ahead (negative: behind), now at `speed`."""
    wanted = min(_fastest(abs(distance), drive), abs(distance) / drive.step, limit)
    change = drive.acceleration * drive.step
    return min(max(math.copysign(wanted, distance), speed - change), speed + change)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _steer(fleet: Fleet, ring: Ring, drive: Drive, xy: _Floats, velocity: _Floats, out: _Floats) -> None:
    """One step of the traffic law; see `steer`. Changes fleet and writes out [robot, 2]."""
    rho, theta, radial, along = _polar(xy, velocity, drive.step)
    _turn_corners(fleet, ring, drive, rho, theta, radial, along)
    queue, place, first, after = _line_up(fleet, ring, drive, rho, theta)
    _merge(fleet, ring, drive, along, queue, place, first, after)
    limit = np.full(len(xy), drive.speed)
    for p in range(len(queue)):
        lane = fleet.lane[queue[p]]
        if fleet.phase[queue[p]] == DRIVING:
            limit[queue[p]] = _lane_speed(fleet, ring, drive, along, queue, place, p, first[lane], after[lane])
    for i in range(len(xy)):
        lane, phase = fleet.lane[i], fleet.phase[i]
        in_lane = phase == DRIVING
        radius = ring.lanes[lane] if in_lane or phase == LEAVING else ring.home[i]
        outward = _towards(radius - rho[i], radial[i], drive.speed / 2 if in_lane else drive.speed, drive)
        if in_lane:
            way, scale = _way(lane), ring.lanes[lane] / rho[i]  # speeds in a lane are meant at the lane's middle
            distance = max(_to_column(ring, i, lane, theta[i], fleet.zone[i]), 0.0)
            forward = way * _towards(distance, way * along[i] * scale, limit[i], drive) / scale
        else:
            angle = ring.column[i] + fleet.zone[i] * ring.zone_angle - theta[i]
            angle = (angle + math.pi) % _ROUND - math.pi
            forward = _towards(angle * rho[i], along[i], drive.speed, drive)
        # The velocity leads to the point that the polar step leads to, so that circles are kept exactly.
        next_rho, next_theta = rho[i] + outward * drive.step, theta[i] + forward * drive.step / rho[i]
        out[i, 0] = (next_rho * math.cos(next_theta) - xy[i, 0]) / drive.step
        out[i, 1] = (next_rho * math.sin(next_theta) - xy[i, 1]) / drive.step


def steer(fleet: Fleet, ring: Ring, drive: Drive, xy: _Floats, velocity: _Floats) -> _Floats:
    """Velocities [robot, 2] in [m/s], frame `map`, to drive with until the next step. Changes `fleet`.

    Args:
        fleet: traffic state of all robots.
        ring: geometry.
        drive: limits and distances.
        xy: positions [robot, 2] in [m], frame `map`.
        velocity: displacement of the last step over its duration [robot, 2], in [m/s].
    """
    out = np.empty((len(xy), 2))
    _steer(fleet, ring, drive, xy, velocity, out)
    return out


@njit(cache=True)  # type: ignore[untyped-decorator]
def _redirect_all(
    fleet: Fleet, ring: Ring, drive: Drive, xy: _Floats, velocity: _Floats, robots: _Ints, goals: _Ints, out: _Floats
) -> None:
    """See `redirect`. Changes fleet and writes out [m]."""
    rho, theta, radial, along = _polar(xy, velocity, drive.step)
    for k in range(len(robots)):
        i = robots[k]
        out[k] = _redirect(fleet, ring, drive, i, rho[i], theta[i], radial[i], along[i], goals[k])


def redirect(
    fleet: Fleet, ring: Ring, drive: Drive, xy: _Floats, velocity: _Floats, robots: _Ints, goals: _Ints
) -> _Floats:
    """Send robots [m] to goals [m] and return their free-flow times [m] in [s]: alone on the ring, from where they are.

    Changes `fleet`. The other arguments are those of `steer`.
    """
    out = np.empty(len(robots))
    _redirect_all(fleet, ring, drive, xy, velocity, robots, goals, out)
    return out
