"""Where units run, through joblib: processes of this machine, or the workers of a Dask cluster."""

from __future__ import annotations

import importlib
import os
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import joblib

import meanfleet
from meanfleet.base.errors import UserError, suggestion

BACKENDS = ("processes", "dask")
CONNECT = 10.0  # [s]
IDLE = 24 * 3600.0  # [s] a worker waits for the other chain's units: ending it early only brings joblib's warning
# Units differ in length by orders of magnitude: one at a time, whatever is done first comes back first.
OPTIONS: dict[str, Any] = {"return_as": "generator_unordered", "batch_size": 1, "verbose": 0}


@contextmanager
def pool(
    backend: str, workers: int | None = None, scheduler: str | None = None, connect: float = CONNECT
) -> Iterator[joblib.Parallel]:
    """A `joblib.Parallel` that yields results as they come and keeps its workers between calls.

    Args:
        backend: processes or dask.
        workers: processes (default: the cores this process may use); a Dask cluster has its own.
        scheduler: address of the Dask scheduler, such as tcp://127.0.0.1:8786.
        connect: [s] to reach the scheduler, and for a worker to be there.

    Raises:
        UserError: unknown backend, or a Dask cluster that is not there or runs another meanfleet.
    """
    if backend not in BACKENDS:
        raise UserError(f"backend {backend!r} is unknown: expected processes or dask{suggestion(backend, BACKENDS)}")
    if (backend == "dask") != (scheduler is not None):
        raise UserError("--backend dask and --scheduler ADDRESS go together")
    if scheduler is not None and workers is not None:
        raise UserError("--workers is for processes of this machine: a Dask cluster has as many as were started")
    with _processes(workers) if scheduler is None else _dask(scheduler, connect) as parallel:
        yield parallel


@contextmanager
def _processes(workers: int | None) -> Iterator[joblib.Parallel]:
    count = workers or len(os.sched_getaffinity(0))
    with (
        warnings.catch_warnings(),
        joblib.parallel_config(
            backend="loky",
            n_jobs=count,
            inner_max_num_threads=1,
            idle_worker_timeout=IDLE,
            initializer=leave_with,
            initargs=(os.getpid(),),
        ),
        joblib.Parallel(**OPTIONS, max_nbytes=None) as parallel,
    ):
        # A worker whose memory has grown, as it does with k, is replaced between units: nothing a user need hear of.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
        yield parallel


def leave_with(parent: int) -> None:
    """End this process soon after the one that started it, `parent`: a sweep that is killed leaves nothing running."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _dask(scheduler: str, connect: float) -> Iterator[joblib.Parallel]:
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise UserError('Dask is not installed: pip install "meanfleet[dask]"') from None
    try:
        client = distributed.Client(scheduler, timeout=connect, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"no Dask scheduler answers at {scheduler}: {reason}") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=connect)
        except TimeoutError:
            raise UserError(f"the Dask cluster at {scheduler} has no workers: start some with 'dask worker'") from None
        _check_workers(client, scheduler)
        backend = {"client": client, "wait_for_workers_timeout": connect}
        with joblib.parallel_config(backend="dask", n_jobs=-1, **backend), joblib.Parallel(**OPTIONS) as parallel:
            yield parallel


def _check_workers(client: Any, scheduler: str) -> None:
    def version() -> str | None:  # a local function travels as its code: it runs where meanfleet cannot be imported
        try:
            return str(importlib.import_module("meanfleet").__version__)
        except ImportError:
            return None

    for worker, found in client.run(version).items():
        if found != meanfleet.__version__:
            what = "lacks meanfleet" if found is None else f"runs meanfleet {found}"
            raise UserError(f"Dask worker {worker} of {scheduler} {what}: install {meanfleet.__version__} there")
