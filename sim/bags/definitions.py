"""Definitions of the standard messages; apart, so that the recorder starts without what reading needs."""

from __future__ import annotations

from functools import cache
from typing import Any

from rosbags.typesys import Stores, get_typestore


@cache
def typestore() -> Any:
    """Definitions of the standard messages of the latest ROS that rosbags knows."""
    return get_typestore(Stores.LATEST)
