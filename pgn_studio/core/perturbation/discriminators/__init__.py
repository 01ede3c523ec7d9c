"""The discriminators D: what each looks through, what it is told, and what it learns from."""
