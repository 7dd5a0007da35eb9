"""meanfleet: a fleet dispatcher that polls k robots instead of n."""

__version__ = "0.1.0"
