"""The law of the next histogram of k robots that move independently: expectations without enumerating pairs."""

from .choice import NextLaw, NextLaws
from .symmetric_power import lowered, raised

__all__ = ["NextLaw", "NextLaws", "lowered", "raised"]
