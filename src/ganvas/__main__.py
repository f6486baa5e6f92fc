"""`python -m ganvas` is the command `ganvas`."""

from ganvas.cli.main import main

main()
