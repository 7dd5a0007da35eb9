"""Slow, obvious twins of the product's fast code. They import nothing from it."""
