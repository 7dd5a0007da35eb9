"""`meanfleet doctor`: a snapshot of the ROS graph and of stamps, compared with what meanfleet's nodes need."""
