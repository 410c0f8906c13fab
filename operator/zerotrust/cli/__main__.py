"""``python -m zerotrust.cli``."""

from zerotrust.cli import main

main()
