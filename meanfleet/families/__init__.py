"""Kinds of fleet: a folder each, with all that makes it differ from the others; `protocol` says what that is."""
