"""The cellar: what knows nothing of fleets. Files written whole, numbers and their intervals, figures, memory."""
