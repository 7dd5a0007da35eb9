"""The commands and what they have in common."""

from __future__ import annotations

from typing import Annotated

import typer

import meanfleet

from . import (
    choosing,
    demonstrating,
    federating,
    fitting,
    inspecting,
    learning,
    lining,
    operating,
    peering,
    recording,
    replaying,
    reproducing,
    running,
    securing,
    simulating,
    solving,
    sweeping,
)

app = typer.Typer(
    help="A fleet dispatcher that polls k robots instead of n: solve, simulate, run over ROS 2.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(meanfleet.__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """A fleet dispatcher that polls k robots instead of n."""


app.command("solve")(solving.solve_command)
app.command("sweep")(sweeping.sweep_command)
app.command("choose-k")(choosing.choose_k_command)
app.command("inspect")(inspecting.inspect_command)
app.command("simulate")(simulating.simulate_command)
app.command("compare")(simulating.compare_command)
app.command("count")(simulating.count_command)
app.command("dynamics")(learning.dynamics_command)
app.command("continuous")(lining.continuous_command)
app.command("mfq")(peering.mfq_command)
app.command("reproduce")(reproducing.reproduce_command)
app.command("federated")(federating.federated_command)
app.command("replay")(replaying.replay_command)
app.command("fit")(fitting.fit_command)
app.command("up")(running.up_command)
app.command("record")(recording.record_command)
app.command("doctor")(operating.doctor_command)
app.command("watch")(operating.watch_command)
app.command("security")(securing.security_command)
app.command("demo")(demonstrating.demo_command)
