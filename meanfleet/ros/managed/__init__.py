"""Managed nodes: one life cycle for dispatcher and robots. Importing the package needs no ROS."""
