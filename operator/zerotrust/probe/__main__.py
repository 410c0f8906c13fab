"""``python3 -m zerotrust.probe [DIR]``: DIR holds the plan and its credentials (a mounted Secret)."""

import sys

from zerotrust.probe.program import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
