"""`python -m stages` is the console script `stages`."""

from stages.cli import main

main()
