"""What `bench/soak.py` is made of: processes, faults, the ledger's audit, memory, a figure."""
