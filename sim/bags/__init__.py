"""Bags of a fleet: read into one plain structure, and recorded from the running graph."""
