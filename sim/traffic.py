"""The traffic law of the ring warehouse: from where robots are and want to be, to how fast they drive now.

Routes are the business of `routes`; this law keeps robots apart on them, by three rules:

    follow   v²/2b + vΔ/2 <= gap + max(V²/2b - VΔ/2, 0): even if the robot ahead (speed V) brakes fully from now on,
             stopping one step of length Δ later leaves the gap open (Krauss 1998, in the discrete form of the step);
    merge    a robot leaves its slot only if its place in the lane is free and whoever comes can brake in time; merges
             are granted one after another, those who waited longest first;
    patience whoever has waited for `patience` is braked for by everyone in the lane who still can.

Robots stand only in their own slots or in a lane, and every robot in a lane is on its way to a slot that is its own
and free: a queue's head always leaves, so there is no deadlock.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .routes import (
    DRIVING,
    ENTERING,
    LEAVING,
    PARKED,
    ROUND,
    Drive,
    Fleet,
    Floats,
    Ints,
    Ring,
    fastest,
    lane_to,
    plan,
    polar,
    stopping,
    to_column,
    way_of,
)

_PUSHED = 1.0  # [m] a robot pushed past its column by less than this thinks again

# --- Who is in which lane --------------------------------------------------------------------------------------------


@njit(cache=True)
def _turn_corners(
    fleet: Fleet, ring: Ring, drive: Drive, rho: Floats, theta: Floats, radial: Floats, along: Floats
) -> None:
    """Start the next phase of every robot that reached the end of one. Changes fleet."""
    slow = drive.acceleration * drive.step * 1.01
    for i in range(len(rho)):
        phase, lane = fleet.phase[i], fleet.lane[i]
        if phase == LEAVING:
            if abs(ring.lanes[lane] - rho[i]) < drive.arrived and abs(radial[i]) < slow:
                fleet.phase[i] = DRIVING
                fleet.zone[i] = plan(ring, drive, i, lane, theta[i], 0.0, fleet.goal[i])[0]
        elif phase == DRIVING:
            distance = to_column(ring, drive, i, lane, theta[i], fleet.zone[i])
            if abs(distance) < drive.arrived and abs(along[i]) < slow:
                fleet.phase[i] = ENTERING
            elif distance > ROUND * ring.lanes[lane] - _PUSHED:  # past its column: a whole round, or back from the next
                fleet.zone[i] = plan(ring, drive, i, lane, theta[i], abs(along[i]), fleet.goal[i])[0]
        elif phase == ENTERING and abs(ring.home[i] - rho[i]) < drive.arrived and abs(radial[i]) < slow:
            fleet.phase[i], fleet.waited[i] = PARKED, 0.0
        if fleet.phase[i] == PARKED and fleet.goal[i] != fleet.zone[i]:
            wanted = lane_to(ring, i, fleet.zone[i], fleet.goal[i])
            fleet.waited[i] = fleet.waited[i] + drive.step if wanted == lane else 0.0
            fleet.lane[i] = wanted


@njit(cache=True)
def _line_up(
    fleet: Fleet, ring: Ring, drive: Drive, rho: Floats, theta: Floats, radial: Floats
) -> tuple[Ints, Floats, Ints, Ints]:
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
        elif fleet.phase[i] == ENTERING and radial[i] * (ring.lanes[lane] - ring.home[i]) > 0:
            pass  # it turned back, but rolls on towards the lane until it stands
        elif fleet.phase[i] == PARKED or fleet.phase[i] == ENTERING:
            lane = min(max(round((rho[i] - ring.lanes[0]) / width), 0), len(ring.lanes) - 1)
            if abs(rho[i] - ring.lanes[lane]) > drive.clearance:
                continue
        robots[count], keys[count] = i, 7.0 * lane + (way_of(lane) * angle) % ROUND  # 7 > 2π keeps lanes apart
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


@njit(cache=True)
def _waits(fleet: Fleet, robot: int) -> bool:
    """Whether a member of a queue is not in the lane but waits in its slot to merge."""
    return bool(fleet.phase[robot] == PARKED and fleet.goal[robot] != fleet.zone[robot])


@njit(cache=True)
def _speed_in_lane(fleet: Fleet, robot: int, lane: int, along: Floats) -> float:
    """Speed [m/s] in the lane's direction; 0 for robots that only cross."""
    return max(way_of(lane) * along[robot], 0.0) if fleet.phase[robot] == DRIVING else 0.0


