"""The first-run tour: marks beside the window's own widgets."""
