"""The storage files of a bag: found by metadata.yaml or, without it, by their names; unpacked and mended into a
temporary folder where needed, never changed."""

from __future__ import annotations

import hashlib
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import yaml
import zstandard

from meanfleet.errors import UserError

METADATA = "metadata.yaml"
STORAGES = (".mcap", ".db3")
PACKED = ".zstd"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the compiled one: a fleet has thousands of topics
BLOCK = 1 << 20  # [byte]


@dataclass(frozen=True)
class BagFiles:
    """What belongs to a bag.

    Attributes:
        source: the path given.
        paths: storage files in the order of recording.
        expected: messages per topic by metadata.yaml; empty without it.
        complaints: what is wrong with the bag as a whole, counted.
    """

    source: Path
    paths: tuple[Path, ...]
    expected: dict[str, int] = field(default_factory=dict)
    complaints: Counter[str] = field(default_factory=Counter)

    def sha256(self) -> str:
        """Hash of the contents of all storage files, in order."""
        digest = hashlib.sha256()
        for path in self.paths:
            with open(path, "rb") as stream:
                while block := stream.read(BLOCK):
                    digest.update(block)
        return digest.hexdigest()


def find_files(source: Path) -> BagFiles:
    """The files of a bag given as folder or as one storage file.

    Raises:
        UserError: there is no such path, or nothing in it is a bag's storage.
    """
    if not source.exists():
        raise UserError(f"there is no bag at {source}: give the folder of a rosbag2, or a .mcap or .db3 file")
    try:
        return _in_folder(source) if source.is_dir() else _alone(source)
    except OSError as error:
        raise UserError(f"cannot read bag {source}: {error.strerror}") from None


def is_storage(path: Path) -> bool:
    """Whether the name is that of a storage file, packed or not."""
    return path.name.removesuffix(PACKED).endswith(STORAGES)


def _alone(path: Path) -> BagFiles:
    if not is_storage(path):
        raise UserError(f"{path} is no bag: expected a folder of a rosbag2, or a .mcap or .db3 file")
    return BagFiles(path, (path,))


def _in_folder(folder: Path) -> BagFiles:
    there = sorted((path for path in folder.iterdir() if path.is_file() and is_storage(path)), key=_natural)
    listed, expected, complaints = _by_metadata(folder / METADATA)
    named = [folder / name for name in listed]
    complaints["missing files"] = sum(not path.exists() for path in named)
    paths = [path for path in named if path.exists()]
    paths += [path for path in there if path not in paths]  # written after the metadata, or the metadata is no use
    if not paths:
        raise UserError(f"{folder} is no bag: no .mcap and no .db3 file is in it")
    return BagFiles(folder, tuple(paths), expected, +complaints)


def _by_metadata(path: Path) -> tuple[list[str], dict[str, int], Counter[str]]:
    """File names, messages per topic, and complaints of a metadata.yaml."""
    if not path.exists():
        return [], {}, Counter({"no metadata": 1})
    try:
        content: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
        information = content["rosbag2_bagfile_information"]
        names = [PurePath(str(name)).name for name in information["relative_file_paths"]]
        expected: Counter[str] = Counter()
        for entry in information["topics_with_message_count"]:
            expected[str(entry["topic_metadata"]["name"])] += int(entry["message_count"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError):
        return [], {}, Counter({"damaged metadata": 1})
    return [name for name in names if is_storage(Path(name))], dict(expected), Counter()


def _natural(path: Path) -> list[tuple[int, str]]:
    """bag_2 before bag_10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", path.name)]


def readable(path: Path, scratch: Path) -> Path:
    """The file itself, or a copy in `scratch`: unpacked, or with what SQLite left in a journal taken in.

    Raises:
        OSError, zstandard.ZstdError, sqlite3.Error: it cannot be unpacked or mended.
    """
    if path.name.endswith(PACKED):
        target = scratch / path.name.removesuffix(PACKED)
        with open(path, "rb") as packed, open(target, "wb") as unpacked:
            zstandard.ZstdDecompressor().copy_stream(packed, unpacked)
        return target
    journals = [journal for journal in _journals(path) if journal.exists() and journal.stat().st_size]
    return _mended(path, journals, scratch) if path.suffix == ".db3" and journals else path


def _journals(path: Path) -> tuple[Path, Path]:
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-journal")


def _mended(path: Path, journals: Sequence[Path], scratch: Path) -> Path:
    for file in (path, *journals):
        shutil.copyfile(file, scratch / file.name)
    connection = sqlite3.connect(scratch / path.name)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()  # rolls a journal back
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()
    return scratch / path.name
