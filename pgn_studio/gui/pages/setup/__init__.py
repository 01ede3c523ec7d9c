"""The set-up beside the pages: data, classifier, settings, and the buttons of a run."""
