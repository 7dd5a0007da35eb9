"""Running compiled work that releases the GIL on all processors this process may use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numba


def run_all(tasks: Iterable[Callable[[], None]]) -> None:
    """Run all tasks, on `numba.get_num_threads()` threads; the first exception is raised, and the rest not begun.

    NUMBA_NUM_THREADS limits the threads, as it does for numba itself; joblib's workers set it.
    """
    todo = list(tasks)
    threads = min(numba.get_num_threads(), len(todo))
    if threads <= 1:
        for task in todo:
            task()
        return
    futures = [_pool(os.getpid(), threads).submit(task) for task in todo]
    try:
        for future in futures:
            future.result()
    except BaseException:  # an interrupt above all: what has not begun is left undone
        for future in futures:
            future.cancel()
        raise


@lru_cache(maxsize=4)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """One pool per process: threads do not survive a fork."""
    return ThreadPoolExecutor(threads, thread_name_prefix=f"solver-{process}")
