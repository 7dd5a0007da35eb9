"""The file in which a dispatcher keeps its state, for itself alone. No ROS."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from meanfleet.base.errors import UserError
from meanfleet.base.files import write_json


class Checkpoint:
    """Reads and writes a state; a lock beside the file, which dies with the process, keeps a second dispatcher out.

    Args:
        path: of the file; its folder must exist.

    Raises:
        UserError: the folder cannot be written, or a running dispatcher holds the file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock: int | None = None
        lock = self.path.with_name(self.path.name + ".lock")
        try:
            self._lock = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise UserError(
                f"checkpoint {path} belongs to a dispatcher that is running: stop it, or give this one another file"
            ) from None
        except OSError as error:
            self.close()
            raise UserError(f"checkpoint {path} cannot be written: {error.strerror}") from None

    def read(self) -> dict[str, Any] | None:
        """The state kept, or None if there is none yet.

        Raises:
            ValueError or OSError: the file is damaged or unreadable.
        """
        if not self.path.exists():
            return None
        state = json.loads(self.path.read_text())
        if not isinstance(state, dict):
            raise ValueError("it holds no state")
        return state

    def write(self, state: Mapping[str, Any]) -> str:
        """Keep a state in the place of the last; returns what went wrong in one sentence, or nothing.

        A dispatcher goes on without: its robots need it more than its memory.
        """
        try:
            write_json(self.path, dict(state))
        except (UserError, OSError) as error:
            return f"checkpoint {self.path} was not written, so a restart would resume an older tick: {error}"
        return ""

    def close(self) -> None:
        """Let another dispatcher have the file."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
