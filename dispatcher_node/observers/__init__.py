"""What the dispatcher believes of the whole fleet: observers behind one protocol, numpy alone."""

from __future__ import annotations

from meanfleet.base.errors import UserError
from meanfleet.solver.bundle.policy import PolicyBundle

from .dirichlet import DirichletObserver
from .handover import handed_over
from .memoryless import MemorylessObserver
from .particle import PARTICLES, ParticleObserver
from .protocol import HISTORY, Belief, Observer, Sample, belief_of, fleet_step

OBSERVERS = ("memoryless", "dirichlet", "particle")


def check_observer(name: str, bundle: PolicyBundle, rho: float | None = None, kappa: int | None = None) -> None:
    """Raise UserError unless the bundle can run the observer with this ρ and this κ (None: the bundle's)."""
    if name not in OBSERVERS:
        raise UserError(f"observer {name!r} is unknown: choose from {', '.join(OBSERVERS)}")
    if rho is not None and not 0 < rho <= 1:
        raise UserError(f"rho = {rho}: expected a number above 0 and at most 1")
    if name != "memoryless" and bundle.filtering is None:
        raise UserError(
            f"observer {name!r} needs a policy with a filter, which this bundle has not: "
            "solve again, or choose the memoryless one"
        )
    if kappa is not None and (bundle.filtering is None or kappa != bundle.filtering.kappa):
        held = "no filter" if bundle.filtering is None else f"a filter for kappa = {bundle.filtering.kappa}"
        raise UserError(f"kappa = {kappa}, but the policy holds {held}: leave kappa at 0, or solve with solver.kappa")


def fitted_to_another(name: str, bundle: PolicyBundle) -> str:
    """A sentence if the robots' policy was chosen for a dispatcher of the other kind; empty if not, or if unknown."""
    settings = bundle.how.get("settings")
    if not isinstance(settings, dict) or "observer" not in settings:
        return ""
    chosen, wanted = settings["observer"] or "memoryless", "memoryless" if name == "memoryless" else "dirichlet"
    if chosen == wanted:
        return ""
    return (
        f"the robots' policy was chosen for observer {chosen}, and this dispatcher runs {name}: "
        f"'meanfleet solve … --observer {wanted}' chooses it for this one"
    )


def make_observer(
    name: str,
    bundle: PolicyBundle,
    robots: int,
    k: int,
    rho: float | None = None,
    seed: int = 0,
    particles: int = PARTICLES,
) -> Observer:
    """The observer of that name for a fleet of `robots` robots of which about k are polled per tick.

    ρ is the setting's for k with "dirichlet", and 1 (exact Bayes) with "particle", unless it is given. The setting's
    is where it starts, and samples lead it on; a given one is kept.

    Raises:
        UserError: an unknown name, ρ outside (0, 1], or a bundle without a filter.
    """
    check_observer(name, bundle, rho)
    if bundle.filtering is None or name == "memoryless":
        return MemorylessObserver(bundle.game.zones)
    model, step = bundle.filtering, fleet_step(bundle.game, bundle.local_policy)
    if name == "particle":
        return ParticleObserver(step, model.prior, robots, 1.0 if rho is None else rho, particles, seed)
    setting = model.setting_for(k)
    if rho is None:
        return DirichletObserver(step, model.prior, setting.rho, setting.adaptive)
    return DirichletObserver(step, model.prior, rho)


__all__ = [
    "HISTORY",
    "OBSERVERS",
    "PARTICLES",
    "Belief",
    "DirichletObserver",
    "MemorylessObserver",
    "Observer",
    "ParticleObserver",
    "Sample",
    "belief_of",
    "check_observer",
    "fitted_to_another",
    "fleet_step",
    "handed_over",
    "make_observer",
]
