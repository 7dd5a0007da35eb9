"""The units of work of a sweep: picklable functions of their arguments alone, so that any process may run them again.

Each runs on one thread; a sweep is parallel over units.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numba
import numpy as np
from threadpoolctl import threadpool_limits

import meanfleet
from meanfleet.base.arrays import FloatArray
from meanfleet.config import SolverConfig
from meanfleet.solver import Game
from meanfleet.solver.alternation import Alternation, Equilibrium, best_equilibrium, starting_policies
from meanfleet.solver.bundle.filtering import FilterModel
from meanfleet.solver.bundle.policy import PolicyBundle, Table
from meanfleet.solver.filter_selection import USUAL_RHO, filter_model
from meanfleet.solver.fleet import Estimate, Fleet, fleet_return
from meanfleet.solver.fleet.candidates import plain_tables
from meanfleet.solver.fleet.derived import reference
from meanfleet.solver.fleet.filtered import Observer, drift
from meanfleet.solver.policies import shortest_way
from meanfleet.solver.surrogate import KRobotSystem

from .plan import WARM_ALTERNATIONS

HOLD = 0  # stands for the plain rule where a k is expected
WHOLE = 0  # the same among dispatchers that remember: the one that sees the whole fleet

_models: dict[tuple[str, int], FilterModel] = {}  # by game and κ: one in a process, the last
_compiled: set[str] = set()  # digests of games whose kernels this process has loaded


@dataclass(frozen=True)
class Start:
    """The pair a solve starts from: its k and its π_l [z, s_g, a]."""

    k: int
    local_policy: FloatArray


@dataclass(frozen=True)
class Returns:
    """Mean discounted returns in the n-robot system, by seed, of the policy with that digest."""

    k: int
    policy: str
    by_seed: dict[int, Estimate]
    remembers: bool = False


def solve_unit(game: Game, k: int, start: Start | None, settings: SolverConfig, seed: int) -> PolicyBundle:
    """`solve_at` on one thread, timed: seconds on the clock and of the processor are noted in the bundle.

    Compilation is not counted: the first unit of a process solves the game at k = 2 before.
    """
    with _one_thread():
        if game.digest not in _compiled:
            best_equilibrium(KRobotSystem(game, 2), starting_policies(game, ("uniform",), 0), 1e-3, limit=1)
            _compiled.add(game.digest)
        wall, processor = time.perf_counter(), time.process_time()
        bundle = solve_at(game, k, start, settings, seed)
        spent = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - processor}
        where = {"process": f"{platform.node()}:{os.getpid()}"}
    return PolicyBundle(game, bundle.local_policy, bundle.tables, bundle.how | {"spent": spent | where})


def solve_at(game: Game, k: int, start: Start | None, settings: SolverConfig, seed: int) -> PolicyBundle:
    """The best equilibrium found of the k-robot system, as a bundle with its one table for k.

    Without `start`, from the settings' starting policies; with it, from that policy, WARM_ALTERNATIONS at most
    and along slopes only: robots try no single switches.
    """
    system = KRobotSystem(game, k)
    equilibrium = _cold(system, settings, seed) if start is None else _warm(system, start, settings)
    certificate = equilibrium.certificate(settings.tolerance * game.reward_range)
    table = equilibrium.table.astype(np.min_scalar_type(game.dispatches - 1))
    how: dict[str, Any] = {
        "settings": settings.model_dump(mode="json"),
        "seed": seed,
        "alternation": {
            "k": k,
            "start": equilibrium.start,
            "settled": equilibrium.settled,
            "trace": list(equilibrium.trace),
            "warm_from": None if start is None else start.k,
        },
        "versions": versions(),
    }
    return PolicyBundle(game, equilibrium.policy, (Table(k, table, certificate.as_dict()),), how)


def evaluate_unit(bundle: PolicyBundle, k: int, n: int, rollouts: int, horizon: int, seeds: Sequence[int]) -> Returns:
    """Returns of the bundle's table for k on every seed."""
    (table,) = (table.dispatch.astype(np.int64) for table in bundle.tables if table.k == k)
    with _one_thread():
        found = {
            seed: fleet_return(bundle.game, table, bundle.local_policy, k, n, rollouts, horizon, seed) for seed in seeds
        }
    return Returns(k, bundle.digest, found)


def hold_unit(game: Game, n: int, rollouts: int, horizon: int, seeds: Sequence[int]) -> Returns:
    """Returns of the plain rule: steer so that the priority most likely stays; robots take the shortest way to it."""
    table = plain_tables(game, 1)["hold"]
    with _one_thread():
        found = {seed: fleet_return(game, table, shortest_way(game), 1, n, rollouts, horizon, seed) for seed in seeds}
    return Returns(HOLD, "hold", found)


def remembering_unit(
    game: Game, k: int, n: int, kappa: int, rollouts: int, horizon: int, seeds: Sequence[int]
) -> Returns:
    """Returns of the dispatcher that remembers, or for k = WHOLE sees the whole fleet; robots take the shortest way.

    It believes in the game, forgets by `USUAL_RHO` and interpolates Q_κ.
    """
    policy, fleet = shortest_way(game), Fleet(game, n, k)
    with _one_thread():
        model = _model(game, min(kappa, n))
        observer = Observer(model, drift(game, policy), USUAL_RHO, adaptive=True, informed=k == WHOLE)
        found = {
            seed: Estimate.of(fleet.filtered_returns(observer, policy, rollouts, horizon, seed), horizon)
            for seed in seeds
        }
    return Returns(k, remembering_name(kappa), found, remembers=True)


def remembering_name(kappa: int) -> str:
    """Stands for the digest of a policy where returns of a dispatcher that remembers are kept."""
    return f"remembering, κ = {kappa}, ρ = {USUAL_RHO:g}"


def _model(game: Game, kappa: int) -> FilterModel:
    key = (game.digest, kappa)
    if key not in _models:
        source = reference(game, shortest_way(game), kappa)
        assert source is not None  # a κ of at least 1 always comes within reach, if need be a smaller one
        _models.clear()
        _models[key] = filter_model(game, source)
    return _models[key]


def versions() -> dict[str, str]:
    """What computed a result: Python, the package and the libraries the numbers come from."""
    libraries = {name: importlib.metadata.version(name) for name in ("numpy", "numba", "scipy", "joblib")}
    return {"python": platform.python_version(), "meanfleet": meanfleet.__version__} | libraries


def as_json(estimates: dict[int, Estimate]) -> dict[str, Any]:
    """Estimates by seed as plain values."""
    return {str(seed): asdict(estimate) for seed, estimate in sorted(estimates.items())}


def _cold(system: KRobotSystem, settings: SolverConfig, seed: int) -> Equilibrium:
    starts = starting_policies(system.game, settings.starts, seed)
    tolerance = settings.tolerance * system.game.reward_range
    return best_equilibrium(system, starts, tolerance, settings.eta, settings.alternations)


def _warm(system: KRobotSystem, start: Start, settings: SolverConfig) -> Equilibrium:
    limit = min(WARM_ALTERNATIONS, settings.alternations)
    tolerance = settings.tolerance * system.game.reward_range
    run = Alternation(system, tolerance, settings.eta, limit, switches=False)
    return run.run(start.local_policy, f"k = {start.k}")


@contextmanager
def _one_thread() -> Iterator[None]:
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        numba.set_num_threads(before)
