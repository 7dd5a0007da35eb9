"""Studies of SUBSAMPLE-MFQ: next to ALTERNATING-MARL on a warehouse, against the optimum on small fleets."""
