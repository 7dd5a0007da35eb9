"""Studies, named as their commands are: they solve, roll out and draw, and nothing in operation needs them."""
