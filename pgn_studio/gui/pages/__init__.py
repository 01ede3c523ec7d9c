"""The pages of the window and its set-up, each by its name."""
