"""YAML files as plain values: whatever is in one, it is read within bounds or refused in one sentence."""

from __future__ import annotations

import os
from typing import Any

import yaml

from .errors import UserError

LARGEST = 1 << 26  # [byte] of a file
MOST = 10_000_000  # values, those that an alias repeats counted as often as they stand there


def read_yaml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        UserError: unreadable, too large, not YAML, a key given twice, or no mapping.
    """
    text = _text(path)
    try:
        data = yaml.load(text, Loader=_Careful)
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError:
        raise UserError(f"{path} is nested too deeply for a configuration: look for brackets never closed") from None
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise UserError(f"{path} holds no configuration: expected keys such as 'zones:' at its top level")
    return data


def _text(path: str | os.PathLike[str]) -> str:
    try:
        with open(path, "rb") as stream:
            content = stream.read(LARGEST + 1)
        text = content.decode("utf-8")
    except OSError as error:
        raise UserError(f"cannot read configuration {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file: give a YAML configuration") from error
    except ValueError as error:
        raise UserError(f"cannot read configuration {str(path)!r}: {error}") from error
    if len(content) > LARGEST:
        raise UserError(f"{path} is larger than {LARGEST >> 20} MiB: give a YAML configuration")
    return text


class _Careful(yaml.SafeLoader):
    """A loader that refuses a key given twice, which YAML forbids and PyYAML ignores, and values that are none."""

    def get_single_node(self) -> Any:
        node = super().get_single_node()
        if node is not None:
            _count(node, {})
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):  # of a tag's constructor
            what = node.tag.rpartition(":")[2]
            shown = f" {node.value[:40]!r}" if isinstance(node.value, str) else ""
            raise yaml.constructor.ConstructorError(
                None, None, f"{shown} is no {what}: put text in quotes".strip(), node.start_mark
            ) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value if node.id == "mapping" else ():  # a tag may call anything one
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} given twice", key_node.start_mark)
            if isinstance(key, str):
                seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """Values under a node, each alias followed; a few lines of aliases of aliases stand for billions."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        known[id(node)] = MOST + 1  # until it is counted: one that contains itself has no end
        parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        known[id(node)] = 1 + sum(_count(part, known) for part in parts)
    if known[id(node)] > MOST:
        raise yaml.composer.ComposerError(
            None, None, f"its aliases repeat more than {MOST} values: write them out", node.start_mark
        )
    return known[id(node)]
