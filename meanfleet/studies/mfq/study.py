"""What robots earn that sample each other, what that costs in messages, tables and time, and the gap to the optimum."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil, log
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

import meanfleet
from meanfleet.base.arrays import FloatArray, Tell
from meanfleet.base.errors import UserError
from meanfleet.base.statistics import band
from meanfleet.base.yaml_files import read_yaml
from meanfleet.config import Config, LocalReward, LocalTransition
from meanfleet.config.crowd import CrowdFile
from meanfleet.config.kinds import CROWD, take
from meanfleet.config.sections import first_complaint
from meanfleet.families.line import KIND as LINE
from meanfleet.families.zones import KIND as WAREHOUSE
from meanfleet.solver import Game
from meanfleet.solver.bundle.policy import PeerPlan, PolicyBundle, Table
from meanfleet.solver.histograms import count_histograms
from meanfleet.solver.mfq import (
    Crowd,
    JointPolicy,
    JointSystem,
    PeerFleet,
    joint_cells,
    learn_joint,
    learn_joint_sampled,
    tagged_cells,
)
from meanfleet.solver.mfq.games import exploration_game, squeeze_game
from meanfleet.solver.mfq.rollouts import Sharing

from ..sweep.fitting import fit_root
from ..sweep.units import evaluate_unit, solve_unit

SHARINGS: tuple[Sharing, ...] = ("name", "lot")
CUT = 1e-4  # share of the discounted reward that rollouts leave out where they are compared with an infinite horizon
WAYS = (1, -1, 2, -2)  # offsets of a zone's neighbours, taken one by one to have 2, 3, … moves


@dataclass(frozen=True, eq=False)
class Setup:
    """A crowd with its fleet size, and the warehouse's configuration if it is one."""

    crowd: Crowd
    n: int
    config: Config | None


@dataclass(frozen=True)
class Effort:
    """How much is done.

    Attributes:
        ks: robots in a sample, ascending.
        seeds, rollouts: evaluation, rollouts per k and seed.
        horizon: ticks of a rollout of a warehouse.
        seed: the first seed.
        samples: draws per backup of the paper's operator; None: exact backups.
        tolerance: width of value intervals of the exact backup.
    """

    ks: tuple[int, ...]
    seeds: int = 10
    rollouts: int = 200
    horizon: int = 100
    seed: int = 0
    samples: int | None = None
    tolerance: float = 1e-6


def load(path: Path) -> Setup:
    """Read a warehouse, or one of the experiments (`squeeze:`, `exploration:`).

    Raises:
        UserError: it is neither, or a key or value is wrong.
    """
    data = read_yaml(path)
    if take(path, data, CROWD, WAREHOUSE, LINE) is not CROWD:
        config = Config.from_yaml(path)
        return Setup(Crowd(Game.from_config(config)), len(config.robots), config)
    try:
        file = CrowdFile(**data)
    except ValidationError as error:
        raise UserError(f"{path}: {first_complaint(error, CrowdFile)}") from None
    if file.squeeze is not None:
        return Setup(squeeze_game(file.squeeze), file.robots, None)
    assert file.exploration is not None
    return Setup(exploration_game(file.exploration), file.robots, None)


def check(setup: Setup, effort: Effort) -> None:
    """Refuse what cannot be done before any work.

    Raises:
        UserError: k beyond the fleet, too many joint plans, or fewer than two seeds or rollouts.
    """
    if max(effort.ks) > setup.n:
        raise UserError(f"k = {max(effort.ks)}, but the fleet has {setup.n} robots: lower -k")
    if min(effort.seeds, effort.rollouts) < 2:
        raise UserError(f"{effort.seeds} seeds of {effort.rollouts} rollouts: expected at least 2 of each")
    JointSystem(setup.crowd, max(effort.ks), effort.samples)
    if setup.config is None:
        JointSystem(setup.crowd, setup.n)  # the optimum


def learn(crowd: Crowd, k: int, effort: Effort) -> JointPolicy:
    """The joint policy for samples of k, as the effort says."""
    if effort.samples is None:
        return learn_joint(crowd, k, effort.tolerance)
    return learn_joint_sampled(crowd, k, effort.samples, seed=effort.seed)


