"""Data sets: image folders and named sets as uint8 RGB squares in train, val and test."""
