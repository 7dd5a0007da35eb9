"""Parameters, topics and services of every executable: from its table of parameters, if it has one, and its docstring.

Docstrings are read, not imported, so this needs no ROS 2.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from meanfleet.ros.parameters import ParameterSpec

from .markdown import code, prose, table

ROOT = Path(__file__).resolve().parent.parent.parent
EXECUTABLE = re.compile(r'"(\w+) = ([\w.]+\.node):main"')
LABEL = re.compile(r"^(Parameters|Subscribes|Publishes|Services|Serves|Actions|Calls)\b[^:\n]*:", re.MULTILINE)
TOPIC = re.compile(r"(?<![`\w<])((?:<\w+>/)?[\w/]+)(?= \(\w+_(?:msgs|srvs|interfaces)/)")  # before its type
ENTRY = re.compile(r"^    (\w+)(\*?) \(([^),]+)(?:, ([^)]*))?\): (.*(?:\n {5,}.*)*)", re.MULTILINE)
KINDS = {bool: "bool", int: "int", float: "double", str: "string", tuple: "string[]"}


@dataclass(frozen=True)
class Entry:
    """One parameter in words: its type as ROS 2 names it, its default, what it may be, and when a new value counts."""

    name: str
    kind: str
    default: str
    about: str
    allowed: str = ""
    effect: str = ""


def executables() -> dict[str, str]:
    """Module of every executable of `ros2 run meanfleet`, by its name, as setup.py declares them."""
    return dict(EXECUTABLE.findall((ROOT / "setup.py").read_text(encoding="utf-8")))


def docstring(module: str) -> str:
    """Docstring of a node's module, from its source."""
    path = ROOT / f"{module.replace('.', '/')}.py"
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def told(module: str) -> tuple[Entry, ...]:
    """Parameters as the docstring lists them."""
    return tuple(
        Entry(name, kind, default, " ".join(about.split()), "", "between two ticks" if star else "")
        for name, star, kind, default, about in ENTRY.findall(docstring(module))
    )


def declared(module: str) -> tuple[Entry, ...]:
    """Parameters from the table beside the node; none if it has no table."""
    package = module.removesuffix(".node")
    if not (ROOT / package.replace(".", "/") / "parameters.py").is_file():
        return ()
    return tuple(_entry(spec) for spec in importlib.import_module(f"{package}.parameters").PARAMETERS)


def _entry(spec: ParameterSpec) -> Entry:
    default = spec.default
    shown = "[]" if default == () else str(default).lower() if isinstance(default, bool) else str(default)
    effect = {"between ticks": "between two ticks"}.get(spec.effect, spec.effect)
    return Entry(spec.name, KINDS[type(default)], shown, spec.about, spec.expected, effect)


def page() -> str:
    """A section for every executable."""
    return "\n".join(part for name, module in executables().items() for part in _section(name, module))


def _section(name: str, module: str) -> Iterator[str]:
    text = docstring(module)
    yield f"## `{name}`\n"
    labels = list(LABEL.finditer(text))
    yield from (f"{_paragraph(part)}\n" for part in text[: labels[0].start()].strip().split("\n\n"))
    entries = declared(module) or told(module)
    rows = [
        (code(e.name), e.kind, code(e.default), prose("; ".join(filter(None, (e.about, e.allowed)))), e.effect)
        for e in entries
    ]
    known = any(entry.effect for entry in entries)
    head = ("parameter", "type", "default", "what it is", "a new value counts")
    yield table(head if known else head[:4], rows if known else [row[:4] for row in rows])
    for label, following in zip(labels, [*labels[1:], None], strict=True):
        if label[1] != "Parameters":
            body = text[label.end() : following.start() if following else None].strip()
            marked = TOPIC.sub(r"`\1`", body)
            yield f"**{label[1]}:** {_paragraph(marked)}\n"


def _paragraph(text: str) -> str:
    return "    " + text.strip() if text.startswith("    ") else prose(text)
