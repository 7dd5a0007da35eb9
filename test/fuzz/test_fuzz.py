"""Two thousand wrong files: each loader reads them, or refuses them in one sentence, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from .loaders import loaders
from .running import failures

LOADERS = loaders()
EACH = 118  # 17 loaders: 2,006 inputs


@pytest.mark.parametrize("name", sorted(LOADERS))
def test_wrong_files_are_read_or_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    found = failures(name, LOADERS[name], range(EACH), tmp_path)
    assert not found, f"{len(found)} of {EACH}\n" + "\n".join(found[:5])


@pytest.mark.parametrize("name", sorted(LOADERS))
def test_what_they_are_made_of_is_read(name: str, tmp_path: Path) -> None:
    """Or all would be refused for the same reason."""
    loader = LOADERS[name]
    path = tmp_path / loader.name
    path.parent.mkdir(parents=True, exist_ok=True)
    for right in loader.right:
        path.write_bytes(right)
        loader.load(path)
