"""`meanfleet fit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from meanfleet.base.files import replacing, writable_file, write_json
from meanfleet.config import Config
from meanfleet.config.families import require_command
from meanfleet.solver.bundle.policy import PolicyBundle

from .bags import BagConfig, BagPath, Message, Recorded, Robots, Space, Topic, doubt_types, read_bag, told_of
from .common import Json, Seed, bar, console, print_json

SHOWN = 6  # unseen rows named on the terminal


def fit_command(
    bag: BagPath,
    config: BagConfig,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="NAME.yaml: a configuration with its counts; NAME.npz: arrays.")
    ] = Path("fitted.yaml"),
    moves: Annotated[str, typer.Option(help="recorded, policy or way (default: recorded, else --policy's).")] = "",
    policy: Annotated[
        Path | None, typer.Option("--policy", "-p", help="Bundle that the robots followed, if moves are not recorded.")
    ] = None,
    prior: Annotated[float, typer.Option(help="Dirichlet weight per cell.")] = 0.5,
    by_priority: Annotated[
        bool | None, typer.Option("--by-priority/--pooled", help="P_l per priority (default: if the bag says so).")
    ] = None,
    steering: Annotated[
        bool, typer.Option("--steering/--known-steering", help="P_g from the bag, or the configuration's.")
    ] = True,
    k: Annotated[int, typer.Option("--k", "-k", min=0, help="Robots of the model-free comparison; 0: none.")] = 2,
    topic: Topic = "",
    message: Message = "",
    robots: Robots = "",
    namespace: Space = None,
    n: Recorded = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Learn the game that a recorded fleet played: P_l, and P_g where the dispatcher was recorded.

    Example: meanfleet fit run.mcap -c config/demo.yaml -o fitted.yaml, then meanfleet solve fitted.yaml
    """
    from meanfleet.base.errors import UserError
    from meanfleet.sim.bags.kinds import over_states
    from meanfleet.sim.fitting.fleet import fit_fleet, summary_of
    from meanfleet.sim.fitting.modelfree import compare
    from meanfleet.sim.fitting.page import page
    from meanfleet.sim.fitting.writing import check_target, fleet_game, write_game

    whole = Config.from_yaml(config)  # whose fleet is written again; --n is the bag's
    setup = whole.with_robots(n)
    require_command(setup, "fit")
    check_target(out, setup)
    for path in (out, out.with_suffix(".fit.json")):
        writable_file(path)
    followed = None if policy is None else PolicyBundle.load(policy).local_policy
    log = read_bag(bag, setup, topic, message, robots, namespace, json)
    if n is None and not robots:
        doubt_types(log, setup)
    fitted = fit_fleet(log, setup, followed, moves_from=moves, by_priority=by_priority, prior=prior, steering=steering)
    how: dict[str, Any] = {"bag": log.sha256, "robots": len(log.robots), "ticks": len(log.stamps), "seed": seed}
    how["read"] = log.summary()
    game = fleet_game(fitted, setup)
    model_free: dict[str, Any] | None = None
    if k:
        with bar("learning without a model", None, json):
            try:
                model_free = compare(over_states(log, setup), game, min(k, len(log.robots)), seed)
            except UserError as error:
                model_free = {"k": k, "skipped": str(error)}
    paths = write_game(fitted, whole, out, how)
    summary = how | {"files": [str(path) for path in paths], "game": game.digest} | summary_of(fitted)
    if model_free is not None:
        summary["model_free"] = model_free
        write_json(paths[-1], {key: value for key, value in summary.items() if key != "files"})
    told = out.with_suffix(".fit.html")
    with replacing(told) as stream:
        stream.write(page(summary, setup.zones, log.source, setup.zone_graph).encode())
    summary["files"].append(str(told))
    if json:
        print_json(summary)
        return
    _show(summary, setup, known_steering=not steering)
    console.print(f"{', '.join(Path(name).name for name in summary['files'])} written to {out.parent}", soft_wrap=True)


def _show(summary: dict[str, Any], setup: Config, known_steering: bool) -> None:
    read = summary["read"]
    console.print(f"{summary['robots']} robots, {summary['ticks']} ticks, {read['messages']} messages")
    for line in told_of(read):
        console.print(line, markup=False, soft_wrap=True)
    for name, part in summary.get("types", {"": summary}).items():
        _show_part(f"P_l of type {name}" if name else "P_l", part, setup)
    _show_steering(summary, setup, known_steering)


def _show_part(what: str, summary: dict[str, Any], setup: Config) -> None:
    seen, p = summary["coverage"], summary["priorities_differ_p"]
    kept = "per priority" if summary["by_priority"] else "for all priorities together"
    test = "" if p is None else f" (no difference between priorities: p = {p:.2g})"
    console.print(f"{what} from {summary['transitions']} transitions, moves {summary['moves_from']}, {kept}{test}")
    for reason, count in summary["left_out"].items():
        console.print(f"  not counted, {reason}: {count}")
    console.print(
        f"  {seen['seen']} of {seen['rows']} rows seen, fewest {seen['fewest']}, median {seen['median']:g}; "
        f"widest 95 % interval {seen['widest_interval']:.3f}"
    )
    _unseen([_row(row, setup) for row in summary["unseen"]])
    if summary["moves_from"] == "way":
        console.print("  moves were inferred from where robots went: failed drives count as stays, so P_l is too good")


def _show_steering(summary: dict[str, Any], setup: Config, known_steering: bool) -> None:
    steering = summary.get("steering")
    if steering is None:
        console.print("P_g: the configuration's stays" + ("" if known_steering else " (no dispatches in the bag)"))
    else:
        console.print(f"P_g from {steering['transitions']} ticks, {steering['seen']} of {steering['rows']} rows seen")
        _unseen([f"{setup.zones[s]}, dispatch {setup.zones[a]}" for s, a in steering["unseen"]])
    free = summary.get("model_free")
    if free is not None and "skipped" in free:
        console.print(f"without a model: {free['skipped']}")
    elif free is not None:
        lead = free["model_leads"]
        console.print(
            f"without a model (Q-learning, k = {free['k']}, {free['updates']} updates, {free['pairs_seen']} of "
            f"{free['pairs']} pairs seen): agrees on {free['agreement']:.0%} of visited states; the model's table "
            f"earns {lead['mean']:.2f} more in the fitted game ({lead['low']:.2f} … {lead['high']:.2f})"
        )


def _row(row: list[int], setup: Config) -> str:
    """A row of P_l in words: [zone, move] or [zone, priority, move]."""
    zone, *priority, move = row
    under = "".join(f", priority {setup.zones[s]}" for s in priority)
    return f"{setup.zones[zone]}{under}, {setup.zone_graph.move_names(zone, setup.zones)[move]}"


def _unseen(rows: list[str]) -> None:
    if rows:
        shown = "; ".join(rows[:SHOWN]) + ("; …" if len(rows) > SHOWN else "")
        console.print(f"  never seen, left to the prior: {len(rows)} rows: {shown}", markup=False, soft_wrap=True)
