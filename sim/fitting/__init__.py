"""A game learned from a recorded fleet."""
