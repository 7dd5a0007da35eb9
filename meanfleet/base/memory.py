"""Memory that was freed, given back to the system."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Have the C library return what it keeps of freed memory, where it can (glibc).

    It grows its heap for large blocks that come and go, such as a policy's tables, and keeps what lies between two that
    stay: a node that lives for months and is given a new policy now and then would never shrink.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
