"""Where the package's own files are: in a checkout, beside a pip install, or in a ROS 2 install space."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .errors import UserError


def config_file(name: str) -> Path:
    """Path of a configuration that comes with the package, such as `demo.yaml`.

    Raises:
        UserError: it is nowhere.
    """
    roots = [Path(__file__).resolve().parents[2]]
    prefixes = [Path(sys.prefix), *(Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p)]
    roots += [prefix / "share" / "meanfleet" for prefix in prefixes]
    for root in roots:
        if (root / "config" / name).is_file():
            return root / "config" / name
    raise UserError(f"the configuration {name} that comes with meanfleet was not found: name one with config:=FILE")
