"""A policy for a configuration that names none: solved once, kept in the user's cache."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from meanfleet.bundle import PolicyBundle
from meanfleet.config import Config
from meanfleet.dispatcher_node.observers import check_observer
from meanfleet.errors import UserError
from meanfleet.solver import Game, solve


def cached_policy(config: Config, k: int, observer: str = "memoryless") -> Path:
    """Path of a bundle for the configuration's game with a table for k, which the observer can run.

    Solves the game if there is none yet.
    """
    game = Game.from_config(config)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meanfleet"
    path = cache / f"{game.digest[:16]}-k{k}.npz"
    if path.exists():
        try:
            bundle = PolicyBundle.load(path, game)
            bundle.require_k(k)
            check_observer(observer, bundle)
            return path
        except UserError:
            pass  # damaged or of an older version: solved anew
    print(f"solving the game for k = {k} (once; kept as {path})", file=sys.stderr, flush=True)
    solve(game, k, n=len(config.robots), settings=config.solver).save(path)
    return path
