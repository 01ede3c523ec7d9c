"""The Classifier page: what it is, how it does on clean images, and whether it is normalized rightly."""