@njit(cache=True)
def _may_merge(
    fleet: Fleet, ring: Ring, drive: Drive, along: Floats, queue: Ints, place: Floats, p: int, lo: int, hi: int
) -> bool:
    """Whether the waiting member p of a lane's queue[lo:hi] has room between the robots before and behind it."""
    lane = fleet.lane[queue[p]]
    around, reach = ROUND * ring.lanes[lane], stopping(drive.speed, drive) + drive.spacing
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
                if gap < drive.merging + stopping(slowed, drive):
                    return False
                break
    return True


@njit(cache=True)
def _merge(
    fleet: Fleet, ring: Ring, drive: Drive, along: Floats, queue: Ints, place: Floats, first: Ints, after: Ints
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


@njit(cache=True)
def _lane_speed(
    fleet: Fleet, ring: Ring, drive: Drive, along: Floats, queue: Ints, place: Floats, p: int, lo: int, hi: int
) -> float:
    """Highest safe speed [m/s] of the driving member p of a lane's queue[lo:hi]."""
    robot, lane = queue[p], fleet.lane[queue[p]]
    around, reach = ROUND * ring.lanes[lane], stopping(drive.speed, drive) + drive.spacing
    least = max(_speed_in_lane(fleet, robot, lane, along) - drive.acceleration * drive.step, 0.0)
    slack = (drive.spacing - drive.merging) / 2  # who began to brake for someone must not give up over a rounding
    fastest_safe, alone = drive.speed, True
    q = p
    while True:
        q = q + 1 if q + 1 < hi else lo
        ahead = (place[q] - place[p]) % around
        if q == p or ahead > reach + drive.speed * drive.step:
            return fastest_safe
        gap = ahead - drive.spacing
        if _waits(fleet, queue[q]):
            # Also beyond the robot ahead: in a dense stream only those behind it can still brake for who waits.
            if fleet.waited[queue[q]] >= drive.patience and stopping(least, drive) <= gap + slack:
                fastest_safe = min(fastest_safe, fastest(gap, drive))
        elif alone:
            leader = _speed_in_lane(fleet, queue[q], lane, along)
            braking = max(stopping(leader, drive) - leader * drive.step, 0.0)
            fastest_safe, alone = min(fastest_safe, fastest(gap + braking, drive)), False


@njit(cache=True)
def _towards(distance: float, speed: float, limit: float, drive: Drive) -> float:
    """Next speed [m/s] of a robot that wants to stop `distance` ahead (negative: behind), now at `speed`."""
    wanted = min(fastest(abs(distance), drive), abs(distance) / drive.step, limit)
    change = drive.acceleration * drive.step
    return min(max(math.copysign(wanted, distance), speed - change), speed + change)


@njit(cache=True)
def _steer(fleet: Fleet, ring: Ring, drive: Drive, xy: Floats, velocity: Floats, out: Floats) -> None:
    """One step of the traffic law; see `steer`. Changes fleet and writes out [robot, 2]."""
    rho, theta, radial, along = polar(xy, velocity, drive.step)
    _turn_corners(fleet, ring, drive, rho, theta, radial, along)
    queue, place, first, after = _line_up(fleet, ring, drive, rho, theta, radial)
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
            way, scale = way_of(lane), ring.lanes[lane] / rho[i]  # speeds in a lane are meant at the lane's middle
            distance = max(to_column(ring, drive, i, lane, theta[i], fleet.zone[i]), 0.0)
            forward = way * _towards(distance, way * along[i] * scale, limit[i], drive) / scale
        else:
            angle = ring.column[i] + fleet.zone[i] * ring.zone_angle - theta[i]
            angle = (angle + math.pi) % ROUND - math.pi
            forward = _towards(angle * rho[i], along[i], drive.speed, drive)
        # The velocity leads to the point that the polar step leads to, so that circles are kept exactly.
        next_rho, next_theta = rho[i] + outward * drive.step, theta[i] + forward * drive.step / rho[i]
        out[i, 0] = (next_rho * math.cos(next_theta) - xy[i, 0]) / drive.step
        out[i, 1] = (next_rho * math.sin(next_theta) - xy[i, 1]) / drive.step


def steer(fleet: Fleet, ring: Ring, drive: Drive, xy: Floats, velocity: Floats) -> Floats:
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
