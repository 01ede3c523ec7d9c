"""The set-up dock and the training page."""
