"""One module per figure or table, each with a `FIGURE`; a new module is found by itself."""
