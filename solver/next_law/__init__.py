"""The law of the next histogram of k robots that move independently: expectations without enumerating pairs."""

from .choice import NextLaw, OutOfReachError, next_law
from .neighbours import lowered, raised

__all__ = ["NextLaw", "OutOfReachError", "lowered", "next_law", "raised"]
