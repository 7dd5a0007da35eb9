"""The storage files of a bag: found by metadata.yaml or, without it, by their names; unpacked and mended into a
temporary folder where needed, never changed."""

from __future__ import annotations

import hashlib
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import yaml
import zstandard

from meanfleet.base.errors import UserError

from .sqlite_file import journals

METADATA = "metadata.yaml"
MCAP, SQLITE = ".mcap", ".db3"
STORAGES = (MCAP, SQLITE)
PACKED = ".zstd"
DAMAGED = ".damaged"  # added to the name of an original that was mended
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the compiled one: a fleet has thousands of topics
BLOCK = 1 << 20  # [byte]
NAMED = 3  # files in a sentence


@dataclass(frozen=True)
class BagFiles:
    """What belongs to a bag.

    Attributes:
        source: the path given.
        paths: storage files in the order of recording.
        expected: messages per topic by metadata.yaml; empty without it.
        complaints: what is wrong with the bag as a whole, counted.
        left_out: storage files in the folder that are not the bag's: not listed, or a copy of one that is.
        information: what metadata.yaml says; empty without it.
    """

    source: Path
    paths: tuple[Path, ...]
    expected: dict[str, int] = field(default_factory=dict)
    complaints: Counter[str] = field(default_factory=Counter)
    left_out: tuple[Path, ...] = ()
    information: dict[str, Any] = field(default_factory=dict)

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


def is_storage(path: PurePath) -> bool:
    """Whether the name is that of a storage file, packed or not."""
    return storage_of(path) in STORAGES


def storage_of(path: PurePath) -> str:
    """The suffix that says how a file is stored, in small letters, without that of a packed one."""
    return PurePath(_bare(path)).suffix


def is_packed(path: PurePath) -> bool:
    """Whether the file is compressed as a whole."""
    return path.suffix.lower() == PACKED


def _bare(path: PurePath) -> str:
    """What a file and its unpacked copy have in common."""
    return path.name.lower().removesuffix(PACKED)


def _alone(path: Path) -> BagFiles:
    if path.suffix.lower() == ".bag":
        raise UserError(f"{path} is a bag of ROS 1: convert it first (rosbags-convert --src {path.name} --dst FOLDER)")
    if not is_storage(path):
        raise UserError(f"{path} is no bag: expected a folder of a rosbag2, or a .mcap or .db3 file")
    return BagFiles(path, (path,))


def _in_folder(folder: Path) -> BagFiles:
    there = sorted((path for path in folder.iterdir() if path.is_file() and is_storage(path)), key=_natural)
    information = _information(folder / METADATA)
    listed, expected, complaints = _listing(information)
    by_name = {path.name: path for path in there}
    by_bare = {_bare(path): path for path in sorted(there, key=is_packed, reverse=True)}
    named = [by_name.get(name) or by_bare.get(_bare(PurePath(name))) for name in listed]
    complaints["missing files"] = named.count(None)
    paths = list(dict.fromkeys(path for path in named if path is not None))
    if not paths:  # without a list that is of use, all that are there
        paths = _without_copies(there)
    if not paths:
        old = next((path.name for path in sorted(folder.iterdir()) if path.suffix.lower() == ".bag"), "")
        remedy = f": convert {old}, of ROS 1, first (rosbags-convert)" if old else ""
        raise UserError(f"{folder} is no bag: no .mcap and no .db3 file is in it{remedy}")
    left = tuple(path for path in there if path not in paths)
    if left:
        complaints[f"files left out ({names(left)})"] = len(left)
    return BagFiles(folder, tuple(paths), expected, +complaints, left, information or {})


def names(paths: Sequence[Path]) -> str:
    """The names of some files for a sentence."""
    return ", ".join(path.name for path in paths[:NAMED]) + (", …" if len(paths) > NAMED else "")


def parts(files: BagFiles) -> list[Path]:
    """The files of a bag, and those beside them that metadata.yaml does not list and that are no copies of others."""
    return _without_copies((*files.paths, *files.left_out), files.paths)


def _without_copies(there: Iterable[Path], given: Iterable[Path] = ()) -> list[Path]:
    """Files without those that are others once more: packed, converted, or under a longer name (bag_0_recovered).

    Of a file and its unpacked copy the unpacked one is taken, which needs no time; of a .mcap and a .db3 the .mcap.
    """
    found = {_stem(path): path for path in given}
    chosen = list(given)
    for path in sorted(there, key=lambda path: (len(_stem(path)), storage_of(path) != MCAP, is_packed(path))):
        stem = _stem(path)
        ends = [place.start() for place in re.finditer(r"[_.(\- ]", stem)]
        longer = any(stem[:end] in found and not re.fullmatch(r"_\d+", stem[end:]) for end in ends)
        if stem not in found and not longer:
            found[stem] = path
            chosen.append(path)
    return sorted(chosen, key=_natural)


def _stem(path: Path) -> str:
    return PurePath(_bare(path)).stem


def _information(path: Path) -> dict[str, Any] | None:
    """What a metadata.yaml says; {} if there is none, None if it is of no use."""
    if not path.exists():
        return {}
    try:
        content: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)["rosbag2_bagfile_information"]
        return {str(key): value for key, value in content.items()} or None
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _listing(information: dict[str, Any] | None) -> tuple[list[str], dict[str, int], Counter[str]]:
    """File names, messages per topic, and complaints of a metadata.yaml."""
    if information == {}:
        return [], {}, Counter({"no metadata": 1})
    try:
        assert information is not None
        listed = [PurePath(str(name)).name for name in information["relative_file_paths"]]
        expected: Counter[str] = Counter()
        for entry in information["topics_with_message_count"]:
            expected[str(entry["topic_metadata"]["name"])] += int(entry["message_count"])
    except (AssertionError, KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return [], {}, Counter({"damaged metadata": 1})
    return [name for name in listed if is_storage(PurePath(name))], dict(expected), Counter()


def _natural(path: Path) -> list[tuple[int, str]]:
    """bag_2 before bag_10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", path.name)]


def readable(path: Path, scratch: Path) -> tuple[Path, Counter[str]]:
    """The file itself, or a copy in `scratch`: unpacked, or with what SQLite left in a journal taken in.

    Returns:
        its path, with a suffix in small letters, and what went wrong on the way.

    Raises:
        OSError: it cannot be read.
        UserError: unpacked it would fill the disk.
    """
    damage: Counter[str] = Counter()
    target = scratch / (_stem(path) + storage_of(path))
    if is_packed(path):
        with open(path, "rb") as packed, open(target, "wb") as unpacked:
            try:
                room = shutil.disk_usage(scratch).free // 2
                for block in zstandard.ZstdDecompressor().read_to_iter(packed):
                    room -= unpacked.write(block)
                    if room < 0:
                        raise UserError(
                            f"{path} unpacks to more than half of what is free in {scratch.parent}: set TMPDIR to a "
                            "larger disk, or see what it is with zstd --list"
                        )
            except zstandard.ZstdError:  # what came before may be of use
                damage["damaged packing"] += 1
    elif storage_of(path) == SQLITE and journals(path):
        _with_journals(path, target)
    elif path.suffix not in STORAGES:
        target.symlink_to(path.absolute())
    else:
        return path, damage
    return target, damage


def _with_journals(path: Path, target: Path) -> None:
    for file in (path, *journals(path)):
        shutil.copyfile(file, target.with_name(target.name + file.name.removeprefix(path.name)))
    connection = sqlite3.connect(target)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()  # rolls a journal back
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.DatabaseError:
        pass  # a damaged file stays as it is, and its reader says so
    finally:
        connection.close()
