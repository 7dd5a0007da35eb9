"""The commands and what they have in common."""

from __future__ import annotations

from typing import Annotated

import typer

import meanfleet

from . import (
    choose_k,
    compare,
    continuous,
    count,
    demo,
    doctor,
    dynamics,
    federated,
    fit,
    inspect,
    mfq,
    record,
    replay,
    reproduce,
    security,
    simulate,
    solve,
    sweep,
    up,
    watch,
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


app.command("solve")(solve.solve_command)
app.command("sweep")(sweep.sweep_command)
app.command("choose-k")(choose_k.choose_k_command)
app.command("inspect")(inspect.inspect_command)
app.command("simulate")(simulate.simulate_command)
app.command("compare")(compare.compare_command)
app.command("count")(count.count_command)
app.command("dynamics")(dynamics.dynamics_command)
app.command("continuous")(continuous.continuous_command)
app.command("mfq")(mfq.mfq_command)
app.command("reproduce")(reproduce.reproduce_command)
app.command("federated")(federated.federated_command)
app.command("replay")(replay.replay_command)
app.command("fit")(fit.fit_command)
app.command("up")(up.up_command)
app.command("record")(record.record_command)
app.command("doctor")(doctor.doctor_command)
app.command("watch")(watch.watch_command)
app.command("security")(security.security_command)
app.command("demo")(demo.demo_command)
