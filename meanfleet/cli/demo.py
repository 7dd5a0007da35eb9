"""`meanfleet demo`: the whole story on this machine."""

from __future__ import annotations

import json as json_module
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from meanfleet.base.errors import UserError
from meanfleet.base.files import writable_folder, write_json
from meanfleet.base.resources import config_file
from meanfleet.config import Config
from meanfleet.solver.bundle.policy import PolicyBundle

from .common import Json, Seed, bar, console, print_json, solving_note
from .up import headline, start

FLEETS = (25, 50, 200)  # other fleet sizes, run briefly for the messages
SEEDS = 3  # seeds on which the rules are compared
BRIEF = 10  # ticks of the brief runs
FEW = 1  # robots polled per tick by the dispatcher that remembers
SHORT = 48  # ticks of its run over ROS, at most, and of the paired runs
PAIRS = 10  # seeds of these


def demo_command(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything.")] = Path("out/demo"),
    ticks: Annotated[int, typer.Option(min=2, help="Ticks of the main run.")] = 120,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Robots polled per tick.")] = 10,
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="Robots.")] = 100,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Solve the demo's game, run it over ROS 2 and PyBullet, compare dispatchers, draw figures.

    Example: meanfleet demo --ticks 120 --out out/demo
    """
    from meanfleet.running import figures
    from meanfleet.running.animation import FRAMES, warehouse_gif
    from meanfleet.running.comparing import compare, compare_memory
    from meanfleet.running.record import RunRecord

    writable_folder(out)
    path = config_file("demo.yaml")
    config = Config.from_yaml(path).with_robots(n)
    _say(json, f"1/5 policies for k = {k}")
    policy = _solved(config, k, seed, out / "policy.npz", json)
    bundle = PolicyBundle.load(policy)

    _say(json, f"2/5 {n} robots, {ticks} ticks of {config.dispatcher.tick:g} s over ROS 2 and PyBullet")
    summary = _run(path, policy, n, k, ticks, seed, out, "", config, json, record=_fresh(out / "bag"))
    live = RunRecord.load(out).trajectory(config, bundle)

    _say(json, f"3/5 the same world under plain rules, {SEEDS} seeds each, in one process")
    seeds = range(seed, seed + SEEDS)
    with bar("comparing", 3 * SEEDS, json) as advance:
        comparison, runs = compare(
            config, bundle, k=k, ticks=ticks, seeds=seeds, on_run=lambda done: advance(done, f"run {done}/{3 * SEEDS}")
        )
    summary["comparison"] = comparison.summary()

    _say(
        json,
        f"4/5 the dispatcher that remembers, k = {FEW}: the same seed over ROS 2, then {PAIRS} seeds in one process",
    )
    short = min(ticks, SHORT)
    remembered = _run(path, policy, n, FEW, short, seed, out / "filtering", "", config, json, "dirichlet")
    with bar("comparing", 2 * PAIRS, json) as advance:
        pairs = compare_memory(
            config,
            bundle,
            k=k,
            few=FEW,
            ticks=short,
            seeds=range(seed, seed + PAIRS),
            backend="kinematic",
            on_run=lambda done: advance(done, f"run {done}/{2 * PAIRS}"),
        )
    summary["filtering"] = {
        "k": FEW,
        "against_k": k,
        "ticks": short,
        "over_ros": {
            "filtering": remembered["reward"]["per_tick"],
            "memoryless": float(live.reward[:short].mean()),
            "robots_heard_per_tick": remembered["messages"]["robots_heard_per_tick"],
        },
        "paired": pairs.summary() | {"backend": "kinematic", "ticks": short},
    }

    _say(json, f"5/5 messages with {', '.join(map(str, FLEETS))} robots, {BRIEF} ticks each over ROS 2")
    measured = [_messages(summary)]
    for size in FLEETS:
        folder = out / "messages" / f"n{size}"
        if size >= k:
            brief = _run(path, policy, size, k, BRIEF, seed, folder, "kinematic", config, True)
            measured.append(_messages(brief))
    summary["messages_against_n"] = sorted(measured, key=lambda row: row["robots"])

    zones = config.zones
    figures.occupancy(out / "occupancy.png", live, zones, f"{n} robots in PyBullet, {k} of them polled per tick")
    by_rule = {rule: [runs[rule, s] for s in seeds] for rule in comparison.rewards}
    figures.reward(out / "reward.png", by_rule, live, "what the dispatcher is worth")
    figures.messages(out / "messages.png", measured, f"k = {k} whatever the fleet's size")
    with bar("drawing the warehouse", FRAMES, json) as advance:
        warehouse_gif(out / "warehouse.gif", out / "bag", config, progress=lambda done: advance(done, "frames"))
    write_json(out / "summary.json", summary)
    if json:
        print_json(summary)
    else:
        _tell(summary, out)


def _solved(config: Config, k: int, seed: int, path: Path, quiet: bool) -> Path:
    """The bundle at `path`, solved unless it is there and fits."""
    from meanfleet.dispatcher_node.observers import check_observer
    from meanfleet.solver import Game, solve

    game = Game.from_config(config)
    if path.exists():
        try:
            bundle = PolicyBundle.load(path, game)
            bundle.require_k(k)
            check_observer("dirichlet", bundle)
            return path
        except UserError as error:
            _say(quiet, f"    solving again: {error}")
    with bar("solving", None, quiet) as advance:
        bundle = solve(
            game,
            sorted({FEW, k}),
            seed,
            n=len(config.robots),
            settings=config.solver,
            progress=lambda label, value: advance(note=solving_note(label, value)),
        )
    bundle.save(path)
    return path


def _run(
    path: Path,
    policy: Path,
    n: int,
    k: int,
    ticks: int,
    seed: int,
    out: Path,
    backend: str,
    config: Config,
    quiet: bool,
    observer: str = "memoryless",
    record: Path | None = None,
) -> dict[str, Any]:
    """Run the process graph for `ticks` ticks and return its summary; record it into a bag if asked."""
    given: dict[str, Any] = {
        "config": str(path),
        "policy": str(policy),
        "n": n,
        "k": k,
        "seed": seed,
        "backend": backend,
        "observer": observer,
        "duration": ticks * config.dispatcher.tick,
        "out": str(out),
        "record": str(record or ""),
    }
    (out / "summary.json").unlink(missing_ok=True)
    code = start(given, out / "logs", quiet=quiet)
    if code:
        raise typer.Exit(code)
    if not (out / "summary.json").exists():
        raise UserError(f"the run was interrupted before its first tick; see {out / 'logs'}")
    summary: dict[str, Any] = json_module.loads((out / "summary.json").read_text())
    return summary


def _fresh(bag: Path) -> Path:
    """The folder of a bag, without what an earlier demo recorded there."""
    if (bag / "metadata.yaml").exists():
        shutil.rmtree(bag)
    return bag


def _messages(summary: dict[str, Any]) -> dict[str, Any]:
    return {
        "robots": summary["robots"],
        "received": summary["messages"]["received_per_tick"],
        "heard": summary["messages"]["robots_heard_per_tick"],
        "published": summary["messages"]["published_by_the_fleet_per_tick"],
    }


def _say(quiet: bool, text: str) -> None:
    if not quiet:
        console.print(text)


def _heard(messages: dict[str, Any]) -> str:
    """Whom the dispatcher heard of those it asked, and whether it heard anybody else."""
    if messages["from_robots_not_asked"]:
        return f"{messages['from_robots_not_asked']} robots that it had NOT asked"
    if silent := messages["asked_robots_not_heard"]:
        return f"no robot that it had not asked; {silent} said nothing in time, and others were asked instead"
    return f"exactly the robots it asked, {messages['replacements']} of them instead of others"


def _tell(summary: dict[str, Any], out: Path) -> None:
    """Where the results are, and what they say."""
    world, messages, lead = summary["world"], summary["messages"], summary["comparison"]["lead"]
    console.print(f"\n{headline(summary)}.")
    console.print(
        f"The dispatcher heard {_heard(messages)}; "
        f"{world['on_time_fraction']:.1%} of goals reached within three times the free-flow time; "
        f"{world['overlaps']} overlaps of robots, {world['off_floor']} robots off the floor."
    )
    for rule, value in lead.items():
        console.print(
            f"Learned against {rule}: {value['mean']:+.2f} reward per tick on the same {SEEDS} seeds "
            f"(95 %: {value['low']:+.2f} … {value['high']:+.2f})."
        )
    _tell_memory(summary["filtering"])
    rows = ", ".join(
        f"n = {row['robots']}: {row['received']:.1f} of {row['published']:.0f}" for row in summary["messages_against_n"]
    )
    console.print(f"Messages per tick received, of those published: {rows}.")
    console.print(
        f"\n{out}/policy.npz, summary.json, run.jsonl, occupancy.png, reward.png, messages.png, warehouse.gif, bag/"
    )


def _tell_memory(found: dict[str, Any]) -> None:
    """Filtering against memoryless, on one seed over ROS and on paired seeds."""
    live, paired = found["over_ros"], found["paired"]
    lead = paired["lead"]["memoryless"]
    if lead["low"] > 0:
        verdict = "remembering earns more"
    elif lead["high"] < 0:
        verdict = "remembering earns less"
    else:
        verdict = "no difference is shown"
    console.print(
        f"Remembering, k = {found['k']}, against forgetting, k = {found['against_k']}, over ROS 2 on the same seed, "
        f"{found['ticks']} ticks: {live['filtering']:.2f} against {live['memoryless']:.2f} reward per tick "
        "(one run each, no error known)."
    )
    console.print(
        f"The same on {len(paired['seeds'])} paired seeds of the kinematic world in one process: "
        f"{lead['mean']:+.2f} (95 %: {lead['low']:+.2f} … {lead['high']:+.2f}): {verdict}."
    )
