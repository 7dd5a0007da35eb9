"""The replay as a whole: every observer, every k, all seeds, measured and compared with polling everybody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from meanfleet.base.arrays import FloatArray
from meanfleet.base.bootstrap import block_band, block_length
from meanfleet.base.errors import UserError
from meanfleet.sim.bags.log import UNKNOWN, FleetLog
from meanfleet.solver import Game
from meanfleet.solver.bundle.policy import PolicyBundle

from .counterfactual import Counterfactual
from .resampling import OBSERVERS, Resampled, resample
from .scene import Scene, scene_of
from .verdict import Choice, recommend

Progress = Callable[[int, int, str], None]
HEADER = 17  # bytes of a zone message as CDR besides the zone's name: encapsulation 4, stamp 8, length 4, final zero 1


@dataclass(frozen=True)
class Options:
    """What is replayed.

    Attributes:
        ks: robots polled per tick, ascending.
        seeds: how many draws of robots.
        seed: the first of them.
        tolerance: share of the whole fleet's worth that may be lost.
        rollouts: counterfactual rollouts per k and observer; 0: none.
        observers: of OBSERVERS; what the policy cannot run is left out, see `left_out`.
    """

    ks: tuple[int, ...]
    seeds: int = 100
    seed: int = 0
    tolerance: float = 0.02
    rollouts: int = 1000
    observers: tuple[str, ...] = OBSERVERS

    def __post_init__(self) -> None:
        unknown = next((name for name in self.observers if name not in OBSERVERS), None)
        if unknown is not None:
            raise UserError(f"observer {unknown!r} cannot be replayed: choose from {', '.join(OBSERVERS)}")
        if not self.tolerance > 0:
            raise UserError(f"tolerance {self.tolerance:g}: expected a share above 0, such as 0.02")
        if 0 < self.rollouts < 4 or self.rollouts < 0 or self.seeds < 1:
            raise UserError(
                f"{self.seeds} seeds, {self.rollouts} rollouts: expected at least 1 seed and 0 or 4 rollouts"
            )


@dataclass(frozen=True, eq=False)
class Replay:
    """Everything that a replay found: `summary` is JSON-ready, `scene` and `runs` are what figures draw."""

    scene: Scene
    runs: tuple[Resampled, ...]
    summary: dict[str, Any]

    def rows(self) -> list[dict[str, Any]]:
        """One per observer, k and seed."""
        on = self.scene.compared
        return [
            {
                "observer": run.observer,
                "k": run.k,
                "seed": self.summary["options"]["seed"] + i,
                "agreement": float((run.dispatch[i] == self.scene.dispatch)[on].mean()),
                "distance": float(run.distance[i, on].mean()),
                "regret": float(self.scene.regret(run.dispatch[i : i + 1])[0, on].mean()),
                "asked_per_tick": float(run.asked[i].mean()),
                "heard_per_tick": float(run.heard[i].mean()),
            }
            for run in self.runs
            for i in range(len(run.dispatch))
        ]


def runnable(bundle: PolicyBundle, robots: int, options: Options) -> list[tuple[str, int]]:
    """(observer, k) that the policy can run; a k beyond the fleet polls everybody, once.

    Raises:
        UserError: none of them can be.
    """
    ks = sorted({min(k, robots) for k in options.ks})
    pairs = []
    for name in options.observers:
        if name == "memoryless":
            pairs += [(name, k) for k in ks if k in bundle.ks]
        elif bundle.filtering is not None:
            pairs += [(name, k) for k in ks]
    if not pairs:
        bundle.require_k(ks[0], "the policy")
        raise UserError("the policy holds no filter, so that only observer memoryless can be replayed")
    return pairs


def left_out(bundle: PolicyBundle, robots: int, options: Options) -> list[str]:
    """What was asked for and is not replayed, and why, a sentence each."""
    said = []
    above = [k for k in options.ks if k > robots]
    if above:
        said.append(f"k = {', '.join(map(str, above))}: there are {robots} robots, so k = {robots} stands for it")
    missing = sorted({min(k, robots) for k in options.ks} - set(bundle.ks))
    if "memoryless" in options.observers and missing:
        tables = ", ".join(map(str, bundle.ks)) or "none"
        said.append(
            f"k = {', '.join(map(str, missing))} with observer memoryless: the policy has no table for it (it has "
            f"{tables}): solve with that k"
        )
    if "dirichlet" in options.observers and bundle.filtering is None:
        said.append("observer dirichlet: the policy holds no filter: solve with --observer dirichlet")
    return said


def replay(
    log: FleetLog,
    bundle: PolicyBundle,
    options: Options,
    game: Game | None = None,
    progress: Progress | None = None,
    drawn: Sequence[Game] = (),
) -> Replay:
    """Poll the recorded fleet again, for every k and observer.

    Args:
        log: what the bag says.
        bundle: both policies.
        options: what to replay.
        game: what counterfactual rollouts follow; None: the bundle's own game.
        progress: called with units done, units in all, and what is being done.
        drawn: draws of that game from what its fit leaves open, see `worlds.drawn_games`; empty: it is taken as exact.

    Raises:
        UserError: bag, policy and options do not fit each other.
    """
    pairs = runnable(bundle, len(log.robots), options)
    scene = scene_of(log, bundle)
    world = None
    if options.rollouts:
        most = max(k for _, k in pairs)
        world = Counterfactual(scene, bundle, game or bundle.game, options.rollouts, options.seed, most, drawn)
    total = len(pairs) + (world is not None)
    whole = None if world is None else world.whole()
    runs, curve = [], []
    for done, (observer, k) in enumerate(pairs):
        if progress is not None:
            progress(done + (world is not None), total, f"{observer}, k = {k}")
        run = resample(scene, bundle, k, observer, range(options.seed, options.seed + options.seeds))
        point = _point(scene, log, run, bundle.game.discount)
        if world is not None and whole is not None:
            loss = world.loss(whole, world.returns(k, observer))
            scale = abs(float(whole.mean()))
            point["rollouts"] = loss.as_dict()
            point["rollouts_share"] = {key: _share(point["rollouts"][key], scale) for key in ("mean", "low", "high")}
        runs.append(run)
        curve.append(point)
    choice = recommend(curve, options.tolerance)
    return Replay(scene, tuple(runs), _summary(log, scene, bundle, options, game, world, whole, curve, choice))


def _point(scene: Scene, log: FleetLog, run: Resampled, discount: float) -> dict[str, Any]:
    """Measures of one observer and k, each a mean over ticks of the seeds' means."""
    on = scene.compared
    series = {
        "agreement": ((run.dispatch == scene.dispatch).mean(axis=0)[on], 1.0),
        "distance": (run.distance.mean(axis=0)[on], 1.0),
        "regret": (scene.regret(run.dispatch).mean(axis=0)[on], scene.largest_regret),
    }
    memory = max(scene.memory, block_length(series["distance"][0])[0])  # of the fleet, and of what is believed of it
    point: dict[str, Any] = {"observer": run.observer, "k": run.k}
    for name, (values, most) in series.items():
        measured, block = block_band(values, low=0.0, high=most, memory=memory)
        point[name] = asdict(measured) | {"block": block}
    scale = (1 - discount) * abs(scene.worth)
    point["regret_share"] = {key: _share(point["regret"][key], scale) for key in ("mean", "low", "high")}
    size = HEADER + _mean_name(log)
    everybody = float((scene.zones != UNKNOWN).sum(axis=1).mean())
    heard, asked = float(run.heard.mean()), float(run.asked.mean())
    point["messages"] = {
        "asked_per_tick": asked,
        "heard_per_tick": heard,
        "whole_per_tick": everybody,
        "saved_per_tick": everybody - heard,
        "bytes_saved_per_tick": (everybody - heard) * size,
        "saved_share": 1 - heard / everybody,
    }
    return point


