"""Which k would have been enough: a recorded fleet polled again, k robots at a time."""
