"""`meanfleet security`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meanfleet.base.files import replacing, writable_file
from meanfleet.config import Config
from meanfleet.operating.security import policy_xml, rights

from .common import ConfigFile, Fleet, Json, console, print_json


def security_command(
    config: ConfigFile,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for policy.xml.")] = Path("security"),
    namespace: Annotated[str, typer.Option(help="Of all nodes, such as /site_a.")] = "/",
    each: Annotated[bool, typer.Option("--each", help="An enclave for every robot instead of one for all.")] = False,
    n: Fleet = None,
    json: Json = False,
) -> None:
    """Write the SROS 2 policy of a fleet: which node may publish, subscribe and serve what.

    Example: meanfleet security config/demo.yaml --out security
    """
    granted = rights(Config.from_yaml(config).with_robots(n), namespace, each)
    file = out / "policy.xml"
    with replacing(writable_file(file)) as stream:
        stream.write(policy_xml(granted, namespace))
    enclaves = [one.enclave for one in granted]
    if json:
        print_json({"policy": str(file), "enclaves": enclaves})
        return
    console.print(f"{file}: {len(enclaves)} enclaves. On a machine with ROS 2, keys and permissions for all of them:")
    # Not through the console, which would break the line.
    typer.echo(f"  ros2 security generate_artifacts -k {out / 'keystore'} -p {file} -e {' '.join(enclaves)}")
