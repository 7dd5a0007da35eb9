"""The papers' figures and tables, made again: one module of `figures` for each, one report with what they show."""
