"""Memory comes back from the heap, in a process of its own: this one's heap holds what other tests left."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

COMB = """
from pathlib import Path
from meanfleet.base.memory import give_back

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

small = [bytearray(50_000) for _ in range(2000)]  # below what the C library maps by itself
teeth = small[::20]
full = resident()
del small
kept = resident()
give_back()
print(full, kept, resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are not asked")
def test_what_was_freed_between_blocks_that_stay_goes_back() -> None:
    told = subprocess.run([sys.executable, "-c", COMB], capture_output=True, text=True, timeout=60, check=True).stdout
    full, kept, left = map(int, told.split())
    freed = 1900 * 50_000
    assert full - kept < 0.1 * freed, "freed, but not given back"
    assert full - left > 0.8 * freed
