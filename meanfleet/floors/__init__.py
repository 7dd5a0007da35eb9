"""Floors made from a configuration: the ring that is simulated, a measured hall, tracks."""
