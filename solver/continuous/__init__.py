"""The continuous warehouse (math.md §1): its model, dispatchers, finite games made of it, and learning by gradients.

Only `learning/` needs the extra `continuous`; all the rest runs on numpy and on the exact solver.
"""
