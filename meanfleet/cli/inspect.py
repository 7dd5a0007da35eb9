"""`meanfleet inspect`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from meanfleet.base.errors import UserError
from meanfleet.base.words import gap_text
from meanfleet.config import Config
from meanfleet.config.families import family
from meanfleet.solver import Game
from meanfleet.solver.bundle.filtering import FilterModel
from meanfleet.solver.bundle.loading import load_any, load_policies
from meanfleet.solver.bundle.policy import PolicyBundle

from .common import Json, console, print_json


def inspect_command(
    file: Annotated[Path, typer.Argument(help="Policy bundle (.npz).", show_default=False)],
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Configuration whose names of zones are shown.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what a policy bundle holds and what is proven of it.

    Example: meanfleet inspect policy.npz -c config/warehouse.yaml
    """
    setup = None if config is None else Config.from_yaml(config)
    bundle = load_any(file) if setup is None else load_policies(file, setup, by_number=True)
    names = None if setup is None else setup.states
    try:
        with console.capture() as whole:  # all of it or nothing: certificates are whatever their maker wrote
            _print(bundle, names, json)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{file} is no valid policy bundle: its certificates lack or garble {reason}") from None
    typer.echo(whole.get(), nl=False, color=True)


def _print(bundle: PolicyBundle, names: tuple[str, ...] | None, json: bool) -> None:
    own = family(bundle.family)
    if json:
        print_json(describe(bundle, names) | own.describe(bundle))
    elif shown := own.show(bundle):
        for part in shown:
            console.print(part)
        console.print(filter_table(bundle.filtering) if bundle.filtering else "no filter: memoryless alone")
    else:
        show(bundle, names)


def describe(bundle: PolicyBundle, names: tuple[str, ...] | None = None) -> dict[str, Any]:
    """The bundle's content as plain values; `names` are those of the zones."""
    game = bundle.game
    return {
        "digest": bundle.digest,
        "game": {
            "digest": game.digest,
            "zones": game.zones,
            "priorities": game.priorities,
            "dispatches": game.dispatches,
            "moves": game.moves,
            "discount": game.discount,
        },
        "ks": list(bundle.ks),
        "certificates": {str(k): certificate for k, certificate in bundle.certificate.items()},
        "moves": _moves(game, names),
        "local_policy": bundle.local_policy.tolist(),
        "filtering": _filtering(bundle),
        "how": bundle.how,
    }


def _filtering(bundle: PolicyBundle) -> dict[str, Any] | None:
    """κ, and by k how a dispatcher that remembers runs; None for a bundle without."""
    model = bundle.filtering
    if model is None:
        return None
    return {"kappa": model.kappa, "settings": {str(k): asdict(setting) for k, setting in model.settings.items()}}


def _moves(game: Game, names: tuple[str, ...] | None) -> list[list[str]]:
    """What the moves of every zone are called."""
    if game.graph is None:
        return [[str(move) for move in range(game.moves)]] * game.zones
    return [list(game.graph.move_names(zone, names)) for zone in range(game.zones)]


def show(bundle: PolicyBundle, names: tuple[str, ...] | None = None) -> None:
    """Print the bundle for people; `names` are those of the zones."""
    game = bundle.game
    console.print(
        f"game {game.digest[:12]}: {game.zones} zones, {game.priorities} priorities, {game.dispatches} dispatches, "
        f"{game.moves} moves, γ = {game.discount}"
    )
    _show_equilibrium(bundle)
    fleet = next((c["fleet"] for c in bundle.certificate.values() if "fleet" in c), {"n": "?", "horizon": "?"})
    table = Table(title="what is known of every table (chosen for the fleet, see below)")
    for heading in ("k", "J, n = k", "dispatcher's gap", "robots' gap", "both's gap", f"return, n = {fleet['n']}"):
        table.add_column(heading, justify="right")
    for k, certificate in bundle.certificate.items():
        table.add_row(str(k), *_cells(certificate))
    console.print(table)
    console.print(
        f"J: discounted return of the k-robot system, without end. Return: without end too, simulated for "
        f"{fleet['horizon']} ticks and continued as in their later half, ± 1 s.e."
    )
    console.print(
        "gap: what a better response could still gain; robots' gap: found … proven not to be exceeded; both's gap: "
        "what another pair of policies could gain, for one that neither side betters alone may lie far below another."
    )
    for whose, key in (("robots'", "local_kind"), ("both's", "pair_kind")):
        for kind, ks in _kinds(bundle, key).items():
            console.print(f"{whose} gap, k = {', '.join(map(str, ks))}: {kind}")
    rules = {k: certificate["rule"] for k, certificate in bundle.certificate.items() if "rule" in certificate}
    if rules:
        console.print(_rule_table(rules, fleet["n"]))
        console.print("lead: difference of returns under common random numbers, 95 % interval.")
    if bundle.filtering is not None:
        console.print(filter_table(bundle.filtering))
        console.print("lead: over the memoryless table of the same k under common random numbers, 95 % interval.")
    for peer in bundle.peers:
        known = bundle.certificate.get(peer.k, {})
        value = f": J with n = k {known['joint_value_low']:.4f}" if "joint_value_low" in known else ""
        console.print(f"plans of robots that sample each other (SUBSAMPLE-MFQ), k = {peer.k}{value}")
    for step in bundle.how.get("robots", {}).get("gain_over", {}).items():
        console.print(_gain(*step))
    console.print(_policy_table(bundle, names))


