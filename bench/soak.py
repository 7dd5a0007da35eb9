"""A fleet that something breaks in every ten seconds, for half an hour: crashes, lost ticks, memory.

    python bench/soak.py [--minutes 30 | --quick] [--n 300] [--k 10] [--seed 0] [--json FILE] [--figure FILE]

The whole graph of processes over DDS on a domain of its own, PyBullet in real time, tick 1 s, 30 robots per process,
the dispatcher with a checkpoint. Faults: see soaking/faults.py. Dispatchers are killed in the first third only; then
one lives on, is put through every setting once and warmed up, and its memory is held against its subscriptions.

Exit code 1 if a process ended without being told, a log shows an exception, a fault did not do what an operator would
expect, or a tick is in no ledger. --logs FOLDER keeps the logs. Needs psutil.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from fleet import CONFIG, policy
from measuring import machine
from soaking.arena import Arena, Fleet
from soaking.crew import Crew
from soaking.figure import figure
from soaking.ledger import OUTCOMES, balance
from soaking.memory import trend
from soaking.node import Ears, SoakNode
from soaking.run import History, Soak

from meanfleet.base.errors import UserError
from meanfleet.config import Config

PERIOD = 10.0  # [s, wall] between two faults
TARGET = 0.5  # [MB] per 1,000 subscriptions
ENOUGH = 2000  # subscriptions of a life for a verdict: fewer are dominated by what is used for the first time
QUICK = 3.0  # [min]
DOMAINS = range(101, 0, -1)  # those that Linux has ports for; tests take from the lower ones


def soak(fleet: Fleet, minutes: float, logs: Path) -> tuple[History, SoakNode, Arena]:
    """Run it; what happened, what was heard, and the outages."""
    domain = free_domain()
    own = {"ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    os.environ.update(own)
    ears = Ears(domain)
    try:
        root = str(Path(__file__).resolve().parent.parent)
        crew = Crew(logs, os.environ | {"PYTHONPATH": root})
        arena = Arena(fleet, crew, ears.node)
        return Soak(arena, ears, 60 * minutes, PERIOD).run(), ears.node, arena
    finally:
        ears.close()


def free_domain() -> int:
    """A ROS domain on which nobody on this machine listens: domain d has the UDP ports from 7400 + 250 d on."""
    taken = {(socket.laddr.port - 7400) // 250 for socket in psutil.net_connections("udp") if socket.laddr}
    for domain in DOMAINS:
        if domain not in taken:
            return domain
    raise UserError("all ROS domains of this machine are in use: end some of its ROS nodes first")


def results(history: History, node: SoakNode, arena: Arena, tick: float) -> dict[str, Any]:
    """All figures."""
    ledger = balance(node.reports, arena.outages, tick)
    gather = [report.gather for report in node.reports] or [float("nan")]
    kinds = [fault.kind for fault in history.faults]
    return {
        "faults": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "wrong": history.wrong,
        "interrupted": history.interrupted,
        "ledger": asdict(ledger),
        "outages": [asdict(outage) | {"began": outage.began - history.began} for outage in arena.outages],
        "refused": node.refused,
        "crowded": node.crowded,
        "clashes": node.clashes,
        "bad_poses": node.bad_poses,
        "gather": {"p50": float(np.quantile(gather, 0.5)), "p99": float(np.quantile(gather, 0.99))},
        "memory": memory(history),
        "ok": not (history.wrong or ledger.wrong or history.interrupted),
    }


def memory(history: History) -> dict[str, Any]:
    """The dispatcher's growth per 1,000 subscriptions once it was warm, and what everybody used [MB]."""
    warm = [s for s in history.samples if s.time >= history.measured_from and "dispatcher" in s.used]
    made = [sample.subscriptions / 1000 for sample in warm]
    resident = trend(made, [sample.used["dispatcher"][0] / 1e6 for sample in warm])
    own = trend(made, [(sample.used["dispatcher"][0] - sample.used["dispatcher"][1]) / 1e6 for sample in warm])
    parts = {}
    for part in ("world", "dispatcher", "robots"):
        used = [
            statistics.median(sizes)
            for s in history.samples
            if s.time > 0 and (sizes := [rss / 1e6 for name, (rss, _) in s.used.items() if name.startswith(part)])
        ]
        if used:
            few = max(len(used) // 10, 1)
            first, last = statistics.median(used[:few]), statistics.median(used[-few:])
            parts[part] = {"first": first, "last": last, "most": max(used)}
    return {
        "resident": resident and asdict(resident),
        "without_shared": own and asdict(own),
        "subscriptions": round(1000 * (made[-1] - made[0])) if made else 0,
        "seconds": warm[-1].time - warm[0].time if warm else 0.0,
        "parts": parts,
    }


def show(found: dict[str, Any]) -> None:
    """Print the figures."""
    ledger = found["ledger"]
    print(f"faults: {sum(found['faults'].values())}")
    for kind, count in found["faults"].items():
        print(f"  {count:4} {kind}")
    refused = ", ".join(f"{count} {reason}" for reason, count in sorted(found["refused"].items())) or "none"
    print(f"samples refused: {refused}; most messages of a robot in a tick: {found['crowded']}")
    print(
        f"ticks with a second publisher of the priority seen: {found['clashes']}; bad poses told: {found['bad_poses']}"
    )
    print(f"crashes and broken promises: {len(found['wrong'])}")
    for text in found["wrong"]:
        print(f"  {text}")
    counts = " + ".join(f"{ledger['counts'].get(outcome, 0)} {outcome}" for outcome in OUTCOMES)
    down = " + ".join(f"{ticks} down ({cause})" for cause, ticks in ledger["down"].items())
    print(f"ticks: {ledger['due']} due = {counts} + {down}; {'does not add up' if ledger['wrong'] else 'adds up'}")
    print(f"  {ledger['reported']} reported, {ledger['unreported']} decided around a kill, heard by nobody")
    for text in ledger["wrong"]:
        print(f"  {text}")
    print(f"gather: p50 {1e3 * found['gather']['p50']:.0f} ms, p99 {1e3 * found['gather']['p99']:.0f} ms")
    show_memory(found["memory"])


def show_memory(used: dict[str, Any]) -> None:
    """Print the part about memory."""
    about = (
        f"over {used['subscriptions']} subscriptions in {used['seconds'] / 60:.1f} min of the last dispatcher's life"
    )
    for name, label in (("resident", "resident"), ("without_shared", "without shared pages")):
        slope = used[name]
        if slope is None:
            print(f"memory, {label}: too short to say {about}")
            continue
        within = "met" if slope["high"] <= TARGET else "missed" if slope["low"] > TARGET else "undecided"
        within = within if used["subscriptions"] >= ENOUGH else "not judged by so few"
        print(
            f"memory, {label}: {slope['slope']:+.3f} MB per 1,000 subscriptions, 95 % {slope['low']:+.3f} … "
            f"{slope['high']:+.3f} {about}; target {TARGET:g}: {within}"
        )
    print(f"{'resident [MB]':>16} {'first':>8} {'last':>8} {'most':>8}   (medians over a tenth of the run)")
    for part, values in used["parts"].items():
        print(f"{part:>16} {values['first']:>8.1f} {values['last']:>8.1f} {values['most']:>8.1f}")


def main() -> int:
    """Soak, print, and write JSON and figure if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:g} minutes")
    parser.add_argument("--n", type=int, default=300)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the fleet and of which faults come when")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--figure", type=Path, metavar="FILE")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="keep the processes' logs there")
    given = parser.parse_args()
    minutes = QUICK if given.quick else given.minutes
    config = Config.from_yaml(CONFIG)
    bundle = policy(config)
    with tempfile.TemporaryDirectory(prefix="meanfleet-soak-") as folder:
        fleet = Fleet(CONFIG, bundle, config.with_robots(given.n), given.k, given.seed, Path(folder))
        history, node, arena = soak(fleet, minutes, given.logs or Path(folder) / "logs")
    found = results(history, node, arena, config.dispatcher.tick)
    show(found)
    if given.json is not None:
        about = {"minutes": minutes, "n": given.n, "k": given.k, "seed": given.seed, "machine": machine()}
        given.json.write_text(json.dumps(about | found, indent=2))
    if given.figure is not None and node.reports:
        figure(history, node.reports, given.figure)
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        print(f"soak: {error}", file=sys.stderr)
        sys.exit(UserError.exit_code)
