"""The RViz configuration and the Foxglove layout: whole, and about topics and values that meanfleet's nodes publish."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from meanfleet.config import Config
from meanfleet.dispatcher_node.report import TickReport
from meanfleet.operating.doctor.expected import Expected

CONFIG = Path(__file__).resolve().parents[2] / "config"
TOPICS = {topic.name: topic for topic in Expected.from_config(Config.from_yaml(CONFIG / "demo.yaml")).topics()}
PATH = re.compile(r"^(?P<topic>(/\w+)+)\.(?P<field>.+)$")
VALUE = re.compile(r'^status\[:\]\{name=="(?P<name>[\w ]+)"\}\.values\[:\]\{key=="(?P<key>\w+)"\}\.value$')


@pytest.fixture(scope="module")
def rviz() -> dict[str, Any]:
    loaded = yaml.safe_load((CONFIG / "meanfleet.rviz").read_text())["Visualization Manager"]
    assert isinstance(loaded, dict)
    return loaded


@pytest.fixture(scope="module")
def foxglove() -> dict[str, Any]:
    loaded = json.loads((CONFIG / "meanfleet.foxglove.json").read_text())
    assert isinstance(loaded, dict)
    return loaded


# --- RViz


def test_rviz_shows_the_markers_with_the_qos_they_are_offered_with(rviz: dict[str, Any]) -> None:
    """Late-joining RViz gets the latched markers only if it asks for transient local."""
    (display,) = [one for one in rviz["Displays"] if one["Class"] == "rviz_default_plugins/MarkerArray"]
    topic = display["Topic"]
    assert TOPICS[topic["Value"]].type == "visualization_msgs/msg/MarkerArray"
    assert (topic["Reliability Policy"], topic["Durability Policy"]) == ("Reliable", "Transient Local")
    assert display["Enabled"]


def test_rvizs_frame_and_namespaces_are_the_markers_own(rviz: dict[str, Any]) -> None:
    """Then no transform is needed, which nobody publishes."""
    pytest.importorskip("visualization_msgs", reason="needs ROS 2 (wheels or an installation)")
    import numpy as np

    from meanfleet.ros.conversions import to_stamp
    from meanfleet.sim.conversions import fleet_markers

    markers = fleet_markers([np.eye(3)[:, :2]], np.zeros((1, 3)), np.zeros(1, np.int64), 0.2, 0, to_stamp(1.0)).markers
    (display,) = [one for one in rviz["Displays"] if one["Name"] == "Fleet"]
    assert {marker.ns for marker in markers} == set(display["Namespaces"])
    assert {marker.header.frame_id for marker in markers} == {rviz["Global Options"]["Fixed Frame"]}


# --- Foxglove


def places(layout: Any) -> Iterator[str]:
    """The panels of a layout, from left to right and top to bottom."""
    if isinstance(layout, str):
        yield layout
    else:
        assert layout["direction"] in ("row", "column")
        assert 0 < layout["splitPercentage"] < 100
        yield from places(layout["first"])
        yield from places(layout["second"])


def test_every_panel_has_one_place_and_a_configuration(foxglove: dict[str, Any]) -> None:
    found = list(places(foxglove["layout"]))
    assert sorted(found) == sorted(foxglove["configById"])
    kinds = {panel.split("!")[0] for panel in found}
    assert kinds == {"3D", "StateTransitions", "Plot", "DiagnosticSummary"}


def test_the_3d_panel_shows_the_markers_in_the_map(foxglove: dict[str, Any]) -> None:
    panel = foxglove["configById"]["3D!fleet"]
    assert {TOPICS[topic].kind for topic, shown in panel["topics"].items() if shown["visible"]} == {"markers"}
    assert panel["followTf"] == "map"


def paths(foxglove: dict[str, Any]) -> list[str]:
    return [path["value"] for panel in foxglove["configById"].values() for path in panel.get("paths", [])]


def test_plots_draw_figures_that_the_dispatcher_reports(foxglove: dict[str, Any]) -> None:
    """A value of a KeyValue is text; Foxglove plots it if it is a number, and JSON numbers are."""
    kinds = {field.name: field.type for field in fields(TickReport)}
    drawn = [path for path in paths(foxglove) if path.startswith("/diagnostics")]
    assert len(drawn) >= 5
    for path in drawn:
        match = PATH.match(path)
        assert match is not None, path
        assert TOPICS[match["topic"]].kind == "diagnostics"
        value = VALUE.match(match["field"])
        assert value is not None, path
        assert value["name"] == "dispatcher"
        assert kinds[value["key"]] in ("int", "float"), path


def test_the_state_is_the_priority(foxglove: dict[str, Any]) -> None:
    (path,) = [path for path in paths(foxglove) if not path.startswith("/diagnostics")]
    match = PATH.match(path)
    assert match is not None
    assert (TOPICS[match["topic"]].kind, match["field"]) == ("priority", "frame_id")


def test_the_summary_shows_meanfleets_nodes(foxglove: dict[str, Any]) -> None:
    panel = foxglove["configById"]["DiagnosticSummary!nodes"]
    assert TOPICS[panel["topicToRender"]].type == "diagnostic_msgs/msg/DiagnosticArray"
    assert panel["hardwareIdFilter"] == "meanfleet"
