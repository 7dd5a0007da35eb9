"""What a robot node that cannot act yet says it waits for. No ROS."""

from __future__ import annotations

from collections.abc import Sequence

NAMED = 3  # topics named at most


def awaited(clock: bool, silent: Sequence[str], priority: bool) -> str:
    """In one line what was never heard, or never of use; empty if nothing is missing.

    Args:
        clock: whether there is a time.
        silent: topics of poses on which nothing usable has come: numbers, in a frame that is known.
        priority: whether a priority has come.
    """
    parts = [] if clock else ["the clock (use_sim_time is set, so somebody has to publish /clock)"]
    if silent:
        more = f" and {len(silent) - NAMED} more" if len(silent) > NAMED else ""
        parts.append(f"usable poses on {', '.join(silent[:NAMED])}{more}")
    if not priority:
        parts.append("a priority (of an active dispatcher)")
    return "; ".join(parts)