def as_bundle(crowd: Crowd, policy: JointPolicy, effort: Effort) -> PolicyBundle:
    """The policy in the format of every other: its dispatch table, its plans, and a π_l for robots that hear nobody.

    Raises:
        UserError: the crowd has a squeeze, which a bundle's game cannot say.
    """
    if crowd.squeeze is not None:
        raise UserError("a game with a squeeze is no game of a policy bundle: its robots are paid together")
    low, high = policy.start
    proof = "exact" if policy.exact else f"estimate: sampled backup, {effort.samples} draws"
    certificate = {"k": policy.k, "joint_value_low": low, "joint_value_high": high, "joint_kind": proof}
    how = {
        "algorithm": "SUBSAMPLE-MFQ",
        "settings": asdict(effort),
        "seed": effort.seed,
        "versions": {"meanfleet": meanfleet.__version__, "numpy": importlib.metadata.version("numpy")},
    }
    local = policy.projected(JointSystem(crowd, policy.k, 1).start)
    tables = (Table(policy.k, policy.dispatch, certificate),)
    return PolicyBundle(crowd.game, local, tables, how, peers=(PeerPlan(policy.k, policy.plan),))


def conduct(setup: Setup, effort: Effort, tell: Tell, out: Path | None = None) -> dict[str, Any]:
    """The whole study, JSON-ready; bundles of a warehouse go to `out`/units if given."""
    check(setup, effort)
    if setup.config is None:
        return against_optimum(setup, effort, tell)
    return beside_alternation(setup, effort, tell, out)


def against_optimum(setup: Setup, effort: Effort, tell: Tell) -> dict[str, Any]:
    """Gap of the fleet to the best that n robots can do that see each other and agree, for every k; 1/√k fitted."""
    crowd, n = setup.crowd, setup.n
    tell(f"the optimum of n = {n}")
    optimum = learn_joint(crowd, n, effort.tolerance)
    best = sum(optimum.start) / 2
    horizon = max(1, ceil(log(CUT) / log(max(crowd.game.discount, 1e-9))))
    gaps: dict[str, list[FloatArray]] = {sharing: [] for sharing in SHARINGS}
    curve = []
    for k in effort.ks:
        tell(f"k = {k}")
        policy = optimum if k == n and effort.samples is None else learn(crowd, k, effort)
        point: dict[str, Any] = {"k": k, "joint_value": list(policy.start), "cells": _cells(crowd, k)}
        for sharing in SHARINGS:
            returns = _by_seed(PeerFleet(crowd, n, k), policy, effort, horizon, sharing)
            gaps[sharing].append(best - returns)
            point[sharing] = {"return": asdict(band(returns)), "gap": asdict(band(best - returns))}
        curve.append(point)
    fits = {sharing: fit_root(effort.ks, np.column_stack(each)) for sharing, each in gaps.items()}
    return {
        "kind": "against the optimum",
        "n": n,
        "discount": crowd.game.discount,
        "options": asdict(effort) | {"horizon": horizon},
        "optimum": {"low": optimum.start[0], "high": optimum.start[1]},
        "curve": curve,
        "fit": {sharing: None if fit is None else fit.as_dict() for sharing, fit in fits.items()},
    }


def beside_alternation(setup: Setup, effort: Effort, tell: Tell, out: Path | None = None) -> dict[str, Any]:
    """Return, messages, tables and time of both algorithms for every k, and tables and time for other |A_l|."""
    crowd, n, config = setup.crowd, setup.n, setup.config
    assert config is not None
    learn(crowd, 1, effort)  # compiled code is loaded before the clock runs
    seeds = range(effort.seed, effort.seed + effort.seeds)
    curve = []
    for k in effort.ks:
        tell(f"k = {k}: SUBSAMPLE-MFQ")
        policy, spent = _timed(crowd, k, effort)
        returns = _by_seed(PeerFleet(crowd, n, k), policy, effort, effort.horizon, "lot")
        if out is not None:
            as_bundle(crowd, policy, effort).save(out / "units" / f"mfq{k:04d}.npz")
        tell(f"k = {k}: ALTERNATING-MARL")
        pair = solve_unit(crowd.game, k, None, config.solver, effort.seed)
        found = evaluate_unit(pair, k, n, effort.rollouts, effort.horizon, seeds).by_seed
        alternating = np.array([found[seed].mean for seed in seeds])
        curve.append(
            {
                "k": k,
                "mfq": {
                    "return": asdict(band(returns)),
                    "messages": PeerFleet(crowd, n, k).messages,
                    "cells": _cells(crowd, k),
                    "joint_value": list(policy.start),
                }
                | spent,
                "alternating": {
                    "return": asdict(band(alternating)),
                    "messages": k,
                    "cells": alternating_cells(crowd, k),
                }
                | pair.how["spent"],
                "lead": asdict(band(alternating - returns)),
            }
        )
    return {
        "kind": "beside ALTERNATING-MARL",
        "n": n,
        "discount": crowd.game.discount,
        "options": asdict(effort),
        "curve": curve,
        "moves": _other_moves(config, effort, tell),
    }


