"""The method and everything about it that needs no window: torch and numpy, never Qt."""
