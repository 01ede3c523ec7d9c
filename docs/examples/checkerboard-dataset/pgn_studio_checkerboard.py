"""Noise with a checkerboard or with stripes: images for which nothing has to be downloaded."""

from __future__ import annotations

import numpy as np

from pgn_studio.plugins import ArrayPart, DataSource, load_arrays

SIZE, IMAGES = 16, 400
CLASSES = ("checkerboard", "stripes")


class Checkerboard(DataSource):
    def load(self, settings, progress):
        random = np.random.default_rng(0)
        row, column = np.indices((SIZE, SIZE))
        patterns = np.stack([(row + column) % 2, row % 2]) * 40
        labels = np.arange(IMAGES) % len(CLASSES)
        pixels = patterns[labels] + random.integers(0, 216, (IMAGES, SIZE, SIZE))
        # One part, "train": validation and test images are split off it as the settings say.
        part = ArrayPart("train", pixels.astype(np.uint8), labels, shown_as="pattern")
        size = settings.image_size or SIZE
        return load_arrays("checkerboard", [part], CLASSES, settings, root="", image_size=size)
