"""Before the first tick: whether robots that are found can be heard. No ROS.

DDS may know of a publisher seconds before that one knows of the subscriber, and a tick in between would go unanswered.
"""

from __future__ import annotations

from collections.abc import Sequence

AT_MOST = 100  # robots asked: processes connect, and one computer has ports for hardly more of them
PATIENCE = 3.0  # [s, wall] with robots that never told a zone


class Rehearsal:
    """Asks some robots, evenly spread over those found, for any message, however old.

    Args:
        found: names of the robots found.
        began: wall time [s].
    """

    def __init__(self, found: Sequence[str], began: float) -> None:
        count = min(len(found), AT_MOST)
        self.asked = tuple(found[i * len(found) // count] for i in range(count))
        self.silent = set(self.asked)
        self._end = began + PATIENCE

    def hear(self, robot: str) -> None:
        """A robot asked has told something."""
        self.silent.discard(robot)

    def done(self, now: float) -> bool:
        """Whether all asked were heard, or the time is up."""
        return not self.silent or now >= self._end
