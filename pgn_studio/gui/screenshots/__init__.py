"""Pictures of the window for the docs: `python -m pgn_studio.gui.screenshots --out docs/screenshots`."""
