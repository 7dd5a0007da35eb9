"""Sampling, decision and the dispatcher's ROS node."""
