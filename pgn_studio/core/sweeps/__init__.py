"""Many runs as one: sweeps over settings, and the paper's tables."""
