"""Wrong files by the thousand, from a seed: generators, and the loaders that take them."""
