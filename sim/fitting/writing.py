"""A fitted game as files that `meanfleet solve` takes: a configuration with its counts, or arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from meanfleet.base.errors import UserError
from meanfleet.base.files import replacing, write_json
from meanfleet.config import Config, CountedTransition
from meanfleet.config.counts import write_counts
from meanfleet.solver import Game
from meanfleet.solver.game import GameError
from meanfleet.solver.warehouse import counted_steering, counted_transition, game_of_types, local_reward

from .estimating import Fitted
from .fleet import Parts, summary_of

KINDS = (".yaml", ".yml", ".npz")


def check_target(path: Path, config: Config) -> None:
    """Raise UserError unless the name says what to write, and the configuration's fleet can be written so."""
    if path.suffix not in KINDS:
        raise UserError(f"-o {path}: expected a name that ends in .yaml (a configuration) or .npz (arrays of a game)")
    if path.suffix == ".npz" and config.types:
        raise UserError(f"-o {path}: which robots are of which type stands in no array: write NAME.yaml")


def fitted_game(fitted: Fitted, config: Config) -> Game:
    """The game of a configuration with P_l, and P_g where counted, from the log.

    Raises:
        GameError: a row was never counted and the prior is 0.
    """
    zones, spec = len(config.zones), config.game
    P_l = counted_transition(fitted.counts, fitted.prior, fitted.graph)  # noqa: N806
    known = Game.from_config(config) if spec.file is not None or fitted.steering is None else None
    P_g = counted_steering(fitted.steering, fitted.prior) if fitted.steering is not None else None  # noqa: N806
    if known is not None:
        if known.P_l.shape != P_l.shape:
            raise GameError(f"{spec.file} is a game of shape {known.P_l.shape}, the log counts {P_l.shape}")
        return replace(known, P_l=P_l, P_g=known.P_g if P_g is None else P_g)
    assert P_g is not None
    return Game(
        P_g=P_g,
        P_l=P_l,
        r_g=np.full((zones, zones), spec.r_g),
        r_l=local_reward(fitted.graph, config.zones, spec.r_l),
        discount=spec.discount,
        start_priority=np.full(zones, 1 / zones),
        start_concentration=np.full(zones, spec.start),
        graph=fitted.graph,
    )


def fleet_game(parts: Parts, config: Config) -> Game:
    """The game of a configuration with the laws of all parts; raises GameError as `fitted_game`."""
    if "" in parts:
        return fitted_game(parts[""], config)
    return game_of_types([fitted_game(part, config.of_type(name)) for name, part in parts.items()], config)


def write_game(parts: Parts, config: Config, path: Path, how: dict[str, Any]) -> list[Path]:
    """Write the game and, beside it, NAME.fit.json with all that is known of it; returns the paths.

    A .yaml is the configuration with NAME.counts.yaml, or NAME.TYPE.counts.yaml for every type of robots, in the place
    of its transitions; a .npz holds the game's arrays, which a configuration names under game.file.

    Raises:
        UserError: another kind of file, or it cannot be written.
    """
    check_target(path, config)
    beside = path.with_suffix(".fit.json")
    game = fleet_game(parts, config)
    if path.suffix == ".npz":
        with replacing(path) as stream:
            np.savez_compressed(stream, allow_pickle=False, **game.arrays())
        written = [path]
    else:
        counts = {name: _write_counts(part, config, _counts_path(path, name), how) for name, part in parts.items()}
        written = [*counts.values(), _write_config(parts, counts, config, path)]
    write_json(beside, how | {"game": game.digest} | summary_of(parts))
    return [*written[::-1], beside]


def _counts_path(path: Path, name: str) -> Path:
    return path.with_suffix(f".{name}.counts.yaml" if name else ".counts.yaml")


def _write_counts(fitted: Fitted, config: Config, target: Path, how: dict[str, Any]) -> Path:
    write_counts(target, config, fitted.counts, how, fitted.steering)
    return target


def _write_config(parts: Parts, counts: Mapping[str, Path], config: Config, path: Path) -> Path:
    if config.game.file is not None:
        raise UserError(f"{config.source} names a game of arrays: write the fitted one as .npz")
    counted = {name: CountedTransition(counted=counts[name].name, prior=part.prior) for name, part in parts.items()}
    first = next(iter(parts))
    changed: dict[str, Any] = {} if parts[first].steering is None else {"P_g": counted[first]}
    if "" in parts:
        changed["P_l"] = counted[""]
    types = {name: own.model_copy(update={"P_l": counted[name].model_dump()}) for name, own in config.types.items()}
    game = config.game.model_copy(update=changed)
    body = config.model_copy(update={"game": game, "types": types}).model_dump(mode="json", exclude_none=True)
    if config.floor is not None:  # as it is written: zones with their floor, which tells the ways between them too
        body["zones"] = config.floor.model_dump(mode="json", exclude_none=True)["zones"]
        body.pop("graph", None)
    text = "# Written by `meanfleet fit`: its configuration with transitions counted in a bag.\n"
    text += yaml.safe_dump(body, sort_keys=False, default_flow_style=None, allow_unicode=True)
    with replacing(path) as stream:
        stream.write(text.encode())
    return path
