"""Trips on the ring: the traffic state of the fleet, which way a robot takes, and how long that takes alone.

A trip is slot → radially into the adjacent one-way lane of the shorter way round → along the lane → radially into the
robot's own slot of the goal zone; at each corner the robot stands for an instant. A robot in a lane whose goal changes
drives on to an own column, and turns back there through its own slot if that is faster. The traffic law, which keeps
robots apart on the way, is in `traffic`. Positions are polar, (ρ, θ), about the ring's centre.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from meanfleet.config import WorldConfig
from meanfleet.floors.ring import RingLayout

PARKED, LEAVING, DRIVING, ENTERING = 0, 1, 2, 3
"""Phases of a robot: in its slot; moving out to its lane; along the lane; moving in from the lane."""

_ARRIVED = 0.02  # [m] a corner counts as reached this close to it, if at less than one step's change of speed
_MARGIN = 0.05  # [m] kept free between two robots in a lane
_PATIENCE = 2.0  # [s] a robot waits politely before it makes others brake
ROUND = 2 * math.pi
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Ring(NamedTuple):
    """Where rows, lanes and columns are."""

    home: Floats  # [robot] radius of the robot's row [m]
    row: Ints  # [robot]
    column: Floats  # [robot] angle of its column from the middle of a zone [rad]
    lanes: Floats  # [lane] radius [m]; even lanes run counter-clockwise
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
    arrived: float  # [m] a corner counts as reached this close to it
    patience: float  # [s]


class Fleet(NamedTuple):
    """The traffic state of all robots, changed in place by `redirect` and `steer`."""

    phase: Ints  # [robot]
    lane: Ints  # [robot] lane it drives in, leaves for, comes from, or waits for
    zone: Ints  # [robot] zone of the own column it stands at or, DRIVING, will leave the lane at
    goal: Ints  # [robot] zone to park in
    waited: Floats  # [robot] time since it wants to merge [s]
    rank: Floats  # [robot] in [0, 1): who goes first after equal waits


def ring_of(layout: RingLayout) -> Ring:
    """The kernel's view of a layout."""
    home = layout.row_radii[layout.row]
    return Ring(home, layout.row, layout.column_angle, layout.lane_radii, layout.zones, layout.zone_angle)


def drive_of(world: WorldConfig) -> Drive:
    """The kernel's view of a world's speeds and sizes."""
    diameter = 2 * world.layout.robot_radius
    margin = min(_MARGIN, (world.layout.lane_offset - diameter) / 2)
    spacing, merging, clearance = diameter + margin, diameter + 0.7 * margin, diameter + 0.8 * margin
    arrived = min(_ARRIVED, margin, (world.layout.slot_pitch - diameter) / 2)  # neighbours may both be this far off
    return Drive(world.speed, world.acceleration, world.step, spacing, merging, clearance, arrived, _PATIENCE)


def parked_fleet(zones: Ints, rank: Floats) -> Fleet:
    """Robots that stand in their own slots of `zones` [robot] and want to stay; `rank` [robot] breaks ties."""
    n = len(zones)
    zeros = np.zeros(n, dtype=np.int64)
    return Fleet(zeros, zeros.copy(), zones.astype(np.int64), zones.astype(np.int64), np.zeros(n), rank)


@njit(cache=True)
def way_of(lane: int) -> float:
    """+1 for a counter-clockwise lane, -1 for a clockwise one."""
    return 1.0 - 2.0 * (lane & 1)


@njit(cache=True)
def lane_to(ring: Ring, robot: int, zone: int, goal: int) -> int:
    """Lane of the shorter way from a slot in `zone` to `goal`; if both ways are equal, the lane of the row's number."""
    turns = (goal - zone) % ring.zones
    row = ring.row[robot]
    if 2 * turns == ring.zones:
        return int(row)
    counter_clockwise = 2 * turns < ring.zones
    return int(row + (row & 1 if counter_clockwise else 1 - (row & 1)))


@njit(cache=True)
def to_column(ring: Ring, drive: Drive, robot: int, lane: int, angle: float, zone: int) -> float:
    """Distance [m] along a lane from an angle to the robot's column in `zone`; negative if it is just reached."""
    radius = ring.lanes[lane]
    ahead = (way_of(lane) * (ring.column[robot] + zone * ring.zone_angle - angle)) % ROUND * radius
    behind = ROUND * radius - ahead
    return float(-behind if behind < drive.arrived else ahead)


@njit(cache=True)
def stopping(speed: float, drive: Drive) -> float:
    """Distance [m] to a standstill for a robot that drives one more step at `speed`."""
    return speed * speed / (2 * drive.acceleration) + speed * drive.step / 2


@njit(cache=True)
def fastest(distance: float, drive: Drive) -> float:
    """The speed [m/s] whose stopping distance is `distance`; 0 if there is none."""
    if distance <= 0:
        return 0.0
    half = drive.step / 2
    return drive.acceleration * (math.sqrt(half * half + 2 * distance / drive.acceleration) - half)


