"""The study: for every k count the game, solve it, run both policies and FedAvg on the same clients and draws.

Three rules per k and seed, all with the same split and the same clients queried: the solved policy; plain FedAvg; and
FedAvg with the best fixed broadcast and work, chosen on the runs' own exploring seeds, never on those that are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError
from meanfleet.base.statistics import band
from meanfleet.config.federated import FederatedConfig, FederatedFile
from meanfleet.solver import Game, solve
from meanfleet.solver.bundle.policy import PolicyBundle

from .counting import Counts, RandomTables
from .data import Split, split
from .policy import Learned
from .rounds import RULE_DRAWS, Fixed, Rule, Run, run

Progress = Callable[[str], None]
SPLIT_DRAWS = 0
EXPLORING = 1_000_000  # seeds from here on are for counting and tuning
LEARNED, FEDAVG, TUNED = "policy", "fedavg", "tuned"
TUNING_RUNS = 3


@dataclass(frozen=True, eq=False)
class Arm:
    """One rule at one k: its name, what it does in words, and its run on every seed."""

    name: str
    about: str
    runs: tuple[Run, ...]

    @property
    def accuracy(self) -> FloatArray:
        """Test accuracy [seed, round]."""
        return np.array([one.accuracy for one in self.runs])

    @property
    def steps(self) -> FloatArray:
        """Mean gradient steps of a queried client [seed, round]."""
        return np.array([one.steps for one in self.runs])


@dataclass(frozen=True, eq=False)
class Point:
    """One k: the counted game's bundle and the arms."""

    k: int
    bundle: PolicyBundle
    arms: tuple[Arm, ...]

    def arm(self, name: str) -> Arm:
        """The arm of that name."""
        return next(arm for arm in self.arms if arm.name == name)


@dataclass(frozen=True, eq=False)
class Study:
    """All points, ascending in k."""

    options: FederatedConfig
    seeds: tuple[int, ...]
    points: tuple[Point, ...]


class Keeper(Protocol):
    """Where finished points are kept."""

    def point(self, k: int) -> Point | None:
        """The point for k if it is there."""

    def keep(self, point: Point) -> None:
        """Keep a finished point."""


class Bench:
    """Digits and options; makes splits and runs by seed."""

    def __init__(self, options: FederatedConfig, digits: tuple[FloatArray, IntArray]) -> None:
        self.options = options
        self.x, self.labels = digits

    def split(self, seed: int) -> Split:
        """The split of a seed."""
        o = self.options
        rng = np.random.default_rng([seed, SPLIT_DRAWS])
        return split(self.x, self.labels, o.clients, o.shards, o.test_share, rng)

    def run(self, rule: Rule, k: int, seed: int) -> Run:
        """One run of a rule."""
        return run(self.options, self.split(seed), rule, k, seed)

    def explore(self, k: int, seed: int, tell: Progress) -> Game:
        """The game at k, counted."""
        counts = Counts(self.options)
        for i in range(self.options.explore):
            tell(f"k = {k}: exploring {i + 1}/{self.options.explore}")
            own = EXPLORING * (seed + 1) + i
            counts.begin()
            tables = RandomTables(self.options, rule_draws(own))
            run(self.options, self.split(own), tables, k, own, counts)
        return counts.game()

    def tune(self, k: int, seed: int, tell: Progress) -> Fixed:
        """The fixed broadcast and work with the best accuracy at the end of the first exploring seeds."""
        o = self.options
        rules = [Fixed(b, w) for b in range(len(o.broadcasts)) for w in range(len(o.works))]
        scores = []
        for i, rule in enumerate(rules):
            tell(f"k = {k}: tuning FedAvg {i + 1}/{len(rules)}")
            own = [EXPLORING * (seed + 1) + j for j in range(TUNING_RUNS)]
            scores.append(np.mean([self.run(rule, k, one).accuracy[-o.last :].mean() for one in own]))
        return rules[int(np.argmax(scores))]

    def fedavg(self) -> Fixed:
        """The plain one."""
        named = self.options.fedavg
        return Fixed(self.options.broadcast_names.index(named.broadcast), self.options.work_names.index(named.work))


def rule_draws(seed: int) -> np.random.Generator:
    """The stream of a seed from which rules draw."""
    return np.random.default_rng([seed, RULE_DRAWS])


