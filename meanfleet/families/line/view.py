"""What `meanfleet inspect` shows of policies of robots on a line."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.table import Table

from meanfleet.solver.continuous.networks import Layers

from .bundle import ContinuousBundle

PLACES = 9  # shown of the line


def describe_line(bundle: ContinuousBundle) -> dict[str, Any]:
    """What a line's bundle holds beside its game, as plain values."""
    networks = {name: sizes(layers) for name in ("dispatcher", "robots") if (layers := getattr(bundle, name))}
    return {"line": bundle.line.model_dump(mode="json"), "slack": bundle.slack, "networks": networks}


def sizes(layers: Layers) -> list[int]:
    """Units of a network, from its inputs to its outputs."""
    return [layers[0][0].shape[0], *(biases.shape[0] for _, biases in layers)]


def show_line(bundle: ContinuousBundle) -> list[str | Table]:
    """What is known of the policies, and what robots do, to be printed."""
    line = bundle.line
    robots, dispatcher = bundle.robots, bundle.dispatcher
    rule = f"towards the priority while they are further away than {bundle.slack:g}"
    return [
        f"robots on a line from {-line.limit:g} to {line.limit:g}: targets {_listed(line.targets)}, "
        f"moves {_listed(line.moves)}, γ = {line.discount}",
        f"robots: {rule if robots is None else _network(robots)}",
        f"dispatcher without memory: {'tables' if dispatcher is None else _network(dispatcher)}",
        _tables(bundle),
        _moves(bundle),
    ]


def _network(layers: Layers) -> str:
    return "network, " + " × ".join(map(str, sizes(layers)))


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _tables(bundle: ContinuousBundle) -> Table:
    table = Table(title="a dispatcher without memory")
    for heading in ("k", "return"):
        table.add_column(heading, justify="right")
    for k, certificate in bundle.certificate.items():
        fleet = certificate.get("fleet")
        table.add_row(str(k), f"{fleet['mean']:.2f} ± {fleet['error']:.2f}" if fleet else "–")
    return table


def _moves(bundle: ContinuousBundle) -> Table:
    table = Table(title="how far robots go: from a place (row) under a priority at (column)")
    table.add_column("", justify="right")
    for target in bundle.line.targets:
        table.add_column(f"{target:g}", justify="right")
    places = np.linspace(-bundle.line.limit, bundle.line.limit, PLACES)
    far = np.stack([np.asarray(bundle.line.moves)[bundle.moves(places, s)] for s in bundle.line.targets], axis=1)
    for place, row in zip(places.tolist(), far.tolist(), strict=True):
        table.add_row(f"{place:g}", *(f"{value:+g}" if value else "stay" for value in row))
    return table
