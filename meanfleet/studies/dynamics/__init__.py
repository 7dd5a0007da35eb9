"""Studies of players that keep learning: what is followed, found, drawn and written."""
