"""A policy for a configuration that names none: solved once, kept in the user's cache."""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.connection import Connection
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
    _solve_aside(config, k, path)
    return path


def _solve_aside(config: Config, k: int, path: Path) -> None:
    """Solve in a process of its own: this one obeys signals meanwhile, which compiled code would keep waiting.

    Raises:
        UserError: the game cannot be solved as configured.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    solver = context.Process(target=_solve, args=(config, k, path, theirs), daemon=True)
    solver.start()
    theirs.close()
    try:
        mistake = ours.recv()
    except EOFError:
        raise RuntimeError(f"solving for k = {k} failed: see above") from None
    finally:
        solver.kill()
        solver.join()
    if mistake:
        raise UserError(mistake)


def _solve(config: Config, k: int, path: Path, told: Connection) -> None:
    try:
        solve(Game.from_config(config), k, n=len(config.robots), settings=config.solver).save(path)
        told.send("")
    except UserError as error:
        told.send(str(error))
    except KeyboardInterrupt:
        pass  # the parent got it too, and says what is to be said
