"""The recorder: the running graph into a bag."""
