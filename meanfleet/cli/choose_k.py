"""`meanfleet choose-k`."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.table import Table

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.solver.bundle.policy import PolicyBundle

from .common import ConfigFile, Fleet, Json, Seed, bar, console, print_json

NOTES = {
    "whole": "the dispatcher that sees all {:.0f} robots",
    "memoryless": "memoryless, k = {:.0f}",
    "dirichlet": "dirichlet, k = {:.0f}",
    "particle": "particle, k = {:.0f}",
}


def choose_k_command(
    config: ConfigFile,
    regret: Annotated[
        float, typer.Option(help="Share of the whole-fleet dispatcher's return that may be lost.")
    ] = 0.02,
    observer: Annotated[
        str, typer.Option(help="memoryless, dirichlet or particle (both remember), or several, with commas.")
    ] = "memoryless,dirichlet,particle",
    largest: Annotated[
        int | None, typer.Option("--largest", min=1, help="Largest k tried (default: 50, or n).")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            "-p",
            help="Bundle whose robots' policy is used (default: shortest way).",
        ),
    ] = None,
    rollouts: Annotated[int, typer.Option(min=250, help="Of the whole fleet, per k; fewer for particles.")] = 8000,
    particles: Annotated[int, typer.Option(min=2, help="Of the particle observer.")] = 200,
    n: Fleet = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Find the smallest k that loses no more than a share of the whole-fleet dispatcher's return, at 95 % confidence.

    Example: meanfleet choose-k config/warehouse.yaml --regret 0.02
    """
    from meanfleet.solver import Game
    from meanfleet.solver.policies import shortest_way
    from meanfleet.solver.smallest_k import OBSERVERS, Search

    wanted = [name.strip() for name in observer.split(",")]
    unknown = next((name for name in wanted if name not in OBSERVERS), None)
    if unknown is not None:
        raise UserError(f"observer {unknown!r} is unknown: expected {' or '.join(OBSERVERS)}")
    setup = Config.from_yaml(config).with_robots(n)
    game, robots = Game.from_config(setup), len(setup.robots)
    if policy is None and (game.graph is None or game.priorities * game.types != game.zones):
        raise UserError(
            f"{config}: moves of this game are no ways between zones with priority, so how robots move is not known: "
            f"solve it first and give the bundle (meanfleet solve {config} -o policy.npz, then --policy policy.npz)"
        )
    local_policy = shortest_way(game) if policy is None else PolicyBundle.load(policy, game).local_policy
    began = time.monotonic()
    with bar("choosing k", None, json) as advance:
        search = Search(
            game,
            robots,
            local_policy,
            regret,
            min(50, robots) if largest is None else largest,
            rollouts,
            setup.solver,
            seed,
            progress=lambda label, value: advance(note=NOTES[label].format(value)),
            particles=particles,
        )
        answers = [search.smallest(name) for name in wanted]
    whole = search.whole_fleet
    result: dict[str, Any] = {
        "regret": regret,
        "n": robots,
        "tick": setup.dispatcher.tick,
        "whole_fleet": whole.as_dict(),
        "observers": {answer.observer: answer.as_dict(robots, setup.dispatcher.tick) for answer in answers},
        "seconds": round(time.monotonic() - began, 3),
    }
    if json:
        print_json(result)
    else:
        _show(result)


def _show(result: dict[str, Any]) -> None:
    whole, n = result["whole_fleet"], result["n"]
    console.print(
        f"all {n} robots seen: return {whole['mean']:.2f} ± {whole['error']:.2f} "
        f"({whole['rollouts']} rollouts of {whole['horizon']} ticks, continued as in their later half), "
        f"{60 * n / result['tick']:g} messages per minute"
    )
    table = Table(title=f"smallest k that loses at most {result['regret']:.1%} of it, at 95 % confidence")
    for heading in ("observer", "k", "return", "lost", "messages per minute", "saved"):
        table.add_column(heading, justify="right")
    for name, answer in result["observers"].items():
        best = next((one for one in answer["tried"] if one["k"] == answer["k"]), None)
        if best is None:
            table.add_row(name, f"none up to {answer['tried'][-1]['k']}", "", "", "", "")
            continue
        messages = answer["messages_per_minute"]
        value = f"{best['mean']:.2f} ± {best['error']:.2f}"
        if best["rollouts"] < whole["rollouts"]:
            value += f" ({best['rollouts']} rollouts)"
        needed, saved = (f"{messages[key]:g}" for key in ("needed", "saved"))
        table.add_row(name, str(answer["k"]), value, f"{best['regret']:.2%}", needed, saved)
    console.print(table)
    for name, answer in result["observers"].items():
        steps = ", ".join(f"k = {one['k']}: {one['regret']:.2%}" for one in answer["tried"])
        console.print(f"{name}, lost: {steps}")
    console.print(f"in {result['seconds']:.1f} s; returns ± 1 s.e.")
