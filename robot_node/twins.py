"""Robots that a second robot node has too: both would send them goals. No ROS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

NAMED = 3  # robots named at most


class Twins:
    """Remembers since when robots have several nodes.

    Args:
        lease: [s, wall] after which a killed node has left the graph: until then a second one may be a ghost.
    """

    def __init__(self, lease: float) -> None:
        self._lease = lease
        self._since: dict[str, float] = {}
        self._wall = 0.0
        self.nodes: dict[str, list[str]] = {}  # by robot, of those that have several

    def look(self, nodes: Mapping[str, Sequence[str]], wall: float) -> None:
        """Take in which nodes report the zone of each robot that has several, at `wall` [s, any monotonic clock]."""
        self.nodes = {name: sorted(found) for name, found in nodes.items() if len(found) > 1}
        self._since = {name: self._since.get(name, wall) for name in self.nodes}
        self._wall = wall

    @property
    def level(self) -> str:
        """ok; warn: there are some, of which one may be a ghost; error: they are there for longer than any ghost."""
        if not self._since:
            return "ok"
        return "error" if self._wall - min(self._since.values()) > self._lease else "warn"

    @property
    def text(self) -> str:
        """In one line; empty if every robot has one node."""
        if not self.nodes:
            return ""
        some = ", ".join(list(self.nodes)[:NAMED])
        more = f" and {len(self.nodes) - NAMED} more" if len(self.nodes) > NAMED else ""
        both = " and ".join(next(iter(self.nodes.values())))
        ghost = "" if self.level == "error" else f"; one killed less than {self._lease:.0f} s ago may still be listed"
        return f"more than one node has {some}{more}: {both} send goals to the same robot, so end all but one{ghost}"
