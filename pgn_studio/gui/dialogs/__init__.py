"""Dialogs: errors, classifiers, closing."""
