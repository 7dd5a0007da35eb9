"""A belief that outlives a change of the dispatcher: what an observer believed, another goes on with."""

from __future__ import annotations

from .dirichlet import DirichletObserver
from .particle import ParticleObserver
from .protocol import Observer


def handed_over(old: Observer, new: Observer) -> Observer:
    """`new` with the belief of `old`; both are of one fleet on the same zones.

    Of one kind: all of it, with the steps that late samples need, under the parameters of `new`. From Dirichlet to
    particles, or back, or between particles of different numbers of robots: the Dirichlet law, alone. Where one of them
    has no memory, `new` as it is.
    """
    resized = isinstance(old, ParticleObserver) and isinstance(new, ParticleObserver) and old.robots != new.robots
    if type(old) is type(new) and not resized:
        return new.restored(old.state())
    if isinstance(new, DirichletObserver | ParticleObserver) and old.alpha.sum() > 0:
        return new.believing(old.alpha)
    return new
