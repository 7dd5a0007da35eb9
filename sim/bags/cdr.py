"""The few fields that zones come from, cut out of CDR messages without decoding the rest.

A message is four bytes of encapsulation, of which the second says the byte order, then its fields, each aligned to its
size from the first field on (OMG DDS-XTypes 7.4.3, encoding version 1). All messages here but String and Int32 begin
with std_msgs/Header: int32 seconds, uint32 nanoseconds, string frame_id (uint32 length with the final zero, bytes).
A pose's position, three float64, follows after as many further strings as the type has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

HEADER, POSE, NAMED_POSE, TEXT, NUMBER = range(5)

KINDS = {
    "std_msgs/msg/Header": HEADER,
    "geometry_msgs/msg/PoseStamped": POSE,
    "geometry_msgs/msg/PoseWithCovarianceStamped": POSE,
    "nav_msgs/msg/Odometry": NAMED_POSE,
    "std_msgs/msg/String": TEXT,
    "std_msgs/msg/Int32": NUMBER,
}
"""Message types that can tell a zone."""

STAMPED = (HEADER, POSE, NAMED_POSE)
POSES = (POSE, NAMED_POSE)
_NO_FIELD = -1


@dataclass(frozen=True)
class Fields:
    """What was cut out of each message.

    Attributes:
        valid: bool [message]: it was long enough for its fields.
        stamp: int64 [message], in [ns]: of the header; 0 where there is none.
        xy: float64 [message, 2], in [m]: the position; NaN where there is none.
        text: int64 [message, 2]: begin and end in the blob of frame_id or a String's text.
        number: int64 [message]: an Int32's value.
    """

    valid: NDArray[np.bool_]
    stamp: NDArray[np.int64]
    xy: NDArray[np.float64]
    text: NDArray[np.int64]
    number: NDArray[np.int64]


def cut_fields(blob: bytes, start: NDArray[np.int64], kind: NDArray[np.int64]) -> Fields:
    """Cut the fields of messages of kinds [message] out of a blob in which they begin at `start` [message + 1]."""
    count = len(kind)
    found = Fields(
        np.zeros(count, dtype=np.bool_),
        np.zeros(count, dtype=np.int64),
        np.full((count, 2), np.nan),
        np.zeros((count, 2), dtype=np.int64),
        np.zeros(count, dtype=np.int64),
    )
    data = np.frombuffer(blob, dtype=np.uint8)
    _cut(data, start, kind, found.valid, found.stamp, found.xy.view(np.int64), found.text, found.number)
    return found


@njit(cache=True)
def _cut(data: Any, start: Any, kind: Any, valid: Any, stamp: Any, bits: Any, text: Any, number: Any) -> None:
    """Fill `valid`, `stamp`, `bits` (of the position's float64), `text` and `number`."""
    for i in range(len(kind)):
        origin, end = start[i] + 4, start[i + 1]
        if end - origin < 4 or data[start[i]] != 0 or data[start[i] + 1] > 1:
            continue
        little = data[start[i] + 1] == 1
        if kind[i] == NUMBER:
            number[i], valid[i] = _signed(_word(data, origin, little)), True
            continue
        at = origin
        if kind[i] != TEXT:
            if end - origin < 8:
                continue
            seconds = _signed(_word(data, origin, little))
            stamp[i] = seconds * 1_000_000_000 + _word(data, origin + 4, little)
            at = origin + 8
        at = _string(data, origin, at, end, little, text[i])
        if kind[i] == NAMED_POSE and at != _NO_FIELD:
            at = _skipped(data, origin, at, end, little)
        if at == _NO_FIELD:
            continue
        if kind[i] == POSE or kind[i] == NAMED_POSE:
            at = origin + (at - origin + 7) // 8 * 8
            if at + 24 > end:
                continue
            for axis in range(2):
                first, second = _word(data, at + 8 * axis, little), _word(data, at + 8 * axis + 4, little)
                bits[i, axis] = (second << 32 | first) if little else (first << 32 | second)
        valid[i] = True


@njit(cache=True)
def _string(data: Any, origin: Any, at: Any, end: Any, little: Any, text: Any) -> Any:
    """Where the string after `at` ends, or _NO_FIELD; `text` is mutated: begin and end of it without the final zero."""
    after = _skipped(data, origin, at, end, little)
    if after != _NO_FIELD:
        begin = origin + (at - origin + 3) // 4 * 4 + 4
        text[0], text[1] = begin, max(after - 1, begin)
    return after


@njit(cache=True)
def _skipped(data: Any, origin: Any, at: Any, end: Any, little: Any) -> Any:
    """Where the string after `at` ends, or _NO_FIELD."""
    at = origin + (at - origin + 3) // 4 * 4
    if at + 4 > end:
        return _NO_FIELD
    after = at + 4 + _word(data, at, little)
    return after if after <= end else _NO_FIELD


@njit(cache=True)
def _word(data: Any, at: Any, little: Any) -> Any:
    """Four bytes as an unsigned number, int64."""
    value = np.int64(0)
    for j in range(4):
        value = value << 8 | np.int64(data[at + 3 - j] if little else data[at + j])
    return value


@njit(cache=True)
def _signed(word: Any) -> Any:
    """The same four bytes as a signed number."""
    return word - 2**32 if word >= 2**31 else word
