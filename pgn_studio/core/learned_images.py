"""Which images a network learned from, as it travels with the network's file: 48 bits of each picture."""

from __future__ import annotations

import base64
import binascii

import numpy as np

from pgn_studio.core.protocols import PixelHashes

_BYTES = 6  # of each hash


def packed(hashes: PixelHashes) -> str:
    """The hashes, sorted and each once, in eight characters each."""
    numbers = np.unique(hashes).astype(">u8")
    kept = numbers.view(np.uint8).reshape(-1, 8)[:, 8 - _BYTES :]
    return base64.b64encode(kept.tobytes()).decode("ascii")


def unpacked(text: object) -> PixelHashes | None:
    """None where nothing, or nothing of use, was recorded."""
    if not isinstance(text, str) or not text:
        return None
    try:
        content = np.frombuffer(base64.b64decode(text, validate=True), dtype=np.uint8)
        kept = content.reshape(-1, _BYTES)
    except (binascii.Error, ValueError):
        return None
    padded = np.zeros((len(kept), 8), dtype=np.uint8)
    padded[:, 8 - _BYTES :] = kept
    return padded.view(">u8").ravel().astype(np.uint64)
