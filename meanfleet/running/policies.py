"""A policy for a configuration that names none: solved once, kept in the user's cache."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.dispatcher_node.observers import check_observer
from meanfleet.solver import Game, solve
from meanfleet.solver.bundle.policy import PolicyBundle


def cached_policy(config: Config, k: int, observer: str = "memoryless") -> Path:
    """Path of a bundle for the configuration's game with a table for k, its robots' policy chosen for the observer.

    Solves the game if there is none yet.
    """
    game = Game.from_config(config)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meanfleet"
    remembers = observer != "memoryless"
    path = cache / f"{game.digest[:16]}-k{k}{'-dirichlet' * remembers}.npz"
    if path.exists():
        try:
            bundle = PolicyBundle.load(path, game)
            bundle.require_k(k)
            check_observer(observer, bundle)
            return path
        except UserError:
            pass  # damaged or of an older version: solved anew
    print(f"solving the game for k = {k} (once; kept as {path})", file=sys.stderr, flush=True)
    _solve_aside(config, k, "dirichlet" if remembers else "memoryless", path)
    return path


def _solve_aside(config: Config, k: int, observer: str, path: Path) -> None:
    """Solve in a process of its own: this one obeys signals meanwhile, which compiled code would keep waiting.

    Raises:
        UserError: the game cannot be solved as configured.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    solver = context.Process(target=_solve, args=(config, k, observer, path, theirs), daemon=True)
    try:
        with _signals_later():  # a process that is not given all it needs to start would complain
            solver.start()
        theirs.close()
        mistake = ours.recv()
    except EOFError:
        raise RuntimeError(f"solving for k = {k} failed: see above") from None
    finally:
        if solver.pid is not None:
            solver.kill()
            solver.join()
    if mistake:
        raise UserError(mistake)


@contextmanager
def _signals_later() -> Iterator[None]:
    """Obey SIGINT and SIGTERM after what is inside, in the main thread, where they are obeyed at all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.signal(number, lambda number, _: came.append(number)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)
    for one in came:
        signal.raise_signal(one)


def _solve(config: Config, k: int, observer: str, path: Path, told: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it too, and ends this process
    try:
        solve(Game.from_config(config), k, n=len(config.robots), settings=config.solving(observer)).save(path)
        told.send("")
    except UserError as error:
        told.send(str(error))
