"""One study of learning dynamics: ODE, runs of the process, paths from a grid of starts, fixed points, equilibrium."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from meanfleet.base.arrays import FloatArray
from meanfleet.base.errors import UserError
from meanfleet.base.yaml_files import read_yaml
from meanfleet.config import Config
from meanfleet.config.dynamics import DynamicsConfig, DynamicsFile
from meanfleet.config.kinds import PLAYERS, take
from meanfleet.config.sections import first_complaint
from meanfleet.families.zones import KIND as WAREHOUSE
from meanfleet.solver import Game
from meanfleet.solver.dynamics.convergence import Decay, closeness, summarise
from meanfleet.solver.dynamics.dynamics import Dynamics
from meanfleet.solver.dynamics.fixed_points import FixedPoint, find, index_of, polish
from meanfleet.solver.dynamics.fleet import FleetDynamics
from meanfleet.solver.dynamics.fleet_play import FleetProcess
from meanfleet.solver.dynamics.games import MarkovGame
from meanfleet.solver.dynamics.learners import Learner
from meanfleet.solver.dynamics.ode import OdePath, integrate
from meanfleet.solver.dynamics.process import Process, Runs, simulate

Progress = Callable[[str], None]
NEAR = 1e-2  # relative distance of a path's end from the fixed point it is said to come to


@dataclass(frozen=True, eq=False)
class Setup:
    """A system of learners, ready to be followed; `solved` is the warehouse's game, if it is one."""

    system: Dynamics | FleetDynamics
    process: Process | FleetProcess
    options: DynamicsConfig
    names: tuple[str, ...]
    solved: Config | None

    @property
    def start(self) -> FloatArray:
        """The parameters to begin with."""
        return self.system.layout.start([player.start for player in self.options.players])

    def grid(self) -> list[FloatArray]:
        """The start, then every combination of the players' grids that differs from it."""
        choices = [player.grid or (player.start,) for player in self.options.players]
        starts = [self.start]
        for tables in itertools.product(*choices):
            x = self.system.layout.start(tables)
            if not any(np.array_equal(x, known) for known in starts):
                starts.append(x)
        return starts


@dataclass(frozen=True, eq=False)
class Study:
    """What was found.

    Attributes:
        path: the ODE from the start.
        runs: of the process, by speed-up.
        followed: the ODE from every start of the grid until it rests or the time is over.
        points: the fixed points found.
        reached: per followed path the index of its fixed point; None where it still moves.
        equilibrium: how the followed paths compare with the certified equilibrium; None without a warehouse.
    """

    setup: Setup
    path: OdePath
    runs: tuple[Runs, ...]
    decay: Decay
    followed: tuple[OdePath, ...]
    points: tuple[FixedPoint, ...]
    reached: tuple[int | None, ...]
    equilibrium: dict[str, Any] | None


def load(path: Path) -> Setup:
    """Read a configuration: a warehouse with `dynamics:`, or `markov_game:` with `dynamics:`.

    Raises:
        UserError: it is neither, or a key or value is wrong.
    """
    data = read_yaml(path)
    if take(path, data, PLAYERS, WAREHOUSE) is PLAYERS:
        try:
            file = DynamicsFile(**data)
        except ValidationError as error:
            raise UserError(f"{path}: {first_complaint(error, DynamicsFile)}") from None
        small = file.markov_game
        game = (
            MarkovGame.from_npz(path.parent / small.file)
            if small.file is not None
            else MarkovGame.repeated(small.payoffs, small.remember)
        )
        dynamics = Dynamics(game, _learners(file.dynamics))
        names = tuple(f"player {i}" for i in range(game.players))
        return _checked(Setup(dynamics, Process(dynamics), file.dynamics, names, None))
    config = Config.from_yaml(path)
    if config.dynamics is None:
        raise UserError(f"{path} has no section 'dynamics:': see config/warehouse.yaml for one")
    options = config.dynamics
    fleet = FleetDynamics(Game.from_config(config), options.k, _learners(options), options.reward == "common")
    return _checked(Setup(fleet, FleetProcess(fleet), options, ("dispatcher", "robots"), config))


def _learners(options: DynamicsConfig) -> list[Learner]:
    return [Learner(p.rule, p.alpha, p.discount, p.tau, p.epsilon, p.beta) for p in options.players]


def _checked(setup: Setup) -> Setup:
    """Starts that do not fit are refused before any work."""
    setup.grid()
    return setup


def conduct(setup: Setup, seed: int = 0, progress: Progress | None = None) -> Study:
    """Follow the ODE and the process, search fixed points, compare with the equilibrium."""
    tell = progress or (lambda note: None)
    options, system = setup.options, setup.system
    times = np.linspace(0, options.duration, options.points)
    path = integrate(system, setup.start, options.duration)
    runs = []
    for n in options.speedups:

        def told(done: int, n: int = n) -> None:
            tell(f"N = {n}: {done}/{options.runs} runs")

        runs.append(
            simulate(setup.process, setup.start, times, runs=options.runs, speedup=n, seed=(seed, n), progress=told)
        )
    followed = []
    starts = setup.grid()
    for i, start in enumerate(starts):

        def going(t: float, i: int = i) -> None:
            tell(f"path {i + 1}/{len(starts)}: step {t:.3g}")

        # Only where paths end matters here, and fixed points are polished: less accuracy does.
        followed.append(integrate(system, start, options.settle, rtol=1e-6, atol=1e-6, still=1e-7, check=going))
    points, reached = _rests(setup, followed, seed, tell)
    return Study(
        setup,
        path,
        tuple(runs),
        summarise([closeness(one, path, runs[0]) for one in runs]),
        tuple(followed),
        tuple(points),
        reached,
        _compared(setup, followed, seed, tell),
    )


