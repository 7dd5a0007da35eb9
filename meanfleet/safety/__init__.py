"""Who may move robots, and when: what dispatcher and robots share. No ROS outside of `node.py`."""

from __future__ import annotations

from .exclusion import excluded
from .modes import MODES, SHADOW, Mode
from .operator_state import KEEP_NONE, OperatorState, state_file
from .stop import Stop, Word

__all__ = ["KEEP_NONE", "MODES", "SHADOW", "Mode", "OperatorState", "Stop", "Word", "excluded", "state_file"]
