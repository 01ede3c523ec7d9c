"""The gallery: a filtered, sorted list of a split's images with lazy thumbnails."""
