"""Rigid bodies in PyBullet on tracks: every robot a cylinder that drives along x to where it is bound for.

Like `bullet.py`, which has the warehouse with zones, it imports pybullet.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pybullet
from numpy.typing import NDArray

from meanfleet.config import Config

from .world import LineWorld

_MASS = 20.0  # [kg]
_GRAVITY = -9.81  # [m/s²]
_FLOOR, _ROBOT = (
    1,
    2,
)  # collision groups: bodies on different tracks never meet, so they are matched with the floor alone
_ARRIVED = 1e-6  # [m]
_FREE = {"lateralFriction": 0.0, "spinningFriction": 0.0, "rollingFriction": 0.0, "restitution": 0.0}


class BulletLine(LineWorld):
    """The line with bodies, which speed up and brake by `world.acceleration` up to `world.speed`.

    Args:
        config: robots, tracks and `world`.
        seed: start and noise.
        gui: open a window.
    """

    def __init__(self, config: Config, seed: int, gui: bool = False) -> None:
        super().__init__(config, seed)
        self._client = pybullet.connect(pybullet.GUI if gui else pybullet.DIRECT)
        if self._client < 0:
            raise RuntimeError("PyBullet did not start; without a display, use gui=False")
        n, self._height = len(self.bound), config.world.layout.robot_height
        self._position = np.column_stack([self.tracks.poses(np.arange(n), self.bound)[:, :2], np.zeros(n)])
        self._position[:, 2] = self._height / 2
        self._speed, self._driven = np.zeros(n), np.zeros(n)  # [m/s] along x: as measured, as commanded
        self._steps, self._owed = 0, 0.0
        self._off = np.zeros(n, dtype=np.bool_)
        self._set_up()
        self._bodies = [self._body(where, config.world.layout.robot_radius) for where in self._position.tolist()]

    @property
    def time(self) -> float:
        """Simulated time since the start [s]."""
        return self._steps * self.spec.step

    @property
    def places(self) -> NDArray[np.float64]:
        """Where the robots are on the line [robot]."""
        return self.tracks.places(self._position)

    @property
    def velocities(self) -> NDArray[np.float64]:
        """Velocities [robot, (vx, 0, 0)] over the last step."""
        return np.column_stack([self._speed, np.zeros((len(self._speed), 2))])

    def advance(self, seconds: float) -> None:
        """Simulate for `seconds`, rounded to whole physics steps; what is rounded off is made up for later."""
        self._owed += seconds
        steps = max(0, round(self._owed / self.spec.step))
        self._owed -= steps * self.spec.step
        for _ in range(steps):
            self._step()

    def statistics(self) -> dict[str, Any]:
        """As `LineWorld.statistics`; `off_floor` counts robots that ever left their track, sank or rose."""
        return super().statistics() | {"off_floor": int(np.count_nonzero(self._off))}

    def close(self) -> None:
        """Disconnect from PyBullet."""
        if self._client >= 0 and pybullet.isConnected(self._client):
            pybullet.disconnect(self._client)
        self._client = -1

    def _set_up(self) -> None:
        on = {"physicsClientId": self._client}
        pybullet.setGravity(0.0, 0.0, _GRAVITY, **on)
        pybullet.setPhysicsEngineParameter(fixedTimeStep=self.spec.step, numSubSteps=0, numSolverIterations=20, **on)
        floor = pybullet.createMultiBody(0.0, pybullet.createCollisionShape(pybullet.GEOM_PLANE, **on), **on)
        # Wheels roll: the floor carries the bodies but does not brake them.
        pybullet.changeDynamics(floor, -1, **_FREE, **on)
        pybullet.setCollisionFilterGroupMask(floor, -1, _FLOOR, _ROBOT, **on)
        size = {"radius": self.spec.layout.robot_radius, "height": self._height}
        self._shape = pybullet.createCollisionShape(pybullet.GEOM_CYLINDER, **size, **on)

    def _body(self, where: list[float], radius: float) -> int:
        on = {"physicsClientId": self._client}
        body = int(pybullet.createMultiBody(_MASS, self._shape, -1, where, **on))
        still = {"linearDamping": 0.0, "angularDamping": 0.0}
        # Zero means infinite for Bullet: no torque tips a robot over.
        inertia = (0.0, 0.0, _MASS * radius**2 / 2)
        pybullet.changeDynamics(body, -1, localInertiaDiagonal=inertia, **still, **_FREE, **on)
        pybullet.setCollisionFilterGroupMask(body, -1, _ROBOT, _FLOOR, **on)
        return body

    def _step(self) -> None:
        """One physics step: command speeds, simulate, read back those that were not at rest."""
        before, gap = self._position, self.tracks.spec.unit * self.bound - self._position[:, 0]
        wanted = driven(gap, self._driven, self.spec.speed, self.spec.acceleration, self.spec.step)
        awake = np.flatnonzero((wanted != 0) | (self._driven != 0))
        self._driven = wanted
        for robot, speed in zip(awake.tolist(), wanted[awake].tolist(), strict=True):
            pybullet.resetBaseVelocity(self._bodies[robot], (speed, 0.0, 0.0), (0.0, 0.0, 0.0), self._client)
        pybullet.stepSimulation(self._client)
        self._steps += 1
        self._position, self._speed = before.copy(), np.zeros(len(before))
        if len(awake):
            bodies = [self._bodies[robot] for robot in awake.tolist()]
            read = [pybullet.getBasePositionAndOrientation(body, self._client)[0] for body in bodies]
            self._position[awake] = read
            self._speed[awake] = (self._position[awake, 0] - before[awake, 0]) / self.spec.step
            aside = np.abs(self._position[awake, 1] - self.tracks.spec.pitch * self.tracks.slot[awake])
            lift = np.abs(self._position[awake, 2] - self._height / 2)
            self._off[awake] |= (aside > self.tracks.spec.pitch / 2) | (lift > self._height / 2)


def driven(
    gap: NDArray[np.float64], speed: NDArray[np.float64], limit: float, acceleration: float, step: float
) -> NDArray[np.float64]:
    """Speeds [robot] in [m/s] to command for a step, towards goals `gap` [robot] in [m] ahead.

    As fast as the limit allows, never so fast that it could not be braked in time by `acceleration` per step: after a
    step at v, what is left must be no less than the way of braking from v, v·step + v²/(2·acceleration) ≤ |gap|.
    """
    change = acceleration * step
    safe = np.sqrt(change**2 + 2 * acceleration * np.abs(gap)) - change
    wanted = np.where(np.abs(gap) <= _ARRIVED, 0.0, np.sign(gap) * np.minimum(safe, limit))
    return np.asarray(np.clip(wanted, speed - change, speed + change))
