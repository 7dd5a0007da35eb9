"""The worlds behind one protocol: driving bodies (bullet), driving points (kinematic), jumping zones (model)."""
