"""meanfleet: a fleet dispatcher that polls k robots instead of n."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

from meanfleet.base.kernel_cache import provide_cache

_MANIFEST = Path(__file__).resolve().parent.parent / "package.xml"  # of a checkout, installed or not


def _version() -> str:
    if _MANIFEST.is_file():
        found = re.search(r"<version>([^<]+)</version>", _MANIFEST.read_text(encoding="utf-8"))
        if found is not None:
            return found.group(1)
    return version("meanfleet")


__version__ = _version()

provide_cache()  # before anything imports a kernel
