"""Which fleet of a bag is meant, where several were recorded: chosen by namespace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from meanfleet.base.errors import UserError


def namespaces(topics: Iterable[str], priority: str, names: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """Namespaces of the fleets in a bag, sorted; "" is the root.

    Args:
        topics: on which priorities are published.
        priority: their name within a namespace.
        names: of robots, as seen from the root.
        known: the configuration's robots; one of them below a namespace shows that a fleet is there.
    """
    tail, own = f"/{priority}", set(known)
    found = {topic.removesuffix(tail) for topic in topics if topic.endswith(tail)}
    for name in names:
        parts = name.split("/")
        depth = next((i for i in range(len(parts)) if "/".join(parts[i:]) in own), None)
        if depth is not None:
            found.add("".join(f"/{part}" for part in parts[:depth]))
    return tuple(sorted(found))


def choose(given: str | None, found: tuple[str, ...], template: str, source: str) -> str:
    """The namespace to read; "" is the root.

    Args:
        given: by the user; None: the only one there is.
        found: those of the bag.
        template: of the robots' topics, which may begin with a namespace.
        source: the bag's path.

    Raises:
        UserError: there is no such namespace, or more than one and none is given.
    """
    listed = ", ".join(space or "/" for space in found)
    if given is not None:
        space = "/" + given.strip("/") if given.strip("/") else ""
        if found and space not in found:
            raise UserError(f"bag {source} has no fleet in namespace {space or '/'}: choose from {listed}")
        return space
    within = [space for space in found if space and template.startswith(f"{space}/")]
    if within:
        return max(within, key=len)
    if len(found) > 1:
        raise UserError(f"bag {source} holds fleets in namespaces {listed}: choose one with --namespace")
    return found[0] if found else ""


def below(space: str, found: tuple[str, ...], owners: Mapping[str, str]) -> dict[str, str]:
    """The owners of topics without those of other fleets below the chosen namespace."""
    others = tuple(f"{other}/" for other in found if other != space and other.startswith(space))
    return {topic: robot for topic, robot in owners.items() if not topic.startswith(others)}
