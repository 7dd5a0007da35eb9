"""README and docs/ are true: pages build without a warning, links and paths lead somewhere, shown commands parse."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from meanfleet.config import Config
from meanfleet.solver import Game

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"`([^`\n]+)`")
FOLDERS = [path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "out"))]
CODE_AND_PAGES = (".py", ".md", ".yaml")
ROS_PARAMETER = re.compile(r"-p (\w+):=")

sys.path.insert(0, str(ROOT / "docs"))
tables = pytest.importorskip("tables", reason="the reference is written with Sphinx, from the extra docs")
from tables import commands, configuration, markdown, nodes  # noqa: E402


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


def shown(text: str) -> Iterator[str]:
    """Lines of code of a page, indented or fenced, and code in sentences that is a whole command."""
    blocks = [body for _, body in FENCE.findall(text)]
    blocks += [line[4:] for line in FENCE.sub("", text).splitlines() if line.startswith("    ")]
    for line in "\n".join(blocks).splitlines():
        yield re.sub(r"\s+# .*", "", line).strip()
    yield from (code for code in CODE.findall(FENCE.sub("", text)) if " -" in code)


def lines(command: str) -> list[Any]:
    """Every line of a page that begins with a command, as a test's parameter."""
    return [
        pytest.param(line, id=f"{names(page)}: {line}")
        for page in PAGES
        for line in dict.fromkeys(shown(page.read_text(encoding="utf-8")))
        if line.startswith(f"{command} ")
    ]


# --- the pages build


