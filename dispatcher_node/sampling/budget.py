"""A budget of polls per minute instead of a fixed k: a token bucket."""

from __future__ import annotations

import math


class Budget:
    """Tokens come in at a steady rate; a poll takes one.

    Args:
        per_tick: tokens per tick, any positive number.
        limit: robots; more tokens are not kept.
    """

    def __init__(self, per_tick: float, limit: int) -> None:
        self.per_tick, self.limit, self.tokens = per_tick, limit, 0.0

    def take(self) -> int:
        """Robots that a new tick may poll: all whole tokens."""
        self.tokens = min(self.tokens + self.per_tick, float(self.limit))
        # Twenty times 0.05 is one poll, not a hair less.
        whole = max(math.floor(self.tokens + 1e-9), 0)
        self.tokens -= whole
        return whole

    def spend(self, polls: int) -> None:
        """Replacements are polls too: paid now, or owed by the next ticks."""
        self.tokens -= polls