def conduct(
    file: FederatedFile,
    digits: tuple[FloatArray, IntArray],
    ks: Sequence[int],
    seeds: int,
    seed: int = 0,
    progress: Progress | None = None,
    keeper: Keeper | None = None,
) -> Study:
    """Count, solve and run for every k, on `seeds` seeds from `seed` on, but for points that the keeper has.

    Raises:
        UserError: some k is more than there are clients, fewer than two seeds, or too few samples.
    """
    tell = progress or (lambda note: None)
    options = file.federated
    file.require_clients(max(ks))
    if seeds < 2:
        raise UserError(f"{seeds} seeds: expected at least 2, or errors cannot be told")
    if seed + seeds > EXPLORING:
        raise UserError(f"seed {seed}: expected below {EXPLORING - seeds}, seeds beyond it are for exploring")
    bench, chosen = Bench(options, digits), tuple(range(seed, seed + seeds))
    points = []
    for k in sorted(set(ks)):
        point = None if keeper is None else keeper.point(k)
        if point is None:
            point = _point(bench, file, k, seed, chosen, tell)
            if keeper is not None:
                keeper.keep(point)
        points.append(point)
    return Study(options, chosen, tuple(points))


def _point(bench: Bench, file: FederatedFile, k: int, seed: int, seeds: tuple[int, ...], tell: Progress) -> Point:
    options = file.federated
    game = bench.explore(k, seed, tell)

    def solving(label: str, value: float) -> None:
        tell(f"k = {k}: solving, {label} {value:.4g}")

    bundle = solve(game, [k], seed, n=options.clients, settings=file.solver, progress=solving)
    tuned, plain = bench.tune(k, seed, tell), bench.fedavg()
    first = first_broadcast(bundle, k)

    def learned(own: int) -> Rule:
        return Learned(bundle, first, rule_draws(own))

    arms = []
    makers: dict[str, tuple[str, Callable[[int], Rule]]] = {
        LEARNED: (f"learned, first {options.broadcast_names[first]}", learned),
        FEDAVG: (described(options, plain), lambda own: plain),
        TUNED: (described(options, tuned), lambda own: tuned),
    }
    for name, (about, maker) in makers.items():
        tell(f"k = {k}: running {name}")
        arms.append(Arm(name, about, tuple(bench.run(maker(own), k, own) for own in seeds)))
    return Point(k, bundle, tuple(arms))


def first_broadcast(bundle: PolicyBundle, k: int) -> int:
    """What the table answers when all k are at the level at which clients most often start."""
    histogram = np.zeros(bundle.game.zones, dtype=np.int64)
    histogram[int(bundle.game.start_concentration.argmax())] = k
    return bundle.dispatch(0, histogram)


def described(options: FederatedConfig, rule: Fixed) -> str:
    """A fixed rule in words."""
    return f"{options.broadcast_names[rule.broadcast]}, {options.work_names[rule.move]}"


def summary(study: Study) -> dict[str, Any]:
    """The study as plain numbers."""
    return {
        "options": study.options.model_dump(mode="json"),
        "seeds": list(study.seeds),
        "points": [_summed(study, point) for point in study.points],
    }


def _summed(study: Study, point: Point) -> dict[str, Any]:
    last = study.options.last
    ends = {arm.name: arm.accuracy[:, -last:].mean(axis=1) for arm in point.arms}
    whole = {arm.name: arm.accuracy.mean(axis=1) for arm in point.arms}
    certificate = point.bundle.certificate[point.k]
    learned = point.arm(LEARNED)
    sent = np.bincount(np.concatenate([r.broadcasts for r in learned.runs]), minlength=len(study.options.broadcasts))
    return {
        "k": point.k,
        "arms": {
            arm.name: {
                "rule": arm.about,
                "end": asdict(band(ends[arm.name])),
                "mean": asdict(band(whole[arm.name])),
                "steps": float(arm.steps.mean()),
                "curve": arm.accuracy.mean(axis=0).tolist(),
            }
            for arm in point.arms
        },
        "lead": {
            name: {
                "end": asdict(band(ends[LEARNED] - ends[name])),
                "mean": asdict(band(whole[LEARNED] - whole[name])),
            }
            for name in (FEDAVG, TUNED)
        },
        "policy": {
            "moves": point.bundle.local_policy.argmax(axis=2).tolist(),
            "broadcast_shares": (sent / sent.sum()).tolist(),
            "table": certificate["rule"]["name"],
            "global_gap": certificate["global_gap"],
            "local_gap_high": certificate["local_gap_high"],
        },
    }
