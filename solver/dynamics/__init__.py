"""Players that keep learning in a finite Markov game: the noisy process and its ODE (MATH §9, arXiv 2506.21079)."""
