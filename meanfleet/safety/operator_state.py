"""What operators did to a node at run time, in a file that outlives its process. No ROS.

Kept before it is acknowledged: emergency stops, parameters that were set between ticks, and whether robots were sent
goals outside of mode shadow.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from meanfleet.base.errors import UserError
from meanfleet.base.files import write_json

from .stop import Word

KEEP_NONE = "none"
"""As a folder: nothing is kept."""


def state_file(folder: str, node: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """File of a node's state; None: it keeps none.

    Args:
        folder: of the state of all nodes; empty: under XDG_STATE_HOME, by ROS domain.
        node: full name, such as /site_a/dispatcher.
        environment: variables of the process.
    """
    if folder == KEEP_NONE:
        return None
    if folder:
        base = Path(folder).expanduser()
    else:
        home = environment.get("XDG_STATE_HOME") or f"{environment.get('HOME') or '~'}/.local/state"
        base = Path(home).expanduser() / "meanfleet" / f"domain_{environment.get('ROS_DOMAIN_ID') or '0'}"
    return base / f"{node.strip('/')}.json"


class OperatorState:
    """Reads the file once and writes it whole at every change.

    Args:
        path: of the file, which need not exist; None: nothing is kept.

    Raises:
        UserError: the file is damaged.

    Attributes:
        settings: values of parameters set at run time, by name.
        stops: what is known of emergency stops, by key (`meanfleet.safety.stop`).
        drove: whether robots were sent goals outside of mode shadow.
        found: whether there was a file.
        wrong: why the latest change was not kept; empty if it was.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.settings: dict[str, Any] = {}
        self.stops: dict[str, Word] = {}
        self.drove = self.found = False
        self.wrong = ""
        if path is None:
            return
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        except OSError as error:
            raise UserError(f"state file {path} cannot be read ({error.strerror}): mend its rights") from None
        except ValueError as error:
            raise self._damaged(error) from None
        self._read(text)

    def _read(self, text: str) -> None:
        try:
            state = json.loads(text)
            self.settings = dict(state["settings"])
            self.stops = {str(key): Word.read(word) for key, word in state["stops"].items()}
            self.drove, self.found = bool(state["drove"]), True
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> UserError:
        return UserError(
            f"state file {self.path} is damaged ({error}): remove it once you know that no emergency stop is on; "
            "it held stops and settings made at run time"
        )

    def set(self, name: str, value: Any) -> None:
        """Keep a parameter's value; None: it is as configured again."""
        before = dict(self.settings)
        if value is None:
            self.settings.pop(name, None)
        else:
            self.settings[name] = list(value) if isinstance(value, (tuple, list)) else value
        if self.settings != before:
            self.write()

    def write(self) -> None:
        """Write what is known now; a failure is in `wrong`, for a node goes on without its memory."""
        if self.path is None:
            return
        state = {
            "settings": self.settings,
            "stops": {key: asdict(word) for key, word in self.stops.items()},
            "drove": self.drove,
        }
        try:
            write_json(self.path, state)
            self.wrong = ""
        except (UserError, OSError) as error:
            self.wrong = f"state is not kept in {self.path}: a restart would forget it ({error})"
