"""Wrong files for every loader, more than the test run has time for: each is read, or refused in one sentence.

    python bench/fuzz.py [--quick] [--long] [--first SEED] [--only LOADER] [--json FILE]

200 inputs per loader with --quick, 2,000 as it is, 20,000 with --long; by the generators of test/fuzz/. What is printed
of a failure is the seed that makes its input again. Exit code 1 if there was one.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "test")]

from fuzz.loaders import Loader, loaders  # noqa: E402
from fuzz.running import failures  # noqa: E402

BLOCK = 50  # inputs per folder


def measured(name: str, loader: Loader, seeds: range) -> dict[str, Any]:
    """Failures of one loader, and the seconds per input."""
    found: list[str] = []
    began = time.perf_counter()
    for first in range(seeds.start, seeds.stop, BLOCK):
        block = range(first, min(first + BLOCK, seeds.stop))
        with TemporaryDirectory(prefix="meanfleet-fuzz-") as folder, contextlib.redirect_stdout(io.StringIO()):
            found += failures(name, loader, block, Path(folder))
    return {"inputs": len(seeds), "failures": found, "seconds": (time.perf_counter() - began) / len(seeds)}


def main() -> int:
    """Print a table, and failures with their seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--first", type=int, default=1_000_000, help="seed; the test run's begin at 0")
    parser.add_argument("--only", help="one loader")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    count = 20_000 if options.long else 200 if options.quick else 2_000
    results: dict[str, Any] = {}
    print(f"{'loader':>24} {'inputs':>7} {'failures':>9} {'ms per input':>13}")
    for name, loader in loaders().items():
        if options.only in (None, name):
            results[name] = one = measured(name, loader, range(options.first, options.first + count))
            print(f"{name:>24} {one['inputs']:>7} {len(one['failures']):>9} {1000 * one['seconds']:>13.1f}", flush=True)
            for text in one["failures"][:5]:
                print(text, file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return int(any(one["failures"] for one in results.values()))


if __name__ == "__main__":
    sys.exit(main())
