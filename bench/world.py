"""How much faster than real time the worlds with driving robots are, against the number of robots.

    python bench/world.py [--quick] [--json FILE]

The demo's warehouse without ROS, contacts looked for at every step. "run": every tick everybody stays or goes to the
next or previous zone, goals change on the way. "half": half of the robots get a new goal whenever they are idle, the
others stand. "crowd": half of the robots are driven straight at random, without the traffic law, so that they collide.
Medians of 5 stretches with the least and greatest; the share of robots that move when a tick ends, and contacts that
began per second.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Spread, machine

from meanfleet.config import Config
from meanfleet.sim.backends.driving import DrivingWorld
from meanfleet.sim.routes import PARKED
from meanfleet.sim.world import make_driving_world

CONFIG = Path(__file__).resolve().parent.parent / "config" / "demo.yaml"
SIZES, REPEATS, MOVING = (10, 100, 300, 1000), 5, 0.01  # MOVING: [m/s] faster than this
Drive = Callable[[DrivingWorld, np.random.Generator, float], None]


def run(world: DrivingWorld, rng: np.random.Generator, tick: float) -> None:
    """One tick in which everybody has one of the three moves."""
    n, zones = world.layout.robots, world.layout.zones
    world.send(np.arange(n), (world.zones + rng.integers(-1, 2, size=n)) % zones)
    world.advance(tick)


def half(world: DrivingWorld, rng: np.random.Generator, tick: float) -> None:
    """One tick in which every second robot is sent on as soon as it stands in its goal's slot."""
    for _ in range(round(tick / 0.5)):
        idle = np.flatnonzero((world.fleet.phase == PARKED) & (world.fleet.zone == world.fleet.goal))
        idle = idle[idle % 2 == 0]
        world.send(idle, (world.fleet.goal[idle] + rng.choice([1, -1], size=len(idle))) % world.layout.zones)
        world.advance(0.5)


def crowd(world: DrivingWorld, rng: np.random.Generator, tick: float) -> None:
    """One tick in which every second robot drives straight on at half speed, then back."""
    n = world.layout.robots
    turn = rng.uniform(0, 2 * np.pi, n)
    velocity = world.spec.speed / 2 * np.column_stack([np.cos(turn), np.sin(turn)]) * (np.arange(n) % 2 == 0)[:, None]
    steps = round(tick / world.spec.step)
    for step in range(steps):
        world.move(velocity if step < steps / 2 else -velocity)


def measure(backend: str, n: int, drive: Drive, ticks: int) -> dict[str, Any]:
    """One row of the table."""
    config = Config.from_yaml(CONFIG).with_robots(n)
    world, rng, tick = make_driving_world(config, 0, backend), np.random.default_rng(0), config.dispatcher.tick
    assert isinstance(world, DrivingWorld)
    try:
        for _ in range(2):  # compile, and get under way
            drive(world, rng, tick)
        wall, cpu, moving, before = [], [], [], world.contacts.begun
        for _ in range(REPEATS):
            began, used = time.perf_counter(), time.process_time()
            for _ in range(ticks):
                drive(world, rng, tick)
                moving.append(float(np.mean(np.hypot(*world.velocities[:, :2].T) > MOVING)))
            wall.append(ticks * tick / (time.perf_counter() - began))
            cpu.append(ticks * tick / (time.process_time() - used))
        contacts = (world.contacts.begun - before) / (REPEATS * ticks * tick)
    finally:
        world.close()
    return {
        "backend": backend,
        "drive": drive.__name__,
        "n": n,
        "simulated_per_wall": asdict(Spread.of(wall)),
        "simulated_per_cpu": asdict(Spread.of(cpu)),
        "moving": float(np.mean(moving)),
        "contacts_per_second": contacts,
        "min_separation": world.contacts.statistics()["min_separation"],
        "overlaps": world.contacts.overlaps,
    }


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="100 and 1000 robots, shorter stretches")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    sizes, ticks, rows = ((100, 1000), 1, []) if given.quick else (SIZES, 3, [])
    print(
        f"{'backend':>10} {'drive':>6} {'n':>5} {'simulated/wall':>26} {'per CPU':>8} {'moving':>7} {'contacts/s':>11}"
    )
    for backend in ("bullet", "kinematic"):
        for drive in (run, half, crowd):
            for n in sizes:
                row = measure(backend, n, drive, ticks)
                wall, cpu = row["simulated_per_wall"], row["simulated_per_cpu"]["median"]
                spread = f"{wall['median']:.1f} ({wall['low']:.1f} … {wall['high']:.1f})"
                print(
                    f"{backend:>10} {row['drive']:>6} {n:>5} {spread:>26} {cpu:>8.1f} {row['moving']:>7.0%} "
                    f"{row['contacts_per_second']:>11.1f}",
                    flush=True,
                )
                rows.append(row)
    if given.json is not None:
        given.json.write_text(json.dumps({"machine": machine(), "ticks": ticks, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