def test_pages_build_without_a_warning(tmp_path: Path) -> None:
    """Every reference, link between pages and image is resolved by Sphinx; external links are not looked up."""
    build = [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-q", "-b", "html"]
    command = [*build, "-d", str(tmp_path / "doctrees"), "docs", str(tmp_path / "html")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    reference = tmp_path / "html" / "reference"
    assert "priority_timeout" in (reference / "configuration.html").read_text(encoding="utf-8")
    assert "startup_timeout" in (reference / "nodes.html").read_text(encoding="utf-8")
    assert "--real-time-factor" in (reference / "commands.html").read_text(encoding="utf-8")
    for page in reference.rglob("*.html"):
        assert "<!-- table:" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_relative_links_lead_to_files(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_paths_named_in_the_text_exist(page: Path) -> None:
    """Code such as `bench/world.py` or `config/demo.yaml`, in sentences and in commands."""
    words = re.findall(r"[\w./…<>*-]+", "\n".join(CODE.findall(page.read_text(encoding="utf-8"))))
    words += [word for line in shown(page.read_text(encoding="utf-8")) for word in re.findall(r"[\w./…<>*-]+", line)]
    paths = {word.rstrip(".") for word in words if word.partition("/")[0] in FOLDERS and "/" in word}
    missing = [path for path in sorted(paths) if not set(path) & set("…<>*") and not (ROOT / path).exists()]
    assert missing == []


# --- what is shown can be typed


@pytest.mark.parametrize("line", lines("meanfleet"))
def test_commands_shown_parse(line: str) -> None:
    """The command line's own parser takes it: command, arguments, options and their types. Nothing is run."""
    name, *words = shlex.split(line)[1:]
    known = commands.commands()
    assert name in known
    known[name].make_context(name, words)


def test_a_wrong_option_does_not_parse() -> None:
    with pytest.raises(Exception, match="No such option: --larges"):
        commands.commands()["choose-k"].make_context("choose-k", ["config/demo.yaml", "--larges", "3"])


@pytest.mark.parametrize("line", lines("make"))
def test_make_has_the_targets_shown(line: str) -> None:
    assert re.search(rf"^{shlex.split(line)[1]}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("line", lines("ros2 run meanfleet"))
def test_nodes_have_the_parameters_shown(line: str) -> None:
    executables = nodes.executables()
    called = [word for word in line.partition("--ros-args")[0].split()[3:] if word != "|"]
    assert called
    for name in called:
        known = {entry.name for entry in nodes.declared(executables[name]) or nodes.told(executables[name])}
        assert set(ROS_PARAMETER.findall(line)) <= known


@pytest.mark.parametrize("line", lines("ros2 param set"))
def test_parameters_set_on_running_nodes_exist(line: str) -> None:
    _, _, _, node, parameter, *_ = line.split()
    package = {"/dispatcher": "dispatcher_node", "/robots": "robot_node"}[node]
    assert parameter in {entry.name for entry in nodes.declared(f"meanfleet.{package}.node") if "ticks" in entry.effect}


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_yaml_shown_has_known_keys(page: Path) -> None:
    known = configuration.paths()
    with_keys = {path.rpartition(".")[0] for path in known}  # under others stand names of the user's own

    def unknown(value: Any, path: str) -> Iterator[str]:
        for key, inner in value.items() if isinstance(value, dict) and path in with_keys else ():
            full = f"{path}.{key}" if path else key
            yield from unknown(inner, full) if full in known else [full]

    blocks = [body for kind, body in FENCE.findall(page.read_text(encoding="utf-8")) if kind == "yaml"]
    assert [key for body in blocks for key in unknown(yaml.safe_load(body), "")] == []


@pytest.fixture(scope="module")
def own_game(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the game of docs/games.md: its Python block ran there, a program of its own."""
    folder = tmp_path_factory.mktemp("own_game")
    [program] = shown_in("games.md", "python")
    (folder / "game.py").write_text(program, encoding="utf-8")
    result = python(folder, "game.py")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("(1, 2, 4) ")
    return folder


def shown_in(page: str, kind: str) -> list[str]:
    text = next(path for path in PAGES if path.name == page).read_text(encoding="utf-8")
    return [body for found, body in FENCE.findall(text) if found == kind]


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command, where = [sys.executable, *words], os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=where, capture_output=True, text=True, timeout=600)


def test_the_own_game_shown_is_solved_and_simulated_as_shown(own_game: Path) -> None:
    """By the configuration shown with it: its moves are work and rest, and lead to no zones in particular."""
    [shown] = [body for body in shown_in("games.md", "yaml") if "advertising.npz" in body]
    (own_game / "own.yaml").write_text(shown, encoding="utf-8")
    meanfleet = ("-m", "meanfleet")
    for words in (
        ("solve", "own.yaml", "-o", "own.npz"),
        ("inspect", "own.npz", "-c", "own.yaml"),
        ("compare", "own.yaml", "-p", "own.npz", "--ticks", "5", "--seeds", "2", "--workers", "1"),
    ):
        result = python(own_game, *meanfleet, *words)
        assert result.returncode == 0, result.stderr
    result = python(own_game, *meanfleet, "simulate", "own.yaml", "-p", "own.npz", "--ticks", "30", "--json")
    run = json.loads(result.stdout)
    assert run["statistics"] == {"jumps": 30}
    assert run["share_in_priority_zone"] is None
    bodies = python(own_game, *meanfleet, "simulate", "own.yaml", "-p", "own.npz", "--backend", "kinematic")
    assert bodies.returncode == 2
    assert "no robot can drive by it" in bodies.stderr
    assert "--backend model" in bodies.stderr


# What stands around a part of a configuration where a page shows no more than that part.
AROUND = {"interactions": "graphon.yaml", "types": "types.yaml", "counted": "demo.yaml", "hub": "graph.yaml"}


@pytest.mark.parametrize("shown", shown_in("games.md", "yaml"), ids=lambda body: " ".join(body.split()[:4]))
def test_yaml_shown_is_a_configuration_with_a_game(own_game: Path, shown: str) -> None:
    """As shown, or where it is a part in the place of the same keys of a file of config/."""
    around = next((name for word, name in AROUND.items() if word in shown), "warehouse.yaml")
    whole = yaml.safe_load((ROOT / "config" / around).read_text(encoding="utf-8"))
    part = yaml.safe_load(shown)
    if "fleet" not in part:
        part = whole | part | {"game": whole["game"] | part.get("game", {})}
    shutil.copy(ROOT / "config" / "demo.counts.yaml", own_game)
    (own_game / "shown.yaml").write_text(yaml.safe_dump(part, sort_keys=False), encoding="utf-8")
    config = Config.from_yaml(own_game / "shown.yaml")
    assert Game.from_config(config).zones == len(config.states)


def test_the_python_shown_reads_a_bag(tmp_path: Path) -> None:
    """As shown, but for the name of the bag."""
    [program] = [body for body in shown_in("README.md", "python") if "read_fleet" in body]
    assert program.count("out/demo/bag") == 1
    (tmp_path / "read.py").write_text(program.replace("out/demo/bag", "test/data/sample/bag"), encoding="utf-8")
    result = python(ROOT, str(tmp_path / "read.py"))
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("(")


# --- the reference and the declarations


@pytest.mark.parametrize("module", nodes.executables().values())
def test_docstrings_tell_the_parameters_that_exist(module: str) -> None:
    """Those of the table where there is one, else those that the source asks for by name."""
    spoken = {entry.name for entry in nodes.told(module)}
    if nodes.declared(module):
        assert spoken == {entry.name for entry in nodes.declared(module)}
        return
    source = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    asked = set(re.findall(r'\.parameter\("(\w+)"', source))
    if "self.configuration()" in source:  # which reads these two
        asked |= {"config", "n"}
    assert spoken == asked


@pytest.mark.parametrize("module", [module for module in nodes.executables().values() if nodes.declared(module)])
def test_docstrings_tell_types_defaults_and_effects_as_declared(module: str) -> None:
    """A star in the docstring says that a value counts between two ticks."""
    for spoken, real in zip(nodes.told(module), nodes.declared(module), strict=True):
        assert (spoken.name, spoken.kind) == (real.name, real.kind)
        assert (spoken.effect == "between two ticks") == (real.effect == "between two ticks"), real.name
        if spoken.default:
            plain = spoken.default.strip('"')
            assert plain == real.default or float(plain) == float(real.default), real.name


def test_every_key_of_the_commented_files_is_in_the_reference() -> None:
    """Comments are looked up by path: a file whose nesting the reader misunderstood would show up here."""
    assert {"dispatcher.tick", "world.layout.rows", "game.P_l.counted", "fleet.count"} <= configuration.paths()
    known = configuration.paths()
    with_keys = {path.rpartition(".")[0] for path in known}
    # Not those that are names of the user's own, such as zones under `graph`.
    strangers = {path for path in set(configuration.comments()) - known if path.rpartition(".")[0] in with_keys - {""}}
    assert strangers == set()


def test_prose_of_docstrings_means_itself_in_markdown() -> None:
    """<robot>/zone is no HTML, a|b no cell, k* no emphasis; `code` stays code."""
    assert markdown.prose("<robot>/zone, a|b, k*, _x_, [m], `P_l[a|b]`") == (
        "\\<robot\\>/zone, a\\|b, k\\*, \\_x\\_, \\[m\\], `P_l[a\\|b]`"
    )


def test_sections_of_the_mathematics_that_the_code_names_are_there() -> None:
    there = set(re.findall(r"^## §(\d+) ", (ROOT / "docs" / "math.md").read_text(encoding="utf-8"), re.MULTILINE))
    named: dict[str, str] = {}
    folders = ("meanfleet", "solver", "sim", "dispatcher_node", "robot_node", "test", "bench", "config", "docs")
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in CODE_AND_PAGES):
        for list_ in re.findall(r"math\.md ((?:§\d+(?:, )?)+)", path.read_text(encoding="utf-8")):
            named |= dict.fromkeys(re.findall(r"\d+", list_), names(path))
    assert len(named) >= 9
    assert {number: path for number, path in named.items() if number not in there} == {}


def test_every_place_in_the_architecture_is_there() -> None:
    """Its table of floors is that of the test, and every path in it exists; so does every function on the way of k."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    places = set(re.findall(r"`((?:solver|sim|dispatcher_node|robot_node|meanfleet|test)(?:/[\w.]+)*)`", text))
    assert len(places) > 60
    assert [place for place in sorted(places) if not (ROOT / place).exists()] == []
    walk = re.findall(r"^\d+\. `(?:\w+\.)?(\w+)`", text, re.MULTILINE)
    sources = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("[dmrs]*/**/*.py"))
    assert len(walk) == 12
    assert [
        name for name in walk if not re.search(rf"(?:def|class) {name}\b|^    {name}:", sources, re.MULTILINE)
    ] == []
