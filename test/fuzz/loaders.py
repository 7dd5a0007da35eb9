"""Every loader with what it takes: a right file, from which wrong ones are made, and what is done with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from lines import network

from meanfleet.base.errors import UserError
from meanfleet.cli.inspect import inspect_command
from meanfleet.config import Config
from meanfleet.config.counts import read_counts, read_steering, world_digest
from meanfleet.config.federated import FederatedFile
from meanfleet.config.line import LineConfig
from meanfleet.dispatcher_node.checkpoint import Checkpoint
from meanfleet.dispatcher_node.dispatcher import Dispatcher
from meanfleet.families.line.bundle import ContinuousBundle
from meanfleet.safety.operator_state import OperatorState
from meanfleet.sim.bags.files import find_files
from meanfleet.solver import Game
from meanfleet.solver.bundle.loading import load_any
from meanfleet.solver.bundle.policy import PolicyBundle, Table, _checksum
from meanfleet.solver.checkpoint import Checkpoint as SolverCheckpoint
from meanfleet.solver.dynamics.games import MarkovGame
from meanfleet.studies.dynamics.study import load as load_dynamics
from meanfleet.studies.mfq.study import load as load_peers
from meanfleet.studies.sweep.folder import SweepFolder
from meanfleet.studies.sweep.plan import SweepPlan
from naive.surrogate import random_arrays, random_policy

from .generators import Arrays, Rng, json_of, npz_of, packed, yaml_of

ROOT = Path(__file__).resolve().parents[2]
FLEETS = (
    """\
zones: [a, b, c]
fleet: {prefix: r, count: 4, overrides: {r1: {slot: 7}}}
game: {discount: 0.9, P_l: {base: 0.1, stay: 2.0}, r_g: 1.0, r_l: {same_zone: 5.0, move: [0.0, 0.1, 0.1]}}
dispatcher: {k: 2, tick: 1.0, max_age: 2.0, observer: dirichlet, sampling: weighted, probabilities: {r0: 2.0}}
robot: {heartbeat: 0.5}
safety: {mode: run, exclude: [r3], battery_low: 0.2}
world: {backend: model, layout: {rows: 2, slot_pitch: 0.6}, speed: 1.0}
solver: {tolerance: 1.0e-3, starts: [shortest, random], rho: [0.9, 1.0]}
""",
    """\
zones: [a, b, c, d]
graph: {a: [b, c], b: [a], c: [a, d], d: [c]}
fleet: {names: [x, y, site/z]}
types: {fast: {share: 1, P_l: {stay: 1.0}}, slow: {share: 2, r_l: {same_zone: 1.0}}}
interactions: {a: {fast: 2.0}}
game: {r_l: {move: {stay: 0.0, drive: -0.1, ways: {a: {b: 0.5}}}}}
""",
    """\
zones:
- {name: a, polygon: [[0, 0], [4, 0], [4, 4], [0, 4]], slots: [[1, 1, 0], [2, 1, 0], [3, 1, 0]]}
- {name: b, polygon: [[4, 0], [8, 0], [8, 4], [4, 4]], slots: [[5, 1, 0], [6, 1, 0], [7, 1, 0]]}
fleet: {prefix: r, count: 3}
robot: {zone_margin: 0.1}
world: {backend: model}
""",
)
LINE = """\
line: {robots: 6, targets: [-1.0, 0.0, 1.0], moves: [0.0, -0.1, 0.1], limit: 1.5}
bins: {kappa: 4, rho: 0.9, fleets: 10}
learning: {algorithm: ppo, alternations: 2, hidden: 4}
evaluation: {horizon: 5, rollouts: 4}
polled: [1, 5]
dispatcher: {k: 5, observer: dirichlet}
"""
PRISONERS = (ROOT / "config" / "prisoners.yaml").read_text(encoding="utf-8")
SQUEEZE = (ROOT / "config" / "squeeze.yaml").read_text(encoding="utf-8")
FEDERATED = (ROOT / "config" / "federated.yaml").read_text(encoding="utf-8")
METADATA = """\
rosbag2_bagfile_information:
  version: 5
  storage_identifier: mcap
  duration: {nanoseconds: 5}
  message_count: 3
  topics_with_message_count:
  - topic_metadata: {name: /r0/zone, type: std_msgs/msg/Header, serialization_format: cdr}
    message_count: 3
  compression_format: ""
  relative_file_paths: [run_0.mcap]
