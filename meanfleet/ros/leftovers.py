"""What killed processes leave in shared memory, and would stop the next one.

Fast DDS keeps a file per port in `/dev/shm`. A process that is killed while it makes one leaves it empty, and whoever
opens it then waits for ever for the rest: a node that is started again never gets beyond its creation.
"""

from __future__ import annotations

import time
from pathlib import Path

SHARED = Path("/dev/shm")
GRACE = 2.0  # [s, wall] a file may stay empty while its maker lives: it takes microseconds
LOCKS = ("_el", "_sl")  # files that are always empty


def clear_half_made(folder: Path = SHARED) -> list[str]:
    """Remove the empty segments and ports of Fast DDS in `folder`; returns their names.

    Those of other users cannot be removed and are left.
    """
    removed = []
    for path in sorted(folder.glob("fastdds_*")):
        try:
            found = path.stat()
            if found.st_size == 0 and not path.name.endswith(LOCKS) and time.time() - found.st_mtime > GRACE:
                path.unlink()
                removed.append(path.name)
        except OSError:  # gone meanwhile, or somebody else's
            continue
    return removed
