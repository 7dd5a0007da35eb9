"""Sweeps over k: one solve per k, returns on many seeds, tables and figures. Killed, they resume."""
