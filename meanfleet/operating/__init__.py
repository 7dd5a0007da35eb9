"""What operators look through: `doctor` finds what is wrong with a fleet's ROS graph, `watch` shows it at work."""
