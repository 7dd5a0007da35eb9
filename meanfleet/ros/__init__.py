"""What the ROS nodes share: start and end, quality of service, stamps. Importing the package needs no ROS."""
