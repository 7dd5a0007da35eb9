"""`python -m meanfleet` is the command line."""

from meanfleet.cli import main

main()
