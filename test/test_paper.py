"""Reproducing the papers' figures: the register, what is kept, and a report whose verdicts follow from numbers."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from meanfleet.base.errors import UserError
from meanfleet.base.resources import config_file
from meanfleet.cli.app import app
from meanfleet.studies.mfq.study import Effort, conduct, load
from meanfleet.studies.paper.experiments import findings
from meanfleet.studies.paper.figure import TITLES, Finding, PaperFigure
from meanfleet.studies.paper.figures import continuous, federated, reward, runtime, squeeze
from meanfleet.studies.paper.registry import every, named
from meanfleet.studies.paper.running import digest, finished, make, statements, write_report

TINY = replace(
    squeeze.FIGURE,
    settings=lambda quick: {"quick": quick, "config": "", "ks": [1, 4, 8], "seeds": 2, "rollouts": 4 if quick else 6},
)


def quiet(note: str) -> None:
    """No progress wanted."""


class Loaded(HTMLParser):
    """What a page loads, and its marks."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.marks: list[str] = []
        self._marking = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.sources += [str(given[key]) for key in ("src",) if key in given]
        self.sources += [str(given["href"])] if tag == "link" else []
        self._marking = tag == "span" and "mark" in str(given.get("class"))

    def handle_data(self, data: str) -> None:
        if self._marking:
            self.marks.append(data)
        self._marking = False


def test_every_figure_is_registered_once_with_a_paper_and_a_place() -> None:
    figures = every()
    names = [figure.name for figure in figures]
    assert len(set(names)) == len(names) >= 10
    assert {figure.paper for figure in figures} <= set(TITLES)
    assert [figure.order for figure in figures] == sorted(figure.order for figure in figures)
    assert {"reward", "runtime", "mode", "zones", "squeeze", "exploration", "learning"} <= set(names)
    for figure in figures:
        for quick in (True, False):
            assert figure.settings(quick)["quick"] == quick
            json.dumps(figure.settings(quick))
        assert digest(figure, figure.settings(True)) != digest(figure, figure.settings(False))


def test_figures_are_chosen_by_name_and_an_unknown_one_is_refused() -> None:
    assert [figure.name for figure in named(["squeeze", "reward"])] == ["reward", "squeeze"]
    with pytest.raises(UserError, match=r"figure 'reword' is unknown.*reward"):
        named(["reword"])


def test_commands_in_the_report_parse() -> None:
    """The command beside a figure is one that the command line takes."""
    import shlex

    import typer

    from meanfleet.cli.app import app

    group = typer.main.get_command(app)
    for figure in every():
        for quick in (True, False):
            line = figure.command(figure.settings(quick))
            if line:
                program, name, *words = shlex.split(line)
                assert program == "meanfleet"
                group.commands[name].make_context(name, words)


def test_a_finished_figure_is_kept_until_its_settings_change_or_it_is_damaged(tmp_path: Path) -> None:
    runs = []

    def counted(*arguments: Any) -> dict[str, Any]:
        runs.append(arguments)
        return TINY.run(*arguments)

    figure = replace(TINY, run=counted)
    first, again = (make(figure, tmp_path, True, quiet) for _ in range(2))
    assert (len(runs), first.kept, again.kept) == (1, False, True)
    assert again.summary == first.summary
    other = make(figure, tmp_path, False, quiet)
    assert (len(runs), other.settings["rollouts"]) == (2, 6)
    (picture,) = other.pictures
    picture.write_bytes(picture.read_bytes()[:-20])
    assert finished(figure, tmp_path, None) is None
    make(figure, tmp_path, False, quiet)
    path = tmp_path / "figures" / figure.name / "result.json"
    path.write_text(path.read_text().replace('"n": 8', '"n": 9'))
    assert not make(figure, tmp_path, False, quiet).kept
    path.write_text("{")
    assert not make(figure, tmp_path, False, quiet).kept
    assert len(runs) == 5


def test_a_run_that_fails_leaves_nothing_that_counts(tmp_path: Path) -> None:
    def killed(settings: Any, folder: Path, shared: Path, tell: Any) -> dict[str, Any]:
        (folder / "half.png").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(replace(TINY, run=killed), tmp_path, True, quiet)
    assert finished(TINY, tmp_path, None) is None
    assert [path.name for path in make(TINY, tmp_path, True, quiet).pictures] == ["squeeze.png"]


