"""A topic that one node alone may publish."""
