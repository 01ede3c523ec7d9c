"""The evaluation report: what a PGN does on images that nobody trained on, and how sure that is."""