def _share(value: float, scale: float) -> float:
    return value / scale if scale > 0 else float("inf") if value > 0 else 0.0


def _mean_name(log: FleetLog) -> float:
    """Mean length of the zone names that the fleet would have told."""
    types = len(log.zone_names) // len(log.steered)  # robots of any type tell zones
    lengths = np.array([len(name.encode()) for name in log.steered * types])
    return float(lengths[log.zones[log.zones != UNKNOWN]].mean())


def _summary(
    log: FleetLog,
    scene: Scene,
    bundle: PolicyBundle,
    options: Options,
    game: Game | None,
    world: Counterfactual | None,
    whole: FloatArray | None,
    curve: Sequence[dict[str, Any]],
    choice: Choice,
) -> dict[str, Any]:
    known = scene.zones != UNKNOWN
    span = float(log.stamps[-1] - log.stamps[0])
    summary: dict[str, Any] = {
        "verdict": asdict(choice)
        | {"seed": options.seed, "seeds": options.seeds, "bag": log.sha256, "policy": bundle.digest},
        "bag": {
            "source": log.source,
            "sha256": log.sha256,
            "robots": len(log.robots),
            "zones": list(log.zone_names),
            "ticks": len(log.stamps),
            "ticks_compared": int(scene.compared.sum()),
            "ticks_with_all_robots": int(known.all(axis=1).sum()),
            "priorities_assumed": scene.assumed,
            "seconds": span,
            "bytes": log.bytes,
            "known_share": float(known.mean()),
        }
        | log.summary(),
        "left_out": left_out(bundle, len(log.robots), options),
        "policy": {
            "digest": bundle.digest,
            "game": bundle.game.digest,
            "tables": list(bundle.ks),
            "filter": bundle.filtering is not None,
            "discount": bundle.game.discount,
        },
        "options": asdict(options) | {"ks": list(options.ks), "observers": list(options.observers)},
        "whole": {"worth": scene.worth, "kappa": scene.model.kappa},
        "curve": list(curve),
    }
    if world is not None and whole is not None:
        summary["whole"] |= {
            "return": float(whole.mean()),
            "rollouts": len(whole),
            "horizon": world.horizon,
            "starts": world.states,
            "game": world.game.digest,
            "fitted": game is not None,
            "draws": len({drawn.digest for drawn in world.drawn}) or 1,
            "worlds": world.worlds,
        }
    return summary
