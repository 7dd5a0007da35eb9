"""The three modes of a node.

shadow    decides and tells, on topics of its own (`priority_zone/shadow`, `<robot>/goal_pose/shadow`); nobody is moved
advise    the dispatcher publishes the priority; robots act on it once an operator has confirmed it
run       robots act on the priority
"""

from __future__ import annotations

from typing import Literal, get_args

Mode = Literal["shadow", "advise", "run"]
MODES: tuple[Mode, ...] = get_args(Mode)
SHADOW = "/shadow"
"""After the name of a topic: what would have been published there."""
