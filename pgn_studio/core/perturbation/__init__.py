"""The perturbation generation network: generator, discriminator, losses and the saved PGN."""
