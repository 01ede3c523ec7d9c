"""Classifiers that are programs (torch.export, TorchScript): what they take and what they give."""
