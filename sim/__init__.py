"""The warehouse: layout, bodies, backends, its ROS node."""