def test_what_other_commands_and_people_keep_in_the_folder_stays(tmp_path: Path) -> None:
    """`mfq -o out/squeeze` writes beside `reproduce -o out`, whose figure is called squeeze too."""
    others = [
        tmp_path / TINY.name / "mfq.json",
        tmp_path / TINY.name / "gap.png",
        tmp_path / TINY.name / "units" / "mfq0001.npz",
        tmp_path / "figures" / TINY.name / "notes.txt",
        tmp_path / "figures" / TINY.name / "old.png" / "notes.txt",
    ]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("somebody's")
    mine = tmp_path / "figures" / TINY.name / "of-a-killed-run.png"
    mine.write_text("half")
    result = make(TINY, tmp_path, True, quiet)
    assert [path.name for path in result.pictures] == ["squeeze.png"]
    assert make(TINY, tmp_path, True, quiet).kept
    assert [path.read_text() for path in others] == ["somebody's"] * len(others)
    assert not mine.exists()


def test_the_report_is_one_file_with_a_mark_for_every_claim(tmp_path: Path) -> None:
    result = make(TINY, tmp_path, True, quiet)
    page = write_report(tmp_path).read_text(encoding="utf-8")
    parser = Loaded()
    parser.feed(page)
    assert parser.sources
    assert all(source.startswith("data:image/png;base64,") for source in parser.sources)
    claims = TINY.findings(result.summary)
    assert len(parser.marks) == 2 * len(claims)  # in the overview, and beside the figure
    assert parser.marks.count("borne out") == 2 * sum(claim.holds is True for claim in claims)
    assert "meanfleet reproduce squeeze --quick" in page
    assert sum(statements([result])) == len(claims)


# --- long figures go on where they were


LINE: dict[str, Any] = {
    "line": {"robots": 30},
    "polled": [1, 4],
    "bins": {"kappa": 3, "fleets": 200},
    "learning": {"alternations": 1, "runs": 1, "hidden": 4, "samples": 30, "episodes": 3, "horizon": 4},
    "evaluation": {"horizon": 5, "rollouts": 20},
}
CLIENTS: dict[str, Any] = {"clients": 10, "explore": 1, "rounds": 12, "last": 5}
ROUGHLY = {"tolerance": 1e-3, "starts": ["uniform"], "alternations": 1, "rollouts": 250, "kappa": 0, "filtering": False}


def interrupted_and_again(run: Any, settings: dict[str, Any], folder: Path, last: str) -> tuple[list[str], list[str]]:
    """What a figure tells until it is interrupted at its note `last`, and what it tells when it is made again."""
    before: list[str] = []
    after: list[str] = []

    def killed(note: str) -> None:
        before.append(note)
        if note == last:
            raise KeyboardInterrupt

    own, shared = folder / "own", folder / "shared"
    own.mkdir()
    with pytest.raises(KeyboardInterrupt):
        run(settings, own, shared, killed)
    run(settings, own, shared, after.append)
    return before, after


def test_the_continuous_warehouse_goes_on_with_the_runs_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("jax", "optax"):
        pytest.importorskip(name, reason="learning by gradients needs the extra 'continuous'")
    (tmp_path / "line.yaml").write_text(yaml.safe_dump(LINE))
    monkeypatch.setattr(continuous, "config_file", lambda name: tmp_path / "line.yaml")
    settings = {"quick": False, "learn": True}
    before, after = interrupted_and_again(continuous.run, settings, tmp_path, "k = 4, alternation 1 of 1")
    assert "k = 1, alternation 1 of 1" in before
    assert not [note for note in after if "alternation" in note], "both runs were kept"


def test_without_either_of_its_packages_nothing_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("jax", "optax"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, name, None)
            assert not continuous.settings(False)["learn"]


def test_federated_optimization_goes_on_with_the_k_it_was_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn, the extra 'federated', is not installed")
    body = yaml.safe_load(config_file("federated.yaml").read_text(encoding="utf-8"))
    (tmp_path / "clients.yaml").write_text(
        yaml.safe_dump(body | {"solver": ROUGHLY, "federated": body["federated"] | CLIENTS})
    )
    monkeypatch.setattr(federated, "config_file", lambda name: tmp_path / "clients.yaml")
    settings = {"quick": False, "ks": [1, 2], "seeds": 2}
    before, after = interrupted_and_again(federated.run, settings, tmp_path, "k = 2: running tuned")
    assert "k = 1: running tuned" in before
    assert {note.split(":")[0] for note in after} == {"k = 2"}


# --- verdicts follow from numbers


