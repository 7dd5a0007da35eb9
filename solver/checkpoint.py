"""What a run of several alternations has reached, on disk after every accepted response."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from meanfleet.base.archives import read_arrays
from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.files import replacing


@dataclass(frozen=True, eq=False)
class Stage:
    """Where the alternation from one start stands.

    Attributes:
        start: name of the π_l it began from.
        local_policy: π_l [z, s_g, a].
        table: dispatch [s_g, h].
        trace: J after every accepted response.
        rounds: rounds of the alternation that were begun.
        finished: whether it ended.
        settled: whether it ended because neither player found an improvement.
    """

    start: str
    local_policy: FloatArray
    table: IntArray
    trace: tuple[float, ...]
    rounds: int
    finished: bool
    settled: bool


class Checkpoint:
    """The stages of a run by their start, in one file that is replaced whole; with no path, in memory only.

    Args:
        path: the file; one that is damaged, or belongs to another `key`, counts as none.
        key: names the work: game, k and settings.
    """

    def __init__(self, path: str | os.PathLike[str] | None, key: str) -> None:
        self.path, self.key = None if path is None else Path(path), key
        self.stages: dict[str, Stage] = _read(self.path, key) if self.path is not None else {}

    def note(self, stage: Stage) -> None:
        """Keep a stage, instead of an earlier one from the same start."""
        self.stages[stage.start] = stage
        if self.path is None:
            return
        notes = [[s.start, list(s.trace), s.rounds, s.finished, s.settled] for s in self.stages.values()]
        arrays = {f"policy_{i}": s.local_policy for i, s in enumerate(self.stages.values())}
        arrays |= {f"table_{i}": s.table.astype(np.int32) for i, s in enumerate(self.stages.values())}
        with replacing(self.path) as stream:
            np.savez_compressed(stream, allow_pickle=False, key=np.array(self.key), notes=json.dumps(notes), **arrays)

    def clear(self) -> None:
        """Forget all stages and delete the file."""
        self.stages = {}
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _read(path: Path, key: str) -> dict[str, Stage]:
    try:
        archive = read_arrays(path)
        if str(archive["key"]) != key:
            return {}
        stages = {}
        for i, (start, trace, rounds, finished, settled) in enumerate(json.loads(str(archive["notes"]))):
            table = archive[f"table_{i}"].astype(np.int64)
            stages[start] = Stage(start, archive[f"policy_{i}"], table, tuple(trace), rounds, finished, settled)
        return stages
    except Exception:  # zip, zlib, npy header: a file that a crash of the machine left half-written is no checkpoint
        return {}
