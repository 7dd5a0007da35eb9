"""`meanfleet up --fleet`: the processes of a real fleet."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from meanfleet.base.errors import UserError

SIMULATED = {"config": "", "n": 0, "backend": "", "gui": False, "real_time_factor": -1.0}
"""Arguments of a simulated warehouse, which a real fleet's file takes the place of, with their defaults."""


def fleet_arguments(given: Mapping[str, object], fleet: Mapping[str, object]) -> dict[str, object]:
    """Arguments of the fleet's graph out of those of `meanfleet up`.

    Raises:
        UserError: one of them is for the simulation only.
    """
    for name, default in SIMULATED.items():
        if given[name] != default:
            raise UserError(f"{name} is for the simulated warehouse: leave it out, --fleet names the fleet's own file")
    return {name: value for name, value in given.items() if name not in SIMULATED} | dict(fleet)


def start_fleet(given: Mapping[str, object], logs: Path, quiet: bool = False) -> int:
    """Run the fleet's graph to its end; returns the exit code.

    Other computers are looked for too, unless the environment says otherwise.
    """
    from meanfleet.running.fleet import fleet_graph
    from meanfleet.running.supervisor import Supervisor

    reach = {"ROS_AUTOMATIC_DISCOVERY_RANGE": os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")}
    return Supervisor(fleet_graph(given), logs, reach, quiet=quiet).run()
