"""Rigid bodies in PyBullet: every robot a cylinder that the traffic law drives and that others can push.

What cannot matter costs little, and changes nothing: robots are matched against each other only if they could touch
within the step (`contacts.near` is the broad phase, collision groups tell the engine), and a robot that stands still,
is told to, and is near nobody who could touch it is neither written to nor read.

The only module that imports pybullet.
"""

from __future__ import annotations

import math
from itertools import chain, pairwise

import numpy as np
import pybullet
from numpy.typing import ArrayLike, NDArray

from meanfleet.config import Config

from .contacts import near
from .driving import DrivingWorld

_MASS = 20.0  # [kg]
_GRAVITY = -9.81  # [m/s²]
_FLOOR, _ROBOT = 1, 2  # collision groups
_MARGIN = 0.02  # [m] robots that could come this close to touching are left to the physics engine
_TILT = 0.2  # [rad] a robot that leans more has left the floor
_NO_FRICTION = {"lateralFriction": 0.0, "spinningFriction": 0.0, "rollingFriction": 0.0, "restitution": 0.0}
_COLOURS = (
    (0.12, 0.47, 0.71),
    (1.00, 0.50, 0.05),
    (0.17, 0.63, 0.17),
    (0.84, 0.15, 0.16),
    (0.58, 0.40, 0.74),
    (0.55, 0.34, 0.29),
    (0.89, 0.47, 0.76),
    (0.74, 0.74, 0.13),
)


