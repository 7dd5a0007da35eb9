"""Players that keep learning in a finite Markov game: the noisy process and its ODE (math.md §9, arXiv 2506.21079)."""
