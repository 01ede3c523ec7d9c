"""Past features with what f said of them: more examples for D at no cost to f."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_MOST_ROWS, _MOST_VALUES = 8192, 2**21  # 8 MiB of features at most


class Replay(nn.Module):
    """A ring of (features, condition, f's answer, true label); buffers, so that a checkpoint holds it.

    f's answer is its label, or its probabilities of `classes` classes.

    Sound only where D's backbone is frozen and its condition stands still: old features stay valid.
    """

    features: Tensor
    conditions: Tensor
    answers: Tensor
    labels: Tensor
    written: Tensor

    def __init__(self, *, feature_dim: int, condition_dim: int, classes: int = 0) -> None:
        super().__init__()
        self.rows = min(_MOST_ROWS, max(1, _MOST_VALUES // max(feature_dim, classes)))
        self._count = 0  # of all ever added; known on the host, so that a GPU is not waited for
        self.register_buffer("features", torch.zeros(self.rows, feature_dim))
        self.register_buffer("conditions", torch.zeros(self.rows, condition_dim))
        kept = (self.rows, classes) if classes else (self.rows,)
        self.register_buffer("answers", torch.zeros(kept, dtype=torch.float32 if classes else torch.int64))
        self.register_buffer("labels", torch.zeros(self.rows, dtype=torch.int64))
        self.register_buffer("written", torch.zeros((), dtype=torch.int64))

    def __len__(self) -> int:
        return min(self._count, self.rows)

    def add(self, features: Tensor, conditions: Tensor, answers: Tensor, labels: Tensor) -> None:
        """Remember M examples, over the oldest ones."""
        rows = (torch.arange(len(labels)) + self._count).remainder(self.rows)
        rows = rows.to(labels.device, non_blocking=True)
        self.features[rows] = features.detach().float()
        self.conditions[rows] = conditions.detach().float()
        self.answers[rows] = answers
        self.labels[rows] = labels
        self._count += len(labels)
        self.written.fill_(self._count)

    def draw(self, count: int, draws: torch.Generator) -> Tensor:
        """Row numbers (count,) of remembered examples."""
        rows = torch.randint(0, len(self), (count,), generator=draws)
        return rows.to(self.labels.device, non_blocking=True)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._count = int(self.written)