class BulletWorld(DrivingWorld):
    """The warehouse with bodies.

    Args:
        config: zones, robots and `world`.
        seed: breaks ties between robots that want to merge at the same time.
        start_zones: zones [robot] in whose own slots the robots stand at the start.
        gui: open a window; robots then wear the colour of the zone they are sent to.
    """

    def __init__(self, config: Config, seed: int, start_zones: ArrayLike, gui: bool = False) -> None:
        super().__init__(config, seed, start_zones)
        self._gui = gui
        self._client = pybullet.connect(pybullet.GUI if gui else pybullet.DIRECT)
        if self._client < 0:
            raise RuntimeError("PyBullet did not start; without a display, use gui=False")
        n = self.layout.robots
        self._vertical = np.zeros(n)  # velocity [m/s]
        self._state = np.zeros((n, 7))  # position [m] and attitude (quaternion) as last read
        self._state[:, :2], self._state[:, 2] = self._xy, config.world.layout.robot_height / 2
        self._resting, self._near = np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
        self._order = np.argsort(self._xy[:, 0], kind="stable")
        self._set_up_physics()
        self._draw_pads()
        self._bodies = self._place_robots()
        if gui:
            self._draw_lanes()

    def send(self, robots: ArrayLike, goals: ArrayLike, moves: ArrayLike | None = None) -> None:
        """See `DrivingWorld.send`; in the window the robots also change colour."""
        super().send(robots, goals, moves)
        if self._gui:
            for robot, goal in zip(np.asarray(robots), np.asarray(goals), strict=True):
                self._paint(int(robot), int(goal))

    def place(self, robot: int, x: float, y: float) -> None:
        """See `DrivingWorld.place`; height and attitude stay."""
        super().place(robot, x, y)
        on, body = {"physicsClientId": self._client}, self._bodies[robot]
        (_, _, z), attitude = pybullet.getBasePositionAndOrientation(body, **on)
        pybullet.resetBasePositionAndOrientation(body, (x, y, z), attitude, **on)
        self._resting[robot] = False

    def close(self) -> None:
        """Disconnect from PyBullet."""
        if self._client >= 0 and pybullet.isConnected(self._client):
            pybullet.disconnect(self._client)
        self._client = -1

    def _set_up_physics(self) -> None:
        sizes = self.spec.layout
        # Bullet prepares contacts of two bodies nearer than this share of their bounding radius.
        share = 3 * self.spec.speed * self.spec.step / math.hypot(sizes.robot_radius, sizes.robot_height / 2)
        pybullet.setGravity(0.0, 0.0, _GRAVITY, physicsClientId=self._client)
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=self.spec.step,
            numSubSteps=0,
            numSolverIterations=20,
            # Contacts are prepared for pairs that could meet within this step, at up to twice the speed and half as
            # much again; the solver then lets them approach, but not pass, and nothing tunnels at any step.
            contactBreakingThreshold=share,
            deterministicOverlappingPairs=1,
            physicsClientId=self._client,
        )
        plane = pybullet.createCollisionShape(pybullet.GEOM_PLANE, physicsClientId=self._client)
        floor = pybullet.createMultiBody(0.0, plane, physicsClientId=self._client)
        # Wheels roll: the floor carries the bodies but does not brake them, or a commanded velocity would not last.
        pybullet.changeDynamics(floor, -1, **_NO_FRICTION, physicsClientId=self._client)
        pybullet.setCollisionFilterGroupMask(floor, -1, _FLOOR, _ROBOT, physicsClientId=self._client)

    def _place_robots(self) -> list[int]:
        radius, height = self.spec.layout.robot_radius, self.spec.layout.robot_height
        on = {"physicsClientId": self._client}
        shape = pybullet.createCollisionShape(pybullet.GEOM_CYLINDER, radius=radius, height=height, **on)
        visual = pybullet.createVisualShape(pybullet.GEOM_CYLINDER, radius=radius, length=height, **on)
        bodies = []
        for (x, y), yaw, goal in zip(self._xy, self._yaw, self.fleet.goal, strict=True):
            turned = pybullet.getQuaternionFromEuler((0.0, 0.0, yaw))
            body = pybullet.createMultiBody(_MASS, shape, visual, (x, y, height / 2), turned, **on)
            pybullet.changeDynamics(
                body,
                -1,
                # Zero means infinite for Bullet: no torque tips a robot over.
                localInertiaDiagonal=(0.0, 0.0, _MASS * radius**2 / 2),
                linearDamping=0.0,
                angularDamping=0.0,
                **_NO_FRICTION,
                **on,
            )
            pybullet.setCollisionFilterGroupMask(body, -1, _ROBOT, _FLOOR, **on)
            bodies.append(body)
            pybullet.changeVisualShape(body, -1, rgbaColor=_colour(goal), **on)
        return bodies

    def _integrate(self, velocity: NDArray[np.float64], yaw_rate: NDArray[np.float64]) -> None:
        client, bodies = self._client, self._bodies
        self._match(velocity)
        still = (velocity == 0).all(axis=1) & (yaw_rate == 0)
        awake = np.flatnonzero(~(self._resting & still) | self._near)
        who = awake.tolist()
        for robot, (x, y), z, turn in zip(
            who, velocity[awake].tolist(), self._vertical[awake].tolist(), yaw_rate[awake].tolist(), strict=True
        ):
            pybullet.resetBaseVelocity(bodies[robot], (x, y, z), (0.0, 0.0, turn), client)
        pybullet.stepSimulation(client)
        read = (pybullet.getBasePositionAndOrientation(bodies[robot], client) for robot in who)
        flat = chain.from_iterable(chain.from_iterable(read))
        state = np.fromiter(flat, dtype=np.float64, count=7 * len(who)).reshape(-1, 7)
        self._take_in(awake, still[awake], state)

    def _match(self, velocity: NDArray[np.float64]) -> None:
        """Tell the engine whom it has to match against other robots in the coming step."""
        found = np.empty_like(self._near)
        near(self._xy, velocity, self.spec.step, self._order, self._diameter, _MARGIN, found)
        for robot in np.flatnonzero(found != self._near).tolist():
            mask = _FLOOR | _ROBOT if found[robot] else _FLOOR
            pybullet.setCollisionFilterGroupMask(self._bodies[robot], -1, _ROBOT, mask, self._client)
        self._near = found

    def _take_in(self, awake: NDArray[np.int64], still: NDArray[np.bool_], state: NDArray[np.float64]) -> None:
        """Go on from what was read of the robots `awake` [m]: state [m, 7]; those `still` [m] were told to stand."""
        before = self._state[awake]
        self._resting[awake] = still & (state == before).all(axis=1)
        self._vertical[awake] = (state[:, 2] - before[:, 2]) / self.spec.step
        self._state[awake] = state
        self._xy, self._yaw = self._state[:, :2].copy(), self._yaw.copy()
        height, (qx, qy, qz, qw) = state[:, 2], state[:, 3:].T
        self._yaw[awake] = np.arctan2(2 * (qw * qz + qx * qy), 1 - 2 * (qy**2 + qz**2))
        bottom = height - self.spec.layout.robot_height / 2
        upright = 1 - 2 * (qx**2 + qy**2)  # cosine of the tilt
        self._left_floor[awake] |= (
            (bottom < -self.spec.layout.robot_radius / 2)
            | (bottom > self.spec.layout.robot_height)
            | (upright < math.cos(_TILT))
        )

    def _draw_pads(self) -> None:
        """A flat, coloured body per zone, just above the floor and without collision shape."""
        on = {"physicsClientId": self._client}
        for zone, pad in enumerate(self.layout.pads):
            half = len(pad) // 2
            inner, outer = pad[:half], pad[half:][::-1]
            corners = np.stack([inner, outer], axis=1).reshape(-1, 2)
            vertices = [(x, y, 0.002) for x, y in corners]
            quads = [(2 * i, 2 * i + 1, 2 * i + 3, 2 * i, 2 * i + 3, 2 * i + 2) for i in range(half - 1)]
            shape = pybullet.createVisualShape(
                pybullet.GEOM_MESH,
                vertices=vertices,
                indices=[index for quad in quads for index in quad],
                normals=[(0.0, 0.0, 1.0)] * len(vertices),
                rgbaColor=_pale(_colour(zone)),
                **on,
            )
            pybullet.createMultiBody(0.0, -1, shape, **on)

    def _draw_lanes(self) -> None:
        """The lanes' middles as lines, only in the window."""
        turns = np.linspace(0, 2 * math.pi, 73)
        for radius in self.layout.lane_radii:
            points = [(radius * math.cos(turn), radius * math.sin(turn), 0.005) for turn in turns]
            for start, end in pairwise(points):
                pybullet.addUserDebugLine(start, end, (0.6, 0.6, 0.6), 1, physicsClientId=self._client)

    def _paint(self, robot: int, zone: int) -> None:
        pybullet.changeVisualShape(self._bodies[robot], -1, rgbaColor=_colour(zone), physicsClientId=self._client)


def _colour(zone: int) -> tuple[float, float, float, float]:
    """Red, green, blue, opacity of a zone."""
    return (*_COLOURS[zone % len(_COLOURS)], 1.0)


def _pale(colour: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    red, green, blue, opacity = colour
    return (0.7 + 0.3 * red, 0.7 + 0.3 * green, 0.7 + 0.3 * blue, opacity)