def alternating_cells(crowd: Crowd, k: int) -> int:
    """Entries of the tables of ALTERNATING-MARL: Q[s_g, h, a_g] and π_l[z, s_g, a]."""
    game = crowd.game
    return game.priorities * (game.dispatches * count_histograms(k, game.zones) + game.zones * game.moves)


def _cells(crowd: Crowd, k: int) -> dict[str, int]:
    return {"tagged": tagged_cells(crowd, k), "joint": joint_cells(crowd, k)}


def _timed(crowd: Crowd, k: int, effort: Effort) -> tuple[JointPolicy, dict[str, float]]:
    wall, processor = time.perf_counter(), time.process_time()
    policy = learn(crowd, k, effort)
    return policy, {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - processor}


def _by_seed(fleet: PeerFleet, policy: JointPolicy, effort: Effort, horizon: int, sharing: Sharing) -> FloatArray:
    """Mean return of every seed."""
    seeds = range(effort.seed, effort.seed + effort.seeds)
    found = (
        fleet.returns(policy.dispatch, policy.plan, effort.rollouts, horizon, seed, sharing=sharing) for seed in seeds
    )
    return np.array([returns.mean() for returns in found])


def _other_moves(config: Config, effort: Effort, tell: Tell) -> list[dict[str, Any]]:
    """Tables and time against |A_l| at the middle k, on graphs with ever more neighbours; none without parameters."""
    if not _parametric(config) or len(config.zones) <= len(WAYS):
        return []
    k, rows = effort.ks[len(effort.ks) // 2], []
    for count in range(1, len(WAYS) + 1):
        crowd = Crowd(Game.from_config(_with_neighbours(config, WAYS[:count])))
        tell(f"|A_l| = {1 + count}")
        try:
            JointSystem(crowd, k, effort.samples)
        except UserError:
            break
        _, spent = _timed(crowd, k, effort)
        pair = solve_unit(crowd.game, k, None, config.solver, effort.seed)
        rows.append(
            {
                "moves": 1 + count,
                "k": k,
                "mfq": {"cells": _cells(crowd, k)} | spent,
                "alternating": {"cells": alternating_cells(crowd, k)} | pair.how["spent"],
            }
        )
    return rows


def _parametric(config: Config) -> bool:
    """Whether robots of every type move by logits, which any graph of zones has; arrays and counts are of one graph."""
    kinds = [config.of_type(name) for name in config.types] or [config]
    return config.game.file is None and all(isinstance(kind.game.P_l, LocalTransition) for kind in kinds)


def _with_neighbours(config: Config, offsets: Sequence[int]) -> Config:
    """The same warehouse with other ways between its zones; moves earn nothing by themselves."""
    zones, reward = config.zones, config.game.r_l
    graph = {zone: [zones[(i + by) % len(zones)] for by in offsets] for i, zone in enumerate(zones)}
    plain = LocalReward(same_zone=reward.same_zone, other_zone=reward.other_zone)
    types = {
        name: own.model_copy(update={"r_l": {key: value for key, value in own.r_l.items() if key != "move"}})
        for name, own in config.types.items()
    }
    game = config.game.model_copy(update={"r_l": plain})
    return config.model_copy(update={"graph": graph, "game": game, "types": types})
