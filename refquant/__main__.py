"""``python -m refquant``: the command line."""

import sys

from refquant.cli import main

if __name__ == "__main__":
    sys.exit(main())