"""


@dataclass(frozen=True)
class Loader:
    """One loader.

    Attributes:
        make: a wrong file's bytes.
        right: files that are read.
        load: reads the file; returns whatever, or raises UserError.
        name: of the file, in a folder of its own.
    """

    make: Callable[[Rng], bytes]
    right: tuple[bytes, ...]
    load: Callable[[Path], object]
    name: str


def bundle() -> PolicyBundle:
    """A small one with everything in it that commands look at."""
    game = Game(**random_arrays(0, priorities=3, dispatches=3, zones=3, moves=3))
    fleet = {"n": 9, "horizon": 5, "mean": 1.0, "error": 0.1}
    lead = {"runner_up": {"low": 0.0, "high": 1.0}}
    notes = {"value_low": 1.0, "global_gap": 0.1, "local_gap_low": 0.0, "local_gap_high": 1.0, "local_kind": "exact"}
    full = notes | {"fleet": fleet, "rule": {"name": "hold", "robots": "none", "lead": lead}}
    tables = (Table(1, np.zeros((3, 3), np.int64), full), Table(2, np.zeros((3, 6), np.int64), notes))
    gain = {"gain_over": {"x": lead["runner_up"]}}
    how = {"alternation": {"start": "x", "certificate": {"k": 1} | notes}, "robots": gain}
    return PolicyBundle(game, random_policy(0, 3, 3, 3), tables, how)


def line() -> ContinuousBundle:
    """A bundle for robots on a line of three bins, with networks."""
    config = yaml.safe_load(LINE)["line"]
    arrays = random_arrays(0, priorities=3, dispatches=3, zones=3, moves=1)
    plain = PolicyBundle(Game(**arrays), np.ones((3, 3, 1)), bundle().tables, {})
    parts = {name: getattr(plain, name) for name in ("game", "local_policy", "tables", "how", "filtering", "peers")}
    return ContinuousBundle(
        **parts, line=LineConfig(**config), slack=0.1, dispatcher=network(3, 2, 3), robots=network(2, 2, 3)
    )


def sealed(content: Arrays) -> Arrays:
    """With the checksum of what it holds."""
    return content | {"checksum": np.array(_checksum(content))}


def _look(path: Path) -> object:
    """All that `meanfleet inspect` shows, and a decision."""
    inspect_command(path, None, json=False)
    inspect_command(path, None, json=True)
    found = load_any(path)
    one = np.zeros(found.game.zones, dtype=np.int64)
    one[0] = found.ks[0]
    return found.dispatch(0, one)


def _game(path: Path) -> object:
    config = Config.from_yaml(path)
    return Game.from_config(config) if config.family == "zones" and len(config.zones) < 20 else config


COUNTED = Config(zones=("a", "b", "c"), fleet={"prefix": "r", "count": 2})
COUNTS = {
    "world": world_digest(COUNTED),
    "counts": np.arange(27).reshape(3, 3, 3).tolist(),
    "steering": np.arange(27).reshape(3, 3, 3).tolist(),
}


def _counts(path: Path) -> object:
    return read_counts(path, COUNTED), read_steering(path, COUNTED)


def _resumed(path: Path) -> object:
    """As the node does."""
    checkpoint = Checkpoint(path)
    try:
        state = checkpoint.read()
        if state is not None:
            _dispatcher().restore(state)
    except (OSError, TypeError, ValueError) as error:
        raise UserError(str(error)) from None
    finally:
        checkpoint.close()
    return state


def _dispatcher() -> Dispatcher:
    return Dispatcher(bundle(), ("r0", "r1", "r2"), 2, seed=1)


PLAN = SweepPlan(game=Game(**random_arrays(0, priorities=3, dispatches=3, zones=3, moves=3)), ks=(1, 2), n=10)


def _unit(content: Any) -> dict[str, Any]:
    text = json.dumps(content, sort_keys=True)
    return {"checksum": hashlib.sha256(text.encode()).hexdigest(), "content": content}


def _opened(path: Path) -> object:
    """A sweep's folder with one file in it that is wrong."""
    options = path.parent / "options.json"
    if path != options:
        options.write_text(json.dumps(PLAN.identity()))
    folder = SweepFolder(path.parents[1], PLAN)
    return folder.bundle(2), folder.returns(2, "policy")


