"""Which kind a configuration is: a mistake is judged by its own keys, and the file of another command named as such."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from meanfleet.base.errors import UserError
from meanfleet.config import Config, kinds
from meanfleet.config.crowd import CrowdFile
from meanfleet.config.dynamics import DynamicsFile
from meanfleet.config.families import Kind
from meanfleet.config.federated import FederatedFile
from meanfleet.config.kinds import CROWD, FEDERATED, PLAYERS, kind_of
from meanfleet.families.line import KIND as LINE
from meanfleet.families.line.config import ContinuousConfig
from meanfleet.families.zones import KIND as WAREHOUSE
from meanfleet.studies.dynamics import study as learning
from meanfleet.studies.mfq import study as peers

CONFIGS = Path(__file__).resolve().parent.parent / "config"
MODELS = {LINE: ContinuousConfig, CROWD: CrowdFile, FEDERATED: FederatedFile, PLAYERS: DynamicsFile, WAREHOUSE: Config}
LOADS: dict[Kind, Callable[[Path], Any]] = {
    LINE: ContinuousConfig.from_yaml,
    CROWD: peers.load,
    FEDERATED: FederatedFile.from_yaml,
    PLAYERS: learning.load,
    WAREHOUSE: Config.from_yaml,
}
FILES = {
    "continuous": LINE,
    "squeeze": CROWD,
    "exploration": CROWD,
    "federated": FEDERATED,
    "prisoners": PLAYERS,
    "demo": WAREHOUSE,
    "warehouse": WAREHOUSE,
    "types": WAREHOUSE,
}


def content(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    return found


@pytest.mark.parametrize("kind", kinds.every(), ids=lambda kind: kind.command)
def test_the_keys_are_those_of_the_models(kind: Kind) -> None:
    hidden = {"source", "floor"} | ({"family", "own"} if kind is WAREHOUSE else set())
    assert {*kind.decisive, *kind.keys} == set(MODELS[kind].model_fields) - hidden


@pytest.mark.parametrize("name", FILES)
def test_a_mistyped_key_is_judged_by_the_schema_of_its_own_kind(name: str, tmp_path: Path) -> None:
    """Every key of the file, one letter short: the load of its kind names it, whatever key it is."""
    shutil.copy(CONFIGS / "demo.counts.yaml", tmp_path)
    whole = content(name)
    for key in whole:
        short = key[:-1]
        typed = {short if other == key else other: value for other, value in whole.items()}
        assert kind_of(typed) is FILES[name], short
        (tmp_path / "typed.yaml").write_text(yaml.safe_dump(typed, sort_keys=False))
        with pytest.raises(UserError) as refused:
            LOADS[FILES[name]](tmp_path / "typed.yaml")
        said = str(refused.value)
        assert f"unknown key '{short}'" in said
        if len(short) > 3:
            assert f"did you mean '{key}'" in said


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("taking", LOADS, ids=lambda kind: kind.command)
def test_a_file_of_another_kind_is_said_to_be_one(name: str, taking: Kind) -> None:
    kind = FILES[name]
    if kind is taking or (taking, kind) in {(WAREHOUSE, LINE), (CROWD, WAREHOUSE), (PLAYERS, WAREHOUSE)}:
        return  # these take them
    with pytest.raises(UserError) as refused:
        LOADS[taking](CONFIGS / f"{name}.yaml")
    if (taking, kind) == (CROWD, LINE):
        assert "'meanfleet continuous' solves such fleets" in str(refused.value)
    else:
        assert f"describes {kind.what}, which '{kind.command}' takes" in str(refused.value)
