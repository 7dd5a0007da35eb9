"""Whose zones are listened to: a tick's robots', or everybody's all the time if all are polled. No ROS."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any


class Lines:
    """Subscriptions by robot.

    Args:
        subscribe: (robot, callback of a message) to a subscription.
        unsubscribe: ends one.
        deliver: takes (robot, its latest message, how many came since the last delivery, 0 if it is still the same).
    """

    def __init__(
        self,
        subscribe: Callable[[str, Callable[[Any], None]], Any],
        unsubscribe: Callable[[Any], Any],
        deliver: Callable[[str, Any, int], None],
    ) -> None:
        self._subscribe, self._unsubscribe, self._deliver = subscribe, unsubscribe, deliver
        self._open: dict[str, Any] = {}
        self._latest: dict[str, tuple[Any, int]] = {}  # and how many came since the last delivery
        self._gathering = False

    def ask(self, robots: Iterable[str]) -> None:
        """Listen to these robots as well; of those already listened to, deliver what they said last."""
        self._gathering = True
        for robot in robots:
            if robot not in self._open:
                self._open[robot] = self._subscribe(robot, partial(self._take, robot))
            elif robot in self._latest:
                message, count = self._latest[robot]
                self._latest[robot] = (message, 0)
                self._deliver(robot, message, count)

    def end(self, keep: bool) -> None:
        """End a tick's gathering; `keep` the subscriptions for the next one."""
        self._gathering = False
        if not keep:
            self.close()

    def close(self) -> None:
        """Listen to nobody."""
        for subscription in self._open.values():
            self._unsubscribe(subscription)
        self._open, self._latest = {}, {}

    def _take(self, robot: str, message: Any) -> None:
        if self._gathering:
            self._latest[robot] = (message, 0)
            self._deliver(robot, message, 1)
        else:
            self._latest[robot] = (message, self._latest.get(robot, (None, 0))[1] + 1)
