"""The dispatcher node's parameters, and what they say about its dispatcher. No ROS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meanfleet.config import Config
from meanfleet.ros.parameters import AUTOSTART, CONFIG, EXCLUDE, MODE, POLICY, STATE_DIR, N, ParameterSpec
from meanfleet.solver.bundle.policy import PolicyBundle

from .dispatcher import RULES, Dispatcher
from .observers import OBSERVERS
from .sampling import DESIGNS
from .steering import Steering

PARAMETERS: tuple[ParameterSpec, ...] = (
    CONFIG,
    POLICY,
    N,
    ParameterSpec("k", 0, "robots polled per tick; 0: as the configuration says", low=0, effect="between ticks"),
    ParameterSpec("seed", 0, "draws of robots and of the priority", low=0),
    ParameterSpec("rule", "learned", "how it decides", choices=RULES, effect="between ticks"),
    ParameterSpec(
        "observer",
        "",
        "what it remembers; empty: as the configuration says",
        choices=("", *OBSERVERS),
        effect="between ticks",
    ),
    ParameterSpec(
        "sampling",
        "",
        "whom it polls; empty: as the configuration says",
        choices=("", *DESIGNS),
        effect="between ticks",
    ),
    ParameterSpec(
        "rho",
        0.0,
        "share of the belief that survives a tick; 0: as the configuration or the policy says",
        low=0,
        high=1,
        effect="between ticks",
    ),
    ParameterSpec("kappa", 0, "κ of the policy's filter to ask; 0: as the policy says", low=0, effect="between ticks"),
    MODE,
    EXCLUDE,
    ParameterSpec("checkpoint", "", "file in which the state is kept; an existing one is resumed; empty: none"),
    ParameterSpec("startup_timeout", 20.0, "[s, wall] to wait for all robots before the first tick", low=0),
    ParameterSpec("await_nodes", (), "nodes, without namespace, that are to hear of the first tick by diagnostics"),
    STATE_DIR,
    AUTOSTART,
)


def dispatcher_from(values: Mapping[str, Any], config: Config, bundle: PolicyBundle) -> Dispatcher:
    """The dispatcher that the parameters' values by name describe.

    Raises:
        UserError: the bundle or the fleet does not allow it.
    """
    steering = Steering(
        values["k"] or None,
        values["observer"],
        values["sampling"],
        values["rho"] or None,
        values["kappa"] or None,
        tuple(values["exclude"] or ()),
    )
    return steering.dispatcher(config, bundle, values["seed"], values["rule"])
