"""`python -m daemon`: the command without its console script."""

from daemon.cli import main

main()
