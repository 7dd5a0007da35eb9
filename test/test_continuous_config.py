"""config/continuous.yaml and mistakes in such files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from meanfleet.base.errors import UserError
from meanfleet.families.line.config import DEPLOYED, ContinuousConfig
from meanfleet.solver.continuous.warehouse import ContinuousWarehouse

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "config" / "continuous.yaml"


def test_the_shipped_file_says_every_default_and_is_the_papers_warehouse() -> None:
    config = ContinuousConfig.from_yaml(SHIPPED)
    assert config == ContinuousConfig()
    assert ContinuousWarehouse(**config.line.model_dump()) == ContinuousWarehouse()
    written = yaml.safe_load(SHIPPED.read_text())
    for name, section in config:
        if name != "polled" and name not in DEPLOYED:  # the keys of these are told in demo.yaml
            assert set(written[name]) == set(type(section).model_fields) - {"line"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"lines": {}}, "unknown key 'lines'"),
        ({"line": {"robot": 3}}, r"unknown key 'line.robot' \(did you mean 'robots'\?\)"),
        ({"line": {"targets": [0.0, 0.0]}}, "targets must ascend within ± limit = 2"),
        ({"line": {"targets": [0.0, 3.0]}}, "targets must ascend within ± limit = 2"),
        ({"line": {"moves": [0.1, 0.0]}}, "first of the moves must be 0"),
        ({"line": {"start_range": 3.0}}, "start_range is beyond limit"),
        ({"line": {"discount": 1.0}}, "key 'line.discount'"),
        ({"line": {"majority": 0.0}}, "key 'line.majority'"),
        ({"line": {"majority": 1.0}}, "key 'line.majority'"),
        ({"polled": [0]}, "from 1 to line.robots = 500"),
        ({"polled": [501]}, "from 1 to line.robots = 500"),
        ({"learning": {"algorithm": "sac"}}, "key 'learning.algorithm'"),
        ({"learning": {"learners": 501}}, "more learners than line.robots"),
        ({"zones": ["a", "b"]}, "describes a warehouse with zones"),
        ({"tracks": {"pitch": 0.3}}, "tracks.pitch must exceed the robot's diameter"),
        ({"tracks": {"line": {}}}, "it stands at the top level"),
        ({"world": {"backend": "kinematic"}}, "have the backends bullet and model"),
        ({"robot": {"heartbeat": 3.0}}, "robot.heartbeat: 3.0 s is more than half"),
        ({"dispatcher": {"k": 0}}, "key 'dispatcher.k'"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    path = tmp_path / "line.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=message) as caught:
        ContinuousConfig.from_yaml(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