def _rests(
    setup: Setup, followed: list[OdePath], seed: int, tell: Progress
) -> tuple[list[FixedPoint], tuple[int | None, ...]]:
    rng, system = np.random.default_rng(seed), setup.system
    ends = [path.end for path in followed]
    low = np.min([path.end for path in followed], axis=0)
    high = np.max([path.end for path in followed], axis=0)
    spread = np.maximum(high - low, 1.0)
    guesses = ends + [rng.uniform(low - spread, high + spread) for _ in range(setup.options.guesses)]
    points = find(system, guesses, progress=lambda done: tell(f"fixed points: {done}/{len(guesses)} searches"))
    reached = []
    for path in followed:
        home = polish(system, path.end) if path.ending == "fixed point" else None
        close = home is not None and np.abs(home - path.end).max() <= NEAR * max(1.0, float(np.abs(home).max()))
        reached.append(index_of(points, home) if close and home is not None else None)
    return points, tuple(reached)


def _compared(setup: Setup, followed: list[OdePath], seed: int, tell: Progress) -> dict[str, Any] | None:
    """J of what is learned beside J of the certified equilibrium of the same k-robot system."""
    from meanfleet.solver.alternation import best_equilibrium, starting_policies
    from meanfleet.solver.surrogate import KRobotSystem

    fleet = setup.system
    if setup.solved is None or not isinstance(fleet, FleetDynamics):
        return None
    tell("the equilibrium by alternation")
    settings = setup.solved.solver
    starts = starting_policies(fleet.game, settings.starts, seed)
    tolerance = settings.tolerance * fleet.game.reward_range
    system = KRobotSystem(fleet.game, fleet.k)
    found = best_equilibrium(system, starts, tolerance, settings.eta, settings.alternations)
    certified = fleet.expected_return(fleet.packed(found.table, found.policy))
    rows = []
    for path in followed:
        greedy = fleet.greedy(path.end)
        law = fleet.state_law(path.end).reshape(found.table.shape)
        same = fleet.dispatcher_policy(greedy).argmax(axis=2) == found.table
        moves = fleet.robot_policy(greedy).argmax(axis=2) == found.policy.argmax(axis=2)
        rows.append(
            {
                "greedy": fleet.expected_return(greedy),
                "exploring": fleet.expected_return(fleet.policies(path.end)),
                "same_dispatch": float(law[same].sum()),
                "same_moves": float(moves.mean()),
                "time_to_99_percent": _time_to(fleet, path, 0.99),
            }
        )
    proof = found.certificate(tolerance).as_dict()
    return {"k": fleet.k, "certified": certified, "certificate": proof, "paths": rows}


def _time_to(fleet: FleetDynamics, path: OdePath, share: float) -> float | None:
    """When the greedy policies first earn `share` of what they earn at the end, on a logarithmic grid of times."""
    final = fleet.expected_return(fleet.greedy(path.end))
    times = np.concatenate([[0.0], np.geomspace(max(path.time, 1.0) / 1e4, max(path.time, 1.0), 40)])
    for t, x in zip(times, path.at(times), strict=True):
        if fleet.expected_return(fleet.greedy(x)) >= share * final:
            return float(t)
    return None


def summary(study: Study) -> dict[str, Any]:
    """The study as plain numbers."""
    setup = study.setup
    shares = [[row.tolist() for row in setup.system.action_shares(point.x)] for point in study.points]
    return {
        "players": list(setup.names),
        "parameters": setup.system.layout.size,
        "options": setup.options.model_dump(mode="json"),
        "ode": {
            "time": study.path.time,
            "ending": study.path.ending,
            "evaluations": study.path.evaluations,
            "end": dict(zip(setup.system.layout.names(), study.path.end.tolist(), strict=True)),
        },
        "process": asdict(study.decay),
        "fixed_points": [
            {
                "stability": point.stability,
                "kinked": point.kinked,
                "residual": point.residual,
                "slowest": point.slowest,
                "eigenvalues": [[v.real, v.imag] for v in point.eigenvalues[:5].tolist()],
                "action_shares": share,
                "reached_from": [i for i, home in enumerate(study.reached) if home == index],
                "x": point.x.tolist(),
            }
            for index, (point, share) in enumerate(zip(study.points, shares, strict=True))
        ],
        "paths": [
            {"ending": path.ending, "time": path.time, "fixed_point": home, "drift": _pace(setup, path)}
            for path, home in zip(study.followed, study.reached, strict=True)
        ],
        "equilibrium": study.equilibrium,
    }


def _pace(setup: Setup, path: OdePath) -> float:
    return float(np.abs(setup.system.drift(path.end)).max())