@njit(cache=True)
def _duration(distance: float, speed: float, drive: Drive) -> float:
    """Time [s] to stop exactly `distance` ahead, starting at `speed` (negative: moving away)."""
    a, time = drive.acceleration, 0.0
    if distance <= 0 and speed <= 0:
        return 0.0
    if speed < 0:
        time, distance, speed = time - speed / a, distance + speed * speed / (2 * a), 0.0
    peak = math.sqrt(max(a * distance + speed * speed / 2, speed * speed))
    if peak <= drive.speed:
        return time + (2 * peak - speed) / a
    cruise = distance - (2 * drive.speed**2 - speed * speed) / (2 * a)
    return time + (2 * drive.speed - speed) / a + cruise / drive.speed


@njit(cache=True)
def _from_slot(ring: Ring, drive: Drive, robot: int, zone: int, goal: int) -> float:
    """Free-flow time [s] from standing in the slot of `zone` to standing in the slot of `goal`."""
    if zone == goal:
        return 0.0
    lane = lane_to(ring, robot, zone, goal)
    angle = ring.column[robot] + zone * ring.zone_angle
    corner = _duration(abs(ring.lanes[lane] - ring.home[robot]), 0.0, drive)
    return 2 * corner + _duration(to_column(ring, drive, robot, lane, angle, goal), 0.0, drive)


@njit(cache=True)
def plan(ring: Ring, drive: Drive, robot: int, lane: int, angle: float, speed: float, goal: int) -> tuple[int, float]:
    """Where a robot in a lane leaves it, and its free-flow time [s] to the goal.

    Either it stays in the lane up to the goal, or it leaves at the next own column where it can still stop, crosses its
    slot there and drives back in the other lane.
    """
    best, best_time = goal, np.inf
    corner = _duration(abs(ring.lanes[lane] - ring.home[robot]), 0.0, drive)
    for zone in range(ring.zones):
        distance = to_column(ring, drive, robot, lane, angle, zone)
        if distance < stopping(max(speed - drive.acceleration * drive.step, 0.0), drive) - drive.arrived:
            distance += ROUND * ring.lanes[lane]
        time = _duration(distance, speed, drive) + corner + _from_slot(ring, drive, robot, zone, goal)
        if time < best_time:
            best, best_time = zone, time
    return best, best_time


@njit(cache=True)
def _redirect(
    fleet: Fleet, ring: Ring, drive: Drive, i: int, rho: float, theta: float, radial: float, along: float, goal: int
) -> float:
    """Give robot i a goal; return its free-flow time [s] to it. Changes fleet.goal, .phase, .zone of robot i."""
    fleet.goal[i] = goal
    zone, lane, phase = fleet.zone[i], fleet.lane[i], fleet.phase[i]
    if phase == DRIVING:
        fleet.zone[i], time = plan(ring, drive, i, lane, theta, max(way_of(lane) * along, 0.0), goal)
        return time
    from_slot = _from_slot(ring, drive, i, zone, goal)
    if phase == PARKED:
        return from_slot
    home, outward = ring.home[i], 1.0 if ring.lanes[lane] > ring.home[i] else -1.0
    if phase == LEAVING and goal != zone and lane_to(ring, i, zone, goal) == lane:
        corner = abs(ring.lanes[lane] - home)
        done = _duration(corner - outward * (rho - home), outward * radial, drive)
        return from_slot - _duration(corner, 0.0, drive) + done
    fleet.phase[i] = ENTERING  # back into, or on into, the own slot, which is free
    return from_slot + _duration(outward * (rho - home), -outward * radial, drive)


@njit(cache=True)
def polar(xy: Floats, velocity: Floats, step: float) -> tuple[Floats, Floats, Floats, Floats]:
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


@njit(cache=True)
def _redirect_all(
    fleet: Fleet, ring: Ring, drive: Drive, xy: Floats, velocity: Floats, robots: Ints, goals: Ints, out: Floats
) -> None:
    """See `redirect`. Changes fleet and writes out [m]."""
    rho, theta, radial, along = polar(xy, velocity, drive.step)
    for k in range(len(robots)):
        i = robots[k]
        out[k] = _redirect(fleet, ring, drive, i, rho[i], theta[i], radial[i], along[i], goals[k])


def redirect(fleet: Fleet, ring: Ring, drive: Drive, xy: Floats, velocity: Floats, robots: Ints, goals: Ints) -> Floats:
    """Send robots [m] to goals [m] and return their free-flow times [m] in [s]: alone on the ring, from where they are.

    Changes `fleet`. The other arguments are those of `steer`.
    """
    out = np.empty(len(robots))
    _redirect_all(fleet, ring, drive, xy, velocity, robots, goals, out)
    return out
