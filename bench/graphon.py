"""How well k robots tell what matters to the priority zone: drawn by interaction weights, and drawn uniformly.

    python bench/graphon.py [--quick] [--json FILE] [--out FOLDER]

The heterogeneous warehouse, config/graphon.yaml. To the priority zone robot i matters with the weight W[s_g, type of i]
(`interactions:`), a graphon with one step per zone and type (arXiv 2602.16196); what counts is the weighted histogram

    M(z) = Σ_i W_i 1[zone of i = z] / Σ_i W_i.

Robots take the shortest way under a priority that changes at random. In every tick k robots are drawn by the designs
`graphon` and `uniform`, and M is estimated from each by Horvitz and Thompson (unbiased), and from the uniform draw also
by the ratio of two such sums, which is the best one does with it. Errors are root mean squares of the distance |M̂ − M|
over ticks and seeds; ± is the standard error over seeds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.figure import Figure
from measuring import machine

from meanfleet.base.figures import BLUE, GREY, ORANGE, rendered
from meanfleet.base.files import replacing
from meanfleet.base.statistics import half_width
from meanfleet.config import Config
from meanfleet.dispatcher_node.sampling import Graphon, Roster, Uniform, design_from_config
from meanfleet.sim.backends.model import ModelWorld
from meanfleet.sim.start import start_zones
from meanfleet.solver import Game

CONFIG = Path(__file__).resolve().parent.parent / "config" / "graphon.yaml"
KS = (2, 4, 6, 10, 15, 20, 30)
HOLD = 10  # [ticks] on average that a priority stays
METHODS = {"graphon": BLUE, "uniform": ORANGE, "uniform, ratio": GREY}


def walk(config: Config, game: Game, ticks: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Zones [tick, robot] and priorities [tick]; robots take the shortest way."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 7]))
    world = ModelWorld(config, game, seed, start_zones(game, len(config.robots), seed, config.type_of))
    everyone, priority, zones, priorities = np.arange(len(config.robots)), 0, [], []
    for _ in range(ticks):
        if rng.random() < 1 / HOLD:
            priority = int(rng.integers(len(config.zones)))
        zones.append(world.zones)
        priorities.append(priority)
        world.hear(priority)
        world.send(everyone, np.full(len(everyone), priority))
        world.advance(config.dispatcher.tick)
    return np.array(zones), np.array(priorities)


def totals(values: np.ndarray, zones: np.ndarray, count: int) -> np.ndarray:
    """Sum of the values per zone [zone]."""
    return np.bincount(zones, weights=values, minlength=count)


def errors(config: Config, game: Game, k: int, ticks: int, seed: int) -> dict[str, float]:
    """Root mean square error of every method over the ticks of one run."""
    zones, priorities = walk(config, game, ticks, seed)
    rng, n, graphon = np.random.default_rng([seed, k]), len(config.robots), design_from_config(config, "graphon")
    everyone, roster, count = np.ones(n, dtype=bool), Roster(n), len(config.zones)
    assert isinstance(graphon, Graphon)
    squares: dict[str, list[float]] = {name: [] for name in METHODS}
    for here, priority in zip(zones, priorities, strict=True):
        roster.priority, weight = int(priority), graphon.matters(int(priority))
        truth = totals(weight, here, count) / weight.sum()
        for name, design in (("graphon", graphon), ("uniform", Uniform())):
            drawn = design.draw(k, everyone, roster, 0, rng)
            value = weight[drawn] / design.inclusion(k, everyone, roster, 0)[drawn]
            sums = totals(value, here[drawn], count)
            squares[name].append(float(((sums / weight.sum() - truth) ** 2).sum()))
            if name == "uniform":
                squares["uniform, ratio"].append(float(((sums / sums.sum() - truth) ** 2).sum()))
    return {name: float(np.sqrt(np.mean(values))) for name, values in squares.items()}


def measure(ks: tuple[int, ...], ticks: int, seeds: int) -> list[dict[str, Any]]:
    """A row per k: mean over the seeds of every method's error, and its standard error."""
    config = Config.from_yaml(CONFIG)
    game, rows = Game.from_config(config), []
    for k in ks:
        found = [errors(config, game, k, ticks, seed) for seed in range(seeds)]
        row: dict[str, Any] = {"k": k}
        for name in METHODS:
            values = np.array([one[name] for one in found])
            row[name] = {"mean": float(values.mean()), "error": float(values.std(ddof=1) / np.sqrt(seeds))}
        rows.append(row)
        cells = "".join(f"{row[name]['mean']:>12.4f} ± {row[name]['error']:.4f}" for name in METHODS)
        print(f"{k:>4}{cells}", flush=True)
    return rows


def draw(rows: list[dict[str, Any]], seeds: int, title: str) -> Figure:
    """Error against k."""
    figure = Figure(figsize=(6.6, 4.6), layout="constrained")
    axes = figure.subplots()
    for name, colour in METHODS.items():
        means, spread = ([row[name][key] for row in rows] for key in ("mean", "error"))
        half = [half_width(value, seeds) for value in spread]
        axes.errorbar([row["k"] for row in rows], means, half, fmt="o-", color=colour, capsize=3, label=name)
    axes.set(
        xscale="log", yscale="log", xlabel="robots polled, k", ylabel="error of the weighted histogram", title=title
    )
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    return figure


def main() -> None:
    """Measure, print, draw, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three k, fewer ticks and seeds")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, default=Path("out/graphon"), metavar="FOLDER")
    given = parser.parse_args()
    ks, ticks, seeds = (KS[:3], 100, 3) if given.quick else (KS, 500, 10)
    print("   k" + "".join(f"{name:>21}" for name in METHODS))
    rows = measure(ks, ticks, seeds)
    with replacing(given.out / "error.png") as stream:
        stream.write(rendered(draw(rows, seeds, f"{ticks} ticks, {seeds} seeds, 95 % intervals"), "graphon", "png"))
    print(f"error.png written to {given.out}")
    if given.json is not None:
        given.json.write_text(
            json.dumps({"machine": machine(), "ticks": ticks, "seeds": seeds, "rows": rows}, indent=2)
        )


if __name__ == "__main__":
    main()
