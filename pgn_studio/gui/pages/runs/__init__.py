"""The Runs page: what was trained, with which settings, how well, and what people noted."""
