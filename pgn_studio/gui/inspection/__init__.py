"""Looking at what a PGN did: the gallery beside the chosen image, its figures and exports."""
