"""Who may move robots, and when: what dispatcher and robots share. No ROS outside of `node.py`."""

from __future__ import annotations

from .exclusion import excluded
from .modes import MODES, SHADOW, Mode
from .stop import QUIET, Stop

__all__ = ["MODES", "QUIET", "SHADOW", "Mode", "Stop", "excluded"]
