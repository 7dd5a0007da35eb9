"""Proven bounds, written for people."""

from __future__ import annotations

import math


def gap_text(bound: float) -> str:
    """An upper bound for people: two decimals, rounded up, from 0.01 on."""
    return f"{bound:.1e}" if bound < 0.01 else f"{math.ceil(100 * bound * (1 - 1e-12)) / 100:.2f}"
