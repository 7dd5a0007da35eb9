"""`python -m meanfleet` is the command line."""

from .cli import main

main()
