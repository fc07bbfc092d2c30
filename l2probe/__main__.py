"""`python -m l2probe`."""

from l2probe.cli import main

main()
