"""PGN Studio: small additive perturbations that raise or lower a frozen classifier's accuracy."""

__version__ = "0.1.0"