def _show_equilibrium(bundle: PolicyBundle) -> None:
    """The pair that the alternation ended with: the proof belongs to it, so it is told only where it is stored."""
    found = bundle.how.get("alternation", {})
    proof = found.get("certificate")
    if proof is None:
        return
    text = f"the alternation in the {proof['k']}-robot system, from '{found['start']}', ended at J = "
    text += f"{proof['value_low']:.4f}; "
    if _stores(bundle.certificate.get(proof["k"], {}), proof):
        text += f"that pair is stored, its gaps are those of k = {proof['k']} below"
    else:
        text += "that pair is not stored, for others serve the fleet better: theirs are the proofs below"
    console.print(text)


def _stores(certificate: dict[str, Any], proof: dict[str, Any]) -> bool:
    """Whether a stored table's certificate is that of the alternation's own pair."""
    keys = ("value_low", "global_gap", "local_gap_low", "local_gap_high")
    return all(certificate.get(key) == proof.get(key) for key in keys)


def filter_table(model: FilterModel) -> Table:
    """What is known of the dispatcher that remembers, by k."""
    fleet = next(iter(model.settings.values())).fleet
    table = Table(title=f"a dispatcher that remembers (κ = {model.kappa})")
    ticks = fleet.get("per_tick", {}).get("ticks", ["?"])
    headings = ("k", "ρ", "deciding", f"return, n = {fleet.get('n', '?')}", "lead over the table")
    for heading in (*headings, f"per tick, from tick {ticks[0]} on"):
        table.add_column(heading, justify="right")
    for k, setting in sorted(model.settings.items()):
        known, lead = setting.fleet, setting.fleet.get("lead")
        value = f"{known['mean']:.2f} ± {known['error']:.2f}" if "mean" in known else "–"
        ahead = "–" if lead is None else f"{lead['low']:.2f} … {lead['high']:.2f}"
        settled = known.get("per_tick")
        rate = "–" if settled is None else f"{settled['mean']:.3f} ± {settled['error']:.3f}"
        table.add_row(str(k), f"{setting.rho:g}", setting.deciding, value, ahead, rate)
    return table


def _gain(other: str, gain: dict[str, Any]) -> str:
    return (
        f"robots fitted to the dispatcher that remembers: {gain['low']:.2f} … {gain['high']:.2f} more "
        f"than with robots' policy '{other}' (95 %)"
    )


def _kinds(bundle: PolicyBundle, key: str) -> dict[str, list[int]]:
    """How a gap is known -> the k for which it is known so."""
    kinds: dict[str, list[int]] = {}
    for k, certificate in bundle.certificate.items():
        if key in certificate:
            kinds.setdefault(certificate[key], []).append(k)
    return kinds


def _cells(certificate: dict[str, Any]) -> tuple[str, ...]:
    fleet = certificate.get("fleet")
    value = f"{certificate['value_low']:.2f}" if "value_low" in certificate else "–"
    gap = f"≤ {gap_text(certificate['global_gap'])}" if "global_gap" in certificate else "sampled: not proven"
    local = (
        f"{certificate['local_gap_low']:.2f} … {gap_text(certificate['local_gap_high'])}"
        if "local_gap_low" in certificate
        else "–"
    )
    both = f"≤ {gap_text(certificate['pair_gap'])}" if "pair_gap" in certificate else "–"
    return value, gap, local, both, f"{fleet['mean']:.2f} ± {fleet['error']:.2f}" if fleet else "–"


def _rule_table(rules: dict[int, dict[str, Any]], n: Any) -> Table:
    robots = next(iter(rules.values()))["robots"]
    table = Table(title=f"what ran {n} robots best; robots' policy: {robots}")
    table.add_column("k", justify="right")
    table.add_column("rule", no_wrap=True)
    for heading in ("lead over the runner-up", "over the k-robot optimum"):
        table.add_column(heading, justify="right")
    for k, rule in rules.items():
        table.add_row(str(k), rule["name"], _lead(rule, "runner_up"), _lead(rule, "equilibrium"))
    return table


def _lead(rule: dict[str, Any], over: str) -> str:
    lead = rule["lead"].get(over)
    return "–" if lead is None else f"{lead['low']:.2f} … {lead['high']:.2f}"


def _policy_table(bundle: PolicyBundle, names: tuple[str, ...] | None) -> Table:
    game = bundle.game
    moves, zones = _moves(game, names), names or [str(zone) for zone in range(game.zones)]
    known = game.priorities * game.types == game.zones  # with types, states are type/zone and priorities zones
    priorities = [zones[p].rpartition("/")[2] if known else str(p) for p in range(game.priorities)]
    table = Table(title="what robots do: zone (row) under priority (column)")
    table.add_column("zone")
    for priority in priorities:
        table.add_column(priority)
    for zone, row in enumerate(bundle.local_policy):
        cells = []
        for law in row:
            best = int(law.argmax())
            cells.append(moves[zone][best] if law[best] > 0.999 else f"{moves[zone][best]} {law[best]:.0%}")
        table.add_row(zones[zone], *cells)
    return table