RETURNS = {"policy": "policy", "returns": {"0": {"mean": 1.0, "error": 0.1, "rollouts": 5, "horizon": 9}}}


STAGES = {
    "key": np.array("key"),
    "notes": np.array(json.dumps([["x", [1.0, 2.0], 1, False, False]])),
    "policy_0": random_policy(0, 3, 3, 3),
    "table_0": np.zeros((3, 6), np.int64),
}


def _bag(path: Path) -> object:
    (path.parent / "run_0.mcap").touch()
    return find_files(path.parent)


def _yaml(load: Callable[[Path], object], name: str, *texts: str) -> Loader:
    right = tuple(text.encode() for text in texts)
    return Loader(lambda rng: yaml_of(rng, texts[int(rng.integers(len(texts)))]), right, load, name)


def _npz(load: Callable[[Path], object], name: str, arrays: Arrays, seal: Callable[[Arrays], Arrays] = dict) -> Loader:
    return Loader(lambda rng: npz_of(rng, arrays, seal), (packed(seal(arrays)),), load, name)


def _json(load: Callable[[Path], object], name: str, value: Any, seal: Callable[[Any], Any] = dict) -> Loader:
    return Loader(lambda rng: json_of(rng, value, seal), (json.dumps(seal(value)).encode(),), load, name)


def loaders() -> dict[str, Loader]:
    """All of them, by name."""
    policy, on_line = bundle()._content(), line()._content()
    arrays = Game(**random_arrays(0, priorities=3, dispatches=3, zones=3, moves=3)).arrays()
    markov = {
        "transitions": np.full((4, 4, 4), 0.25),
        "rewards": np.zeros((2, 4, 4)),
        "actions": np.array([2, 2]),
    }
    operator = {"settings": {"k": 3}, "stops": {}, "drove": True}
    state = json.loads(json.dumps(_dispatcher().state()))
    return {
        "fleet": _yaml(_game, "fleet.yaml", *FLEETS),
        "line": _yaml(Config.from_yaml, "line.yaml", LINE),
        "dynamics": _yaml(load_dynamics, "dynamics.yaml", PRISONERS),
        "peers": _yaml(load_peers, "peers.yaml", SQUEEZE),
        "federated": _yaml(FederatedFile.from_yaml, "federated.yaml", FEDERATED),
        "counts": _yaml(_counts, "fleet.counts.yaml", yaml.safe_dump(COUNTS)),
        "bag": _yaml(_bag, "metadata.yaml", METADATA),
        "game": _npz(Game.from_npz, "game.npz", arrays),
        "markov game": _npz(MarkovGame.from_npz, "markov.npz", markov),
        "bundle": _npz(_look, "policy.npz", policy, sealed),
        "line bundle": _npz(_look, "policy.npz", on_line, sealed),
        "solver checkpoint": _npz(lambda path: SolverCheckpoint(path, "key"), "policy.npz.checkpoint", STAGES),
        "sweep bundle": _npz(_opened, "units/k0002.npz", policy, sealed),
        "dispatcher checkpoint": _json(_resumed, "state.json", state),
        "operator state": _json(OperatorState, "dispatcher.json", operator),
        "sweep options": _json(_opened, "units/options.json", PLAN.identity()),
        "sweep returns": _json(_opened, "units/k0002.json", RETURNS, _unit),
    }
