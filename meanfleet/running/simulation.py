"""A whole run in one process, without ROS: the dispatcher's and the robots' own decision code on any world."""

from __future__ import annotations

from collections.abc import Callable

from meanfleet.config import Config
from meanfleet.config.families import family_of
from meanfleet.dispatcher_node.dispatcher import Dispatcher, Rule
from meanfleet.dispatcher_node.steering import Steering
from meanfleet.families.protocol import Run
from meanfleet.sim.backends.protocol import Backend
from meanfleet.sim.trajectory import Trajectory
from meanfleet.sim.world import check_world
from meanfleet.solver.bundle.loading import require_fit
from meanfleet.solver.bundle.policy import PolicyBundle

from .recording import RunBag

__all__ = ["Trajectory", "check_fit", "simulate"]


def check_fit(config: Config, bundle: PolicyBundle, steering: Steering, by_number: bool = False) -> None:
    """Raise UserError unless the bundle can run this fleet with this dispatcher; `by_number` as `require_fit`."""
    require_fit(bundle, config, by_number)
    steering.check(config, bundle)


def simulate(
    config: Config,
    bundle: PolicyBundle,
    *,
    k: int | None = None,
    observer: str = "",
    sampling: str = "",
    rho: float | None = None,
    ticks: int = 100,
    seed: int = 0,
    rule: Rule = "learned",
    backend: str | None = None,
    gui: bool = False,
    record: RunBag | None = None,
    explore: float = 0.0,
    on_tick: Callable[[int, Dispatcher, Backend], None] | None = None,
) -> Trajectory:
    """Run dispatcher, robots and world for `ticks` ticks.

    k, observer, sampling and rho take the place of the configuration's where they are given. `record` is written, and
    closed at the end. A share `explore` of the robots' moves is drawn evenly instead of from π_l, for what a policy
    alone never shows to a fit.

    Raises:
        UserError: the bundle does not fit the configuration, or k has no table or exceeds the fleet.
    """
    steering = Steering(k, observer, sampling, rho)
    check_fit(config, bundle, steering, by_number=check_world(config, backend, gui) == "model")
    dispatcher = steering.dispatcher(config, bundle, seed, rule)
    run: Trajectory = family_of(config).simulate(
        Run(config, bundle, dispatcher, ticks, seed, backend, gui, on_tick), record, explore
    )
    return run
