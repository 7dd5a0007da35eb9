"""Zone map, robot policy, goal choice and the robots' ROS node."""
