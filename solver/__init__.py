"""The games and how they are solved: arrays in, policies out. No ROS, no PyBullet.

`Game`, `GameError` and the histograms need numpy alone; everything compiled is imported on first use,
so that a robot can load a policy bundle without numba.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .game import Game, GameError

if TYPE_CHECKING:
    from .solving import solve

__all__ = ["Game", "GameError", "solve"]


def __getattr__(name: str) -> Any:
    if name == "solve":
        from .solving import solve

        return solve
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
