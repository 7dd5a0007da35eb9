"""The folder of a run: what an earlier run left there is kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from meanfleet.base.errors import UserError
from meanfleet.base.files import writable_folder

from .record import LOG

OF_A_RUN = (LOG, "summary.json", "logs")


def run_folder(path: str | os.PathLike[str]) -> Path:
    """The folder for a new run, made if needed; an earlier run's files move to the first free run-1, run-2, ... in it.

    So a fleet that is started again with the same command is never refused, and loses nothing.

    Raises:
        UserError: it cannot be written to.
    """
    folder = writable_folder(path).resolve()
    earlier = [folder / name for name in OF_A_RUN if (folder / name).exists()]
    if folder / LOG not in earlier:
        return folder
    number = next(i for i in range(1, sys.maxsize) if not (folder / f"run-{i}").exists())
    kept = folder / f"run-{number}"
    try:
        kept.mkdir()
        for file in earlier:
            file.rename(kept / file.name)
    except OSError as error:
        raise UserError(
            f"cannot keep the earlier run of {folder} in {kept}: {error.strerror}; choose another with -o"
        ) from error
    print(f"meanfleet: {folder} holds a run already, kept as {kept}", file=sys.stderr, flush=True)
    return folder
