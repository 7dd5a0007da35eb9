"""`meanfleet replay`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from meanfleet.base.errors import UserError
from meanfleet.base.files import writable_folder
from meanfleet.config import Config
from meanfleet.config.families import require_command
from meanfleet.solver.bundle.policy import PolicyBundle

from .bags import BagConfig, BagPath, Message, Recorded, Robots, Space, Topic, doubt_types, read_bag, told_of
from .common import Json, PolicyFile, Seed, bar, console, numbers, print_json


def replay_command(
    bag: BagPath,
    config: BagConfig,
    policy: PolicyFile = Path("policy.npz"),
    k: Annotated[str, typer.Option("--k", "-k", help="Robots polled per tick: 1,2,5 or 1:5.")] = "1,2,5,10,20,50",
    seeds: Annotated[int, typer.Option(min=1, help="Draws of robots, from --seed on.")] = 100,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the report and its tables.")] = Path(
        "out/replay"
    ),
    tolerance: Annotated[float, typer.Option(help="Share of the whole fleet's worth that may be lost.")] = 0.02,
    observer: Annotated[str, typer.Option(help="memoryless, dirichlet (remembers), or both.")] = "memoryless,dirichlet",
    rollouts: Annotated[int, typer.Option(min=0, help="Counterfactual rollouts per k and observer; 0: none.")] = 1000,
    game: Annotated[
        Path | None, typer.Option(help="Configuration whose game the rollouts follow, as 'meanfleet fit' writes it.")
    ] = None,
    topic: Topic = "",
    message: Message = "",
    robots: Robots = "",
    namespace: Space = None,
    n: Recorded = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Poll a recorded fleet again with every k: what each would have cost, and which is enough.

    Deterministic: the same bag, policy and seed give the same files, byte for byte.

    Example: meanfleet replay run.mcap -c config/demo.yaml --policy demo.npz -k 1,2,5,10 --seeds 100 --out out/replay
    """
    from meanfleet.sim.bags.kinds import kinds_by_name, over_states
    from meanfleet.solver import Game
    from meanfleet.studies.replay.reenact import reenact
    from meanfleet.studies.replay.results import write_results
    from meanfleet.studies.replay.sweep import Options, replay
    from meanfleet.studies.replay.worlds import WORLDS, drawn_games

    names = tuple(dict.fromkeys(name.strip() for name in observer.split(",")))
    options = Options(numbers(k), seeds, seed, tolerance, rollouts, names)
    setup = Config.from_yaml(config).with_robots(n)
    require_command(setup, "replay")
    bundle = PolicyBundle.load(policy)
    bundle.require_graph(setup.state_graph, len(setup.zones))
    fitted = None if game is None else Config.from_yaml(game)
    model = None if fitted is None else Game.from_config(fitted)
    drawn = () if fitted is None or not rollouts else drawn_games(fitted, WORLDS, seed)
    writable_folder(out)
    began = time.monotonic()
    log = over_states(read_bag(bag, setup, topic, message, robots, namespace, json), setup)
    if n is None and not robots:
        doubt_types(log, setup)
    with bar("replaying", None, json) as advance:
        note = lambda done, total, what: advance(note=f"{done}/{total} {what}")  # noqa: E731
        result = replay(log, bundle, options, model, note, drawn)
    if log.ticks:
        result.summary["reenacted"] = _reenacted(reenact, log, bundle, kinds_by_name(setup))
    paths = write_results(result, out)
    if json:
        print_json(result.summary)
        return
    _show(result.summary)
    console.print(
        f"{', '.join(path.name for path in paths)} written to {out} in {time.monotonic() - began:.1f} s", soft_wrap=True
    )


def _reenacted(reenact: Any, log: Any, bundle: PolicyBundle, kinds: dict[str, int] | None) -> dict[str, Any]:
    """What the live dispatcher's own words say of its decisions under this policy."""
    try:
        found = reenact(log.ticks, bundle, log.robots, log.steered, kinds=kinds)
    except UserError as error:
        return {"ticks": 0, "anchored": 0, "mismatches": 0, "said": str(error)}
    first = f"first at tick {found.mismatches[0].tick}: {found.mismatches[0].what}" if found.mismatches else ""
    return {"ticks": found.ticks, "anchored": found.anchored, "mismatches": len(found.mismatches), "said": first}


def _show(summary: dict[str, Any]) -> None:
    bag, verdict = summary["bag"], summary["verdict"]
    console.print(
        f"{bag['robots']} robots, {bag['ticks']} ticks over {bag['seconds']:.6g} s, {bag['known_share']:.1%} of zones "
        f"known, {bag['messages']} messages"
    )
    for line in [*told_of(bag), *(f"  {line}" for line in summary["left_out"])]:
        console.print(line, markup=False, soft_wrap=True)
    table = Table(title=f"against polling everybody, {summary['options']['seeds']} seeds, 95 % intervals")
    for heading in ("observer", "k", "agreement", "off by", "loss on the bag", "loss in rollouts", "messages saved"):
        table.add_column(heading, justify="right")
    for point in summary["curve"]:
        table.add_row(
            point["observer"],
            str(point["k"]),
            f"{point['agreement']['mean']:.1%}",
            f"{point['distance']['mean']:.1%}",
            *(_interval(point.get(name)) for name in ("regret_share", "rollouts_share")),
            f"{point['messages']['saved_share']:.0%}",
        )
    console.print(table)
    if "reenacted" in summary:
        live = summary["reenacted"]
        console.print(
            f"live dispatcher: {live['ticks']} ticks re-enacted, {live['mismatches']} differences {live['said']}"
        )
    heading = "no recommendation" if verdict["k"] is None else f"recommended: k = {verdict['k']}, {verdict['observer']}"
    console.print(Text.assemble((heading, "bold"), f": {verdict['reason']}"), soft_wrap=True)


def _interval(band: dict[str, float] | None) -> str:
    if band is None:
        return "–"
    mean, low, high = (f"{100 * band[key]:.2f}" for key in ("mean", "low", "high"))
    return f"{mean} % ({low} … {high})"
