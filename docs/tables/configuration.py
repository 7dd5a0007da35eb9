"""Every key of a configuration: its type, default and bounds from the models, its meaning from there or, where a model
says nothing, from the comment beside the key in one of the commented files under config/."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.util import logging

from meanfleet.config import Config

from .markdown import code, prose, table

CONFIGS = Path(__file__).resolve().parent.parent.parent / "config"
COMMENTED = re.compile(r"^(?P<indent> *)(?:- )?(?P<key>\w+):(?P<value>[^#]*)(?:# (?P<comment>.*))?$")
BOUNDS = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}"}
COUNTS = {"minItems": "at least {}", "maxItems": "at most {}"}
log = logging.getLogger(__name__)


def comments() -> dict[str, str]:
    """Comment beside every key by its path, such as `dispatcher.tick`; the first file that has one counts."""
    found: dict[str, str] = {}
    for path in sorted(CONFIGS.glob("*.yaml")):
        above: list[tuple[int, str]] = []
        for line in path.read_text(encoding="utf-8").splitlines():
            match = COMMENTED.match(line)
            if match is None:
                continue
            depth = len(match["indent"])
            above = [(indent, key) for indent, key in above if indent < depth] + [(depth, match["key"])]
            if match["comment"]:
                found.setdefault(".".join(key for _, key in above), match["comment"].strip())
    return found


class Keys:
    """The models as JSON schema, walked key by key."""

    def __init__(self) -> None:
        schema = Config.model_json_schema()
        self.sections: dict[str, Any] = schema.pop("$defs")
        self.root, self.comments = schema, comments()
        hidden = [name for name, field in Config.model_fields.items() if field.exclude]
        for name in hidden:
            del self.root["properties"][name]
        floor = self.root["properties"].pop("floor", None)  # written under `zones`, as mappings in the place of names
        for name in self.of(floor or {}):
            measured = self.sections[name]["properties"]["zones"]
            self.root["properties"]["zones"] = {"anyOf": [self.root["properties"]["zones"], measured]}
        self.variants = {name for section in self.sections.values() for name in self._alternatives(section)}

    def of(self, value: dict[str, Any]) -> dict[str, str]:
        """Sections that may stand under a key, by what is added to its path: nothing, `.NAME`, or `[]`."""
        if "$ref" in value:
            return {value["$ref"].rpartition("/")[2]: ""}
        found: dict[str, str] = {}
        for part in value.get("anyOf", ()):
            found |= self.of(part)
        if isinstance(value.get("items"), dict):
            found |= {name: f"[]{more}" for name, more in self.of(value["items"]).items()}
        if isinstance(value.get("additionalProperties"), dict):
            found |= {name: f".NAME{more}" for name, more in self.of(value["additionalProperties"]).items()}
        return found

    def _alternatives(self, section: dict[str, Any]) -> Iterator[str]:
        """Sections of which one among several may stand under a key."""
        for value in section.get("properties", {}).values():
            inner = self.of(value)
            yield from inner if len(inner) > 1 else ()

    def kind(self, value: dict[str, Any]) -> str:
        """What a value is, in words, with its bounds."""
        if "$ref" in value:
            return "mapping"
        if "anyOf" in value:
            return " or ".join(dict.fromkeys(map(self.kind, value["anyOf"])))
        if "enum" in value or "const" in value:
            return ", ".join(map(str, value.get("enum", [value.get("const")])))
        if "prefixItems" in value:
            return f"[{', '.join(self.kind(item) for item in value['prefixItems'])}]"
        words: str = value.get("type", "any")
        if words == "array":
            words = f"list of {self.kind(value['items'])}"
            return ", ".join([words, *(text.format(value[key]) for key, text in COUNTS.items() if key in value)])
        if words == "object":
            inner = value.get("additionalProperties")
            return f"mapping of {self.kind(inner)} by name" if isinstance(inner, dict) else "mapping"
        words = {"string": "text", "boolean": "true, false"}.get(words, words)
        return " ".join([words, *(text.format(value[key]) for key, text in BOUNDS.items() if key in value)])

    def about(self, path: str, value: dict[str, Any]) -> str:
        """What a key means; a warning, which ends the build, if nobody says so."""
        text: str = value.get("description") or self.comments.get(path, "")
        if not text and ".NAME." in path:  # an override means what the key means that it overrides
            same = (comment for other, comment in self.comments.items() if other.endswith(f".{path.split('.')[-1]}"))
            text = next(same, "")
        if not text:
            log.warning("configuration key %s has neither a description nor a comment in config/*.yaml", path)
        return text

    def rows(self, path: str, section: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
        """One row for every key of a section."""
        required = section.get("required", ())
        for key, value in section.get("properties", {}).items():
            full = f"{path}.{key}" if path else key
            inner = self.of(value)
            shown = "" if inner or key in required else code(_default(value.get("default")))
            if inner:
                meaning = value.get("description") or self.sections[next(iter(inner))].get("description", "")
                yield code(key), "see below", shown, prose(meaning.split("\n\n")[0])
            else:
                yield code(key), prose(self.kind(value)), shown or "required", prose(self.about(full, value))

    def below(self, path: str, section: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Sections in a section, each with its path, depth first."""
        for key, value in section.get("properties", {}).items():
            for name, more in self.of(value).items():
                full = (f"{path}.{key}" if path else key) + more
                yield full, self.sections[name]
                yield from self.below(full, self.sections[name])


def _default(value: Any) -> str:
    return "null" if value is None else json.dumps(value, ensure_ascii=False)


def paths() -> set[str]:
    """Paths of all keys, such as `dispatcher.tick`."""
    keys = Keys()
    found = set(keys.root["properties"])
    for path, section in keys.below("", keys.root):
        found |= {f"{path}.{key}" for key in section.get("properties", {})}
    return found


def page() -> str:
    """The top level, then a section for every mapping."""
    keys = Keys()
    head = ("key", "value", "default", "meaning")
    parts = [table(head, keys.rows("", keys.root))]
    for path, section in keys.below("", keys.root):
        marked = "".join(f" with `{key}`" for key in section.get("required", ()) if section["title"] in keys.variants)
        parts += [
            f"## `{path}`{marked}\n",
            f"{prose(section.get('description', ''))}\n",
            table(head, keys.rows(path, section)),
        ]
    return "\n".join(parts)
