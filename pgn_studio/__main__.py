"""`python -m pgn_studio` is the command `pgn-studio`."""

from __future__ import annotations

import sys

from pgn_studio.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
