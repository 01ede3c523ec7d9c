"""The running of a PGN's training from the window: worker thread, bridge, history."""
