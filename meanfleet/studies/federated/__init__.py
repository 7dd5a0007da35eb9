"""Federated optimization (Example 2.6 of arXiv 2603.03759): k clients queried per round, as a game."""