def verdicts(figure: PaperFigure, summary: dict[str, Any]) -> list[bool | None]:
    return [finding.holds for finding in figure.findings(summary)]


def curve(*means: float, half: float = 0.1) -> dict[str, Any]:
    returns = [{"mean": mean, "low": mean - half, "high": mean + half} for mean in means]
    return {"ks": list(range(1, len(means) + 1)), "returns": returns}


def test_reward_rising_less_and_less_bears_both_claims_out_and_falling_neither() -> None:
    assert verdicts(reward.FIGURE, curve(1, 3, 4, 4.5, 4.7)) == [True, True]
    assert verdicts(reward.FIGURE, curve(4.7, 4.5, 4, 3, 1)) == [False, True]
    assert verdicts(reward.FIGURE, curve(1, 1.2, 2, 4, 8)) == [True, False]
    assert verdicts(reward.FIGURE, curve(1, 1.1, 1.2, 1.25, 1.26, half=1)) == [None, True]


def test_time_like_a_power_of_k_is_polynomial_and_exponential_is_not() -> None:
    ks = [1, 5, 10, 20, 40]
    assert verdicts(runtime.FIGURE, {"ks": ks, "seconds": [0.01 * k**3 for k in ks]}) == [True, True]
    assert verdicts(runtime.FIGURE, {"ks": ks, "seconds": [2.0**k for k in ks]}) == [True, False]


def test_an_experiment_is_judged_by_its_own_gaps() -> None:
    setup = load(config_file("squeeze.yaml"))
    found = conduct(setup, Effort((1, 3, 5, 8), seeds=4, rollouts=100), quiet)
    assert [each.holds for each in findings(found)][:2] == [True, True]
    found["curve"].reverse()
    worse = findings(found)
    assert [each.holds for each in worse][:2] == [False, False]
    assert all(isinstance(each, Finding) and each.found for each in worse)


def line(remembering: tuple[float, float], learned: tuple[float, ...] = (), error: float = 1.0) -> dict[str, Any]:
    rules = [("hold", 0, 160.0), ("random", 0, 37.0)]
    rules += [("solved bins, remembering", k, mean) for k, mean in zip((1, 75), remembering, strict=True)]
    rules += [("trpo", k, mean) for k, mean in zip((1, 75), learned, strict=False)]
    rows = [
        {"rule": rule, "k": k, "estimate": {"mean": mean, "error": error, "fleets": 600}} for rule, k, mean in rules
    ]
    return {"rows": rows, "config": {"learning": {"algorithm": "trpo", "runs": 3}}}


def test_the_continuous_warehouse_is_held_against_what_was_published() -> None:
    assert verdicts(continuous.FIGURE, line((170, 180))) == [None, None, True, True]
    assert verdicts(continuous.FIGURE, line((170, 170.5), (127.0, 160.0))) == [True, False, False, True]
    assert verdicts(continuous.FIGURE, line((161, 180), (120.0,))) == [False, None, True, False]


def clients(lead: float, *accuracies: float) -> dict[str, Any]:
    def interval(mean: float) -> dict[str, float]:
        return {"mean": mean, "low": mean - 0.01, "high": mean + 0.01}

    points = [
        {
            "k": k,
            "arms": {"policy": {"end": interval(mean)}},
            "lead": {name: {"end": interval(lead)} for name in ("fedavg", "tuned")},
        }
        for k, mean in enumerate(accuracies, 1)
    ]
    return {"points": points, "seeds": [0, 1]}


def test_clients_are_worth_what_their_errors_leave() -> None:
    assert verdicts(federated.FIGURE, clients(0.02, 0.90, 0.95)) == [True, True]
    assert verdicts(federated.FIGURE, clients(0.005, 0.90, 0.915)) == [False, False]


def test_a_figure_without_its_packages_is_left_out_or_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = replace(TINY, name="lacking", needs=("no_such_module", "federated"))
    monkeypatch.setattr("meanfleet.studies.paper.registry.every", lambda: (TINY, lacking))
    out = ["-o", str(tmp_path), "--quick"]
    every_one = CliRunner().invoke(app, ["reproduce", *out])
    assert every_one.exit_code == 0, every_one.output
    assert "left out: figure lacking needs more: pip install 'meanfleet[federated]'" in every_one.output
    assert (tmp_path / "figures" / "squeeze").exists()
    by_name = CliRunner().invoke(app, ["reproduce", "lacking", *out])
    assert isinstance(by_name.exception, UserError)
    assert not (tmp_path / "figures" / "lacking").exists()
