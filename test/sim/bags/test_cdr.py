"""Fields cut out of CDR against rosbags' full decoder."""

from __future__ import annotations

import numpy as np
import pytest
from bag_files import STORE, T, header, pose_message
from hypothesis import given
from hypothesis import strategies as st

from meanfleet.sim.bags.cdr import KINDS, NUMBER, TEXT, cut_fields

POSES = [name for name in KINDS if name.startswith(("geometry", "nav"))]
FINITE = st.floats(allow_nan=False, width=64)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
NANO = st.integers(0, 10**9 - 1)
SECONDS = st.integers(-(2**31), 2**31 - 1)


def cut(payloads: list[bytes], msgtypes: list[str]):
    start = np.cumsum([0, *map(len, payloads)])
    return cut_fields(b"".join(payloads), start, np.array([KINDS[name] for name in msgtypes]))


@given(
    st.lists(
        st.tuples(st.sampled_from(POSES), SECONDS, NANO, FINITE, FINITE, NAMES, NAMES, st.booleans()),
        min_size=1,
        max_size=5,
    )
)  # fmt: skip
def test_poses_are_cut_as_rosbags_decodes_them(messages) -> None:
    """Frame ids of all lengths move the position; both byte orders; several messages in one blob."""
    payloads, types = [], []
    for msgtype, sec, nanosec, x, y, frame, child, little in messages:
        message = pose_message(msgtype, 0.0, x, y, frame, child)
        message.header.stamp.sec, message.header.stamp.nanosec = sec, nanosec
        payloads.append(bytes(STORE.serialize_cdr(message, msgtype, little_endian=little)))
        types.append(msgtype)
    fields = cut(payloads, types)
    assert fields.valid.all()
    for row, (payload, msgtype) in enumerate(zip(payloads, types, strict=True)):
        full = STORE.deserialize_cdr(payload, msgtype)
        position = full.pose.position if hasattr(full.pose, "position") else full.pose.pose.position
        assert fields.xy[row].tolist() == [position.x, position.y]
        assert fields.stamp[row] == full.header.stamp.sec * 10**9 + full.header.stamp.nanosec


@given(NAMES, st.integers(-(2**31), 2**31 - 1), st.booleans())
def test_texts_and_numbers(name: str, number: int, little: bool) -> None:
    types = ["std_msgs/msg/Header", "std_msgs/msg/String", "std_msgs/msg/Int32"]
    messages = [header(1.5, name), T[types[1]](name), T[types[2]](number)]
    payloads = [
        bytes(STORE.serialize_cdr(message, msgtype, little_endian=little))
        for message, msgtype in zip(messages, types, strict=True)
    ]
    fields = cut(payloads, types)
    blob = b"".join(payloads)
    assert fields.valid.all()
    assert [blob[a:b].decode() for a, b in fields.text[:2].tolist()] == [name, name]
    assert fields.number[2] == number
    assert fields.stamp[0] == 1_500_000_000


@pytest.mark.parametrize("msgtype", sorted(KINDS))
def test_every_cut_is_noticed(msgtype: str) -> None:
    """A message that ends before its last field used is not valid, wherever it ends, and nothing beyond it is read."""
    if KINDS[msgtype] == NUMBER:
        message, needed = T[msgtype](5), 8
    elif KINDS[msgtype] == TEXT:
        message, needed = T[msgtype]("zone"), 4 + 4 + 5
    elif msgtype.startswith("std"):
        message, needed = header(1.0, "zone"), 4 + 8 + 4 + 5
    else:
        message = pose_message(msgtype, 1.0, 2.0, 3.0, "map", "base")
        needed = 4 + {"nav_msgs/msg/Odometry": 32, "geometry_msgs/msg/PoseStamped": 16}.get(msgtype, 16) + 24
    whole = bytes(STORE.serialize_cdr(message, msgtype))
    payloads = [whole[:length] for length in range(len(whole) + 1)]
    fields = cut(payloads, [msgtype] * len(payloads))
    # Cut inside the position's z: x and y are there, but the message is damaged all the same.
    assert fields.valid.tolist() == [length >= needed for length in range(len(whole) + 1)]


@given(st.lists(st.tuples(st.binary(max_size=80), st.sampled_from(sorted(KINDS))), min_size=1, max_size=8))
def test_any_bytes_stay_within_their_message(messages) -> None:
    payloads = [payload for payload, _ in messages]
    fields = cut(payloads, [msgtype for _, msgtype in messages])
    end = np.cumsum([len(payload) for payload in payloads])
    valid = fields.valid
    assert (fields.text[valid, 0] <= fields.text[valid, 1]).all()
    assert (fields.text[valid, 1] <= end[valid]).all()
