"""Pictures of the window for the docs: `python -m tools.screenshots --out docs/screenshots`."""
