"""`python -m meanfleet` in its own process: exit codes, one sentence for a user's mistake, nothing written then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from meanfleet import __version__
from meanfleet.base.words import gap_text
from meanfleet.cli.app import app
from meanfleet.solver import Game
from meanfleet.solver.bundle.policy import PolicyBundle
from naive.surrogate import random_arrays

ROOT = Path(__file__).resolve().parent.parent
SMALL: dict[str, Any] = {
    "zones": ["north", "east", "south"],
    "fleet": {"prefix": "r", "count": 6},
    "dispatcher": {"k": 2},
    "world": {"backend": "model"},
    "solver": {"tolerance": 1e-4, "starts": ["shortest"], "rollouts": 500},
}
SOLVE = ("solve", "fleet.yaml", "-o", "solved.npz")
SIMULATE = ("simulate", "fleet.yaml", "-p", "policy.npz", "--ticks", "5")


def meanfleet(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder, from the checkout's sources."""
    return subprocess.run(
        [sys.executable, "-m", "meanfleet", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TERM": "dumb", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A bundle that `meanfleet solve` wrote for SMALL."""
    folder = tmp_path_factory.mktemp("solved")
    configure(folder)
    result = meanfleet(folder, *SOLVE)
    assert result.returncode == 0, result.stderr
    return (folder / "solved.npz").read_bytes()


@pytest.fixture
def folder(tmp_path: Path, policy: bytes) -> Path:
    """A folder with fleet.yaml and policy.npz."""
    configure(tmp_path)
    (tmp_path / "policy.npz").write_bytes(policy)
    return tmp_path


def configure(folder: Path, **changes: Any) -> None:
    (folder / "fleet.yaml").write_text(yaml.safe_dump(SMALL | changes))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(folder: Path, *arguments: str) -> str:
    """Run a command that must fail as a user's mistake does; returns its sentence."""
    before = files(folder)
    result = meanfleet(folder, *arguments)
    assert result.returncode == 2, (result.returncode, result.stdout, result.stderr)
    assert result.stdout == ""
    (line,) = filter(None, result.stderr.splitlines())
    assert line.startswith("meanfleet: ")
    assert files(folder) == before
    return line


# --- mistakes


def test_an_unknown_key(folder: Path) -> None:
    configure(folder, dispatcher={"kk": 2, "tikc": 1.0})
    for arguments in (SOLVE, SIMULATE):
        assert "unknown key 'dispatcher." in refused(folder, *arguments)


def test_a_configuration_that_does_not_exist(folder: Path) -> None:
    assert "none.yaml" in refused(folder, "solve", "none.yaml", "-o", "solved.npz")


@pytest.mark.parametrize("k", ["7", "1,7", "1:7"])
def test_more_robots_polled_than_there_are(folder: Path, k: str) -> None:
    assert "k = 7, but the fleet has 6 robots" in refused(folder, *SOLVE, "-k", k)


def test_a_simulated_k_beyond_the_fleet_or_without_a_table(folder: Path) -> None:
    assert "fleet has 6 robots" in refused(folder, *SIMULATE, "-k", "7")
    assert "no table for k = 3" in refused(folder, *SIMULATE, "-k", "3")
    assert "fleet has 1 robots" in refused(folder, *SIMULATE, "-n", "1")


@pytest.mark.parametrize("k", ["ten", "0", "-1", "", "1,,2", "1.5", "2:", "5:1", "1:2:3", "²"])
def test_a_k_that_is_none(folder: Path, k: str) -> None:
    assert f"-k {k!r}" in refused(folder, *SOLVE, f"--k={k}")


def test_a_parameterization_that_is_none_or_too_large(folder: Path) -> None:
    assert "expected histogram or tuple" in refused(folder, *SOLVE, "--parameterization", "tuples")
    configure(folder, fleet={"prefix": "r", "count": 30})
    assert "3^20 ordered states" in refused(folder, *SOLVE, "-k", "2,20", "--sampled", "--parameterization", "tuple")


def test_damaged_missing_and_foreign_policies(folder: Path) -> None:
    for command in (SIMULATE, ("inspect", "policy.npz"), ("compare", "fleet.yaml", "-p", "policy.npz")):
        whole = (folder / "policy.npz").read_bytes()
        (folder / "policy.npz").write_bytes(whole[: len(whole) // 2])
        assert "damaged" in refused(folder, *command)
        (folder / "policy.npz").unlink()
        assert "does not exist" in refused(folder, *command)
        (folder / "policy.npz").write_bytes(whole)
    configure(folder, zones=["a", "b", "c", "d"])
    assert "ring of 4 zones" in refused(folder, *SIMULATE)


def test_a_game_whose_rows_do_not_sum_to_1(folder: Path) -> None:
    arrays = random_arrays(1, 3, 3, 3, 3)
    arrays["P_l"][1, 2, 0] *= 0.9
    np.savez(folder / "game.npz", **arrays)
    configure(folder, game={"file": "game.npz"})
    message = refused(folder, *SOLVE)
    assert "game.npz: P_l[1, 2, 0, :] sums to 0.9" in message


def test_an_out_folder_that_cannot_be_written(folder: Path) -> None:
    # Below a regular file: refused for every user, root included; and before the work, not after.
    assert "cannot write to folder" in refused(folder, "solve", "fleet.yaml", "-o", "fleet.yaml/policy.npz")


def test_unknown_rules_and_backends(folder: Path) -> None:
    assert "rule 'learnt' is unknown" in refused(folder, *SIMULATE, "--rule", "learnt")
    assert "observer 'kalman' is unknown" in refused(folder, *SIMULATE, "--observer", "kalman")
    assert "sampling 'quota' is unknown" in refused(folder, *SIMULATE, "--sampling", "quota")
    assert "rho = 1.5" in refused(folder, *SIMULATE, "--observer", "dirichlet", "--rho", "1.5")
    assert "backend 'gazebo' is unknown" in refused(folder, *SIMULATE, "--backend", "gazebo")
    assert "no window" in refused(folder, *SIMULATE, "--gui")
    assert "game.P_l.counted" in refused(folder, "count", "fleet.yaml")
    assert "model backend" in refused(folder, "count", "fleet.yaml", "-o", "counts.yaml")


def test_observers_and_regrets_that_make_no_sense(folder: Path) -> None:
    choose = ("choose-k", "fleet.yaml")
    assert "observer 'particle' is unknown" in refused(folder, *SOLVE, "--observer", "particle")
    assert "observer 'forgetful' is unknown" in refused(folder, *choose, "--observer", "dirichlet,forgetful")
    assert "regret 2: expected a share" in refused(folder, *choose, "--regret", "2")
    assert "largest k 7: expected 1 to all n = 6" in refused(folder, *choose, "--largest", "7")


def test_choose_k_wants_the_robots_policy_of_a_game_whose_moves_are_no_ways(folder: Path) -> None:
    """Nobody's shortest way is known there, so robots would be made up."""
    P_l = np.full((2, 2, 2, 2), 0.5)
    arrays = {"P_g": np.full((2, 2, 2), 0.5), "P_l": P_l, "r_g": np.zeros((2, 2)), "r_l": np.ones((2, 2, 2))}
    np.savez(folder / "own.npz", discount=0.9, **arrays)
    configure(folder, game={"file": "own.npz"})
    said = refused(folder, "choose-k", "fleet.yaml")
    assert "meanfleet solve fleet.yaml -o policy.npz, then --policy policy.npz" in said
    meanfleet(folder, "solve", "fleet.yaml", "-o", "own-policy.npz", "-k", "2")
    few = ("--observer", "memoryless", "--rollouts", "250")
    chosen = printed(folder, "choose-k", "fleet.yaml", "-p", "own-policy.npz", *few)
    assert chosen["observers"]["memoryless"]["k"] == 1, "the remedy works; nothing matters in this game"


def test_an_unknown_option_or_command_exits_with_2(folder: Path) -> None:
    for arguments in (
        ("solve", "fleet.yaml", "--kk", "2"),
        ("slove",),
        ("simulate",),
        ("solve", "fleet.yaml", "-n", "0"),
    ):
        result = meanfleet(folder, *arguments)
        assert result.returncode == 2
        assert "Traceback" not in result.stderr


# --- results


def printed(folder: Path, *arguments: str) -> dict[str, Any]:
    """What a command prints with --json: one object and nothing else."""
    result = meanfleet(folder, *arguments, "--json")
    assert result.returncode == 0, result.stderr
    value = json.loads(result.stdout)
    assert isinstance(value, dict)
    return value


def test_solve_writes_what_it_prints_and_repeats_with_its_seed(folder: Path, policy: bytes) -> None:
    value = printed(folder, *SOLVE)
    written = folder / "solved.npz"
    assert written.read_bytes() == policy
    bundle = PolicyBundle.load(written, Game.from_yaml(folder / "fleet.yaml"))
    assert value["digest"] == bundle.digest
    assert value["ks"] == [1, 2]
    assert value["file"] == "solved.npz"
    assert value["how"]["n"] == 6
    assert np.array_equal(value["local_policy"], bundle.local_policy)
    for k, certificate in value["certificates"].items():
        assert certificate["k"] == int(k)
        assert certificate["global_gap"] >= 0
        rule = certificate["rule"]
        assert rule["name"] in {candidate["name"] for candidate in rule["candidates"]}
        assert rule["lead"]["runner_up"]["name"] != rule["name"]
    assert printed(folder, *SOLVE, "--seed", "1")["digest"] != bundle.digest


def test_a_list_of_k_gives_these_tables_and_samples_are_said_to_be_samples(folder: Path) -> None:
    value = printed(folder, *SOLVE, "-k", "1:2,4", "--sampled", "--samples", "5")
    assert value["ks"] == [1, 2, 4]
    assert all(c["global_kind"].startswith("estimate") for c in value["certificates"].values())


def test_inspect_tells_what_is_in_the_file(folder: Path) -> None:
    value = printed(folder, "inspect", "policy.npz")
    assert value["digest"] == PolicyBundle.load(folder / "policy.npz").digest
    assert value["game"]["zones"] == 3
    text = meanfleet(folder, "inspect", "policy.npz")
    assert text.returncode == 0
    assert "γ = 0.95" in text.stdout
    kinds = {certificate["local_kind"] for certificate in value["certificates"].values()}
    assert kinds
    assert all(f": {kind}" in " ".join(text.stdout.split()) for kind in kinds)
    for certificate in value["certificates"].values():
        assert certificate["rule"]["name"] in text.stdout
        assert f"{certificate['fleet']['mean']:.2f} ± {certificate['fleet']['error']:.2f}" in text.stdout
    assert f"remembers (κ = {value['filtering']['kappa']})" in text.stdout
    for setting in value["filtering"]["settings"].values():
        assert f"{setting['fleet']['lead']['low']:.2f} … {setting['fleet']['lead']['high']:.2f}" in text.stdout


@pytest.mark.parametrize("stored", [True, False])
def test_proofs_that_are_shown_are_of_what_is_stored(folder: Path, stored: bool) -> None:
    """Where the alternation ended is told; its gaps only as those of a table, if it is the one that is stored."""
    bundle = PolicyBundle.load(folder / "policy.npz")
    found = bundle.how["alternation"]
    proof = bundle.certificate[found["k"]] | ({} if stored else {"value_low": 7.25, "global_gap": 123.5})
    keys = (
        "k",
        "value_low",
        "value_high",
        "global_gap",
        "global_kind",
        "local_gap_low",
        "local_gap_high",
        "local_kind",
        "pair_gap",
        "pair_kind",
    )
    ended = {key: proof[key] for key in keys if key in proof}
    replace(bundle, how=bundle.how | {"alternation": found | {"certificate": ended}}).save(folder / "policy.npz")
    text = " ".join(meanfleet(folder, "inspect", "policy.npz").stdout.split())
    assert ("that pair is stored" in text, "that pair is not stored" in text) == (stored, not stored)
    assert "123.5" not in text
    for certificate in bundle.certificate.values():
        assert f"{certificate['value_low']:.2f}" in text
        assert f"≤ {gap_text(certificate['global_gap'])}" in text


def test_solving_for_an_observer_is_noted_and_inspect_tells_the_gain(folder: Path) -> None:
    value = printed(folder, "solve", "fleet.yaml", "-k", "1", "-o", "policy.npz", "--observer", "dirichlet")
    gain = value["how"]["robots"]["gain_over"]["shortest way"]
    text = " ".join(meanfleet(folder, "inspect", "policy.npz").stdout.split())
    assert f"{gain['low']:.2f} … {gain['high']:.2f} more than with robots' policy 'shortest way'" in text


def test_gaps_are_plain_numbers_from_a_hundredth_on_and_never_rounded_down() -> None:
    bounds = (78.1234, 1234.0, 0.01, 0.0101, 0.00999, 3e-9, 0.0)
    assert [gap_text(bound) for bound in bounds] == [
        "78.13",
        "1234.00",
        "0.01",
        "0.02",
        "1.0e-02",
        "3.0e-09",
        "0.0e+00",
    ]


def test_choose_k_names_a_k_and_the_messages_it_saves(folder: Path) -> None:
    """Six robots, one tick a second: k of them polled are 60·k messages a minute."""
    value = printed(folder, "choose-k", "fleet.yaml", "--regret", "0.5", "--rollouts", "500", "--particles", "20")
    assert set(value["observers"]) == {"memoryless", "dirichlet", "particle"}
    for answer in value["observers"].values():
        assert answer["messages_per_minute"] == {"needed": 60 * answer["k"], "saved": 60 * (6 - answer["k"])}
    few = ("--rollouts", "500", "--observer", "dirichlet")
    text = meanfleet(folder, "choose-k", "fleet.yaml", "--regret", "0.5", *few, "-p", "policy.npz")
    assert text.returncode == 0, text.stderr
    assert "dirichlet, lost: k = 1:" in text.stdout


def test_simulate_repeats_with_its_seed(folder: Path) -> None:
    first, same, other = (printed(folder, *SIMULATE, "--seed", seed) for seed in ("1", "1", "2"))
    assert first == same != other
    assert (first["ticks"], first["robots"], first["k"], first["messages"]) == (5, 6, 2, 10)
    assert first["statistics"]["jumps"] == 5
    text = meanfleet(folder, *SIMULATE, "--seed", "1")
    assert text.returncode == 0
    assert f"{first['discounted_return']:.2f}" in text.stdout


def test_compare_prints_rules_and_leads(folder: Path) -> None:
    value = printed(
        folder, "compare", "fleet.yaml", "-p", "policy.npz", "--ticks", "5", "--seeds", "2", "--workers", "1"
    )
    assert value["seeds"] == [0, 1]
    assert value["rules"].keys() == {"learned", "hold", "random"}
    for rule in ("hold", "random"):
        lead = value["rules"]["learned"]["mean"] - value["rules"][rule]["mean"]
        assert value["lead"][rule]["mean"] == pytest.approx(lead)


# --- help


def commands() -> list[str]:
    return [command.name for command in app.registered_commands if command.name]


def test_help_names_every_command(folder: Path) -> None:
    text = meanfleet(folder, "--help").stdout
    assert len(commands()) >= 6
    assert [command for command in commands() if command not in text] == []


@pytest.mark.parametrize("command", commands())
def test_help_of_every_command_contains_an_example(tmp_path: Path, command: str) -> None:
    result = meanfleet(tmp_path, command, "--help")
    assert result.returncode == 0
    assert f"Example: meanfleet {command}" in " ".join(result.stdout.split())


def test_version_is_the_packages(tmp_path: Path) -> None:
    assert meanfleet(tmp_path, "--version").stdout.strip() == __version__


def test_a_dispatcher_that_remembers_runs_from_the_command_line(folder: Path) -> None:
    """k = 3 has no table, but a belief needs none; the same seed gives the same run."""
    arguments = (*SIMULATE, "-k", "3", "--observer", "dirichlet", "--sampling", "stratified", "--rho", "0.9", "--json")
    first, same = (meanfleet(folder, *arguments) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == same.stdout
    said = json.loads(first.stdout)
    assert (said["observer"], said["sampling"], said["messages"]) == ("dirichlet", "stratified", 15)
