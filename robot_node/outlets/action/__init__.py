"""Goals as an action: navigate_to_pose, as Nav2 offers it."""
