"""The Inspect page: the gallery beside the chosen image, its figures and exports."""
