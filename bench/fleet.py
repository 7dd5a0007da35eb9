"""How many robots run on one machine, and what polling k of them costs against listening to all.

    python bench/fleet.py [--quick] [--ticks 60] [--n 10,100,300,1000] [--k 1,5,20,50] [--json FILE] [--figure FILE]

Every cell runs the whole graph of processes over DDS: PyBullet's rigid bodies, n robots with their own topics, the
dispatcher with a belief, the monitor; tick 1 s, real time. k = n listens to every robot all the time. CPU is in cores;
bytes are the zones' messages without DDS headers. The loss compares each decision with that of a dispatcher that knows
where every robot is, by its own Q; what decisions earn, on many seeds, is in bench/decisions.py. One cell after the
other; run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from measuring import machine
from running_fleet import run_fleet

from meanfleet.base.errors import UserError
from meanfleet.base.files import replacing
from meanfleet.config import Config
from meanfleet.solver import Game, solve
from meanfleet.solver.bundle.policy import PolicyBundle

CONFIG = Path(__file__).resolve().parent / "fleet.yaml"
SIZES, POLLED = (10, 100, 300, 1000), (1, 5, 20, 50)
PARTS = ("world", "robot", "dispatcher", "monitor")


def policy(config: Config) -> Path:
    """The policy of the bench's fleet of 1000 robots, solved once."""
    game = Game.from_config(config)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meanfleet"
    path = cache / f"bench-fleet-{game.digest[:16]}.npz"
    try:
        PolicyBundle.load(path, game)
    except UserError:
        print("solving the game (once, some minutes)", file=sys.stderr, flush=True)
        cache.mkdir(parents=True, exist_ok=True)
        solve(game, config.dispatcher.k, n=len(config.robots), settings=config.solver).save(path)
    return path


def header() -> str:
    """The table's first lines."""
    cpu = " ".join(f"{name[:5]:>5}" for name in PARTS)
    return (
        f"{'':>27} {'gather [ms]':>11} {'into dispatcher':>17} {'cores':^23} {'MiB':^23} {'real':>6} "
        f"{'decisions':>21} {'reward':>8}\n"
        f"{'n':>5} {'k':>5} {'ticks':>6} {'complete':>8} {'p50':>5} {'p99':>5} {'msg/s':>8} {'byte/s':>8} "
        f"{cpu} {cpu} {'time':>6} {'agree':>6} {'loss':>14} {'per tick':>8}"
    )


def line(row: dict[str, Any]) -> str:
    """One cell as a line of the table."""
    used = row["processes"]
    cpu = " ".join(f"{used[name]['cpu']:5.2f}" for name in PARTS)
    memory = " ".join(f"{used[name]['mib']:5.0f}" for name in PARTS)
    return (
        f"{row['n']:>5} {row['k']:>5} {row['ticks']:>6} {row['complete']:>8.1%} {1e3 * row['gather_p50']:>5.0f} "
        f"{1e3 * row['gather_p99']:>5.0f} {row['messages_per_second']:>8.1f} {row['bytes_per_second']:>8.0f} "
        f"{cpu} {memory} {row['real_time_factor']:>6.3f} {row['agreement']:>6.0%} "
        f"{row['loss']:>6.3f} ± {row['loss_error']:.3f} {row['reward']:>8.2f}"
    )


def figure(rows: list[dict[str, Any]], path: Path) -> None:
    """Latency, messages and the dispatcher's CPU against n, a line per k."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(12, 3.8), layout="constrained")
    panels = (
        ("gather_p99", "gathering k zones, 99th percentile [s]", lambda row: row["gather_p99"]),
        ("messages", "messages into the dispatcher [1/s]", lambda row: row["messages_per_second"]),
        ("cpu", "the dispatcher's CPU [cores]", lambda row: row["processes"]["dispatcher"]["cpu"]),
    )
    for axes, (key, label, value) in zip(drawing.subplots(1, 3), panels, strict=True):
        for k in sorted({row["k"] for row in rows if row["k"] < row["n"]}):
            points = sorted((row["n"], value(row)) for row in rows if row["k"] == k and row["k"] < row["n"])
            axes.plot(*zip(*points, strict=True), marker="o", label=f"k = {k}")
        points = sorted((row["n"], value(row)) for row in rows if row["k"] == row["n"])
        axes.plot(*zip(*points, strict=True), marker="s", color="black", linestyle="--", label="all n")
        axes.set(xscale="log", yscale="linear" if key == "cpu" else "log", xlabel="robots n", title=label)
        axes.set_xticks(sizes := sorted({row["n"] for row in rows}), [str(n) for n in sizes])
        axes.minorticks_off()
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    with replacing(path) as stream:
        drawing.savefig(stream, format="png", dpi=130)


def main() -> int:
    """Measure, print, and write JSON and figure if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="n = 10 and 100, k = 1, 20 and n, 15 ticks")
    parser.add_argument("--n", type=numbers, default=SIZES)
    parser.add_argument("--k", type=numbers, default=POLLED, help="beside n itself")
    parser.add_argument("--ticks", type=int, default=60)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--figure", type=Path, metavar="FILE")
    given = parser.parse_args()
    if given.quick:
        given.n, given.k, given.ticks = (10, 100), (1, 20), 15
    config = Config.from_yaml(CONFIG)
    bundle, rows = policy(config), []
    print(header(), flush=True)
    for n in given.n:
        for k in (*(k for k in given.k if k < n), n):
            row = run_fleet(config, bundle, given.ticks, n=n, k=k)
            rows.append(row)
            print(line(row), flush=True)
            if given.json is not None:
                given.json.write_text(json.dumps({"machine": machine(), "ticks": given.ticks, "rows": rows}, indent=2))
    if given.figure is not None:
        figure(rows, given.figure)
    return 0


def numbers(text: str) -> tuple[int, ...]:
    """Of a list with commas."""
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        print(f"fleet: {error}", file=sys.stderr)
        sys.exit(UserError.exit_code)
