"""Where robots' goals go out: to a topic, or to an action of their navigation."""
