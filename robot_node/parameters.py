"""The robot node's parameters. No ROS."""

from __future__ import annotations

from meanfleet.ros.parameters import AUTOSTART, CONFIG, EXCLUDE, MODE, POLICY, STATE_DIR, N, ParameterSpec

PARAMETERS: tuple[ParameterSpec, ...] = (
    CONFIG,
    POLICY,
    N,
    ParameterSpec("robots", (), "names of the robots of this process; empty: the whole fleet"),
    ParameterSpec("seed", 0, "every robot draws from its own stream of this seed", low=0),
    MODE,
    EXCLUDE,
    STATE_DIR,
    AUTOSTART,
)
