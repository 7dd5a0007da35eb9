"""Runs wrong inputs through a loader: each is read or refused in one sentence, within bounds of time and memory."""

from __future__ import annotations

import resource
import signal
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np

from meanfleet.base.errors import UserError

from .loaders import Loader

PATIENCE = 30  # [s] for one input, on a busy machine: beyond, it hangs
ROOM = 4 << 30  # [byte] of addresses beyond what the process has
LONGEST = 3000  # letters of a sentence


class Hang(BaseException):
    """Not an Exception, which a loader might take for damage."""


@contextmanager
def bounds() -> Iterator[None]:
    """Bounded time and memory for one input."""

    def late(number: int, frame: FrameType | None) -> None:
        raise Hang

    before, soft = signal.signal(signal.SIGALRM, late), resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, soft[1]))
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, soft)


def trouble(loader: Loader, data: bytes, folder: Path) -> str | None:
    """What is wrong with how one input is taken; None: it was read, or refused in one sentence."""
    path = folder / loader.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    try:
        with bounds(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loader.load(path)
    except UserError as error:
        text = str(error)
        return None if text.strip() and "\n" not in text and len(text) < LONGEST else f"no sentence: {text[:200]!r}"
    except (Exception, Hang):
        return traceback.format_exc(limit=-6)
    return None


def failures(name: str, loader: Loader, seeds: range, folder: Path) -> list[str]:
    """What went wrong, with the seed that makes the input again."""
    found = []
    for seed in seeds:
        data = loader.make(np.random.default_rng([seed, *name.encode()]))
        wrong = trouble(loader, data, folder / str(seed))
        if wrong is not None:
            found.append(f"{name}, seed {seed}: {wrong}")
    return found
