"""What could a generator know? `python docs/experiments/knowledge.py RUN`

RUN is of --encoder-training frozen, else what is read are the features below the stage that learned. The
features of a run's frozen encoder are read linearly (logistic regression, its strength chosen on
validation), and the reading's logits are added to those of f (two weights, fitted on validation). What
that fixes and breaks on the test split is about the most that p, which the same features make, can do.
Then: how much of what p does to f's logits goes along the reading, and what that part alone would do.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional as F

from pgn_studio.core.device import to_pixels
from pgn_studio.core.evaluation.metrics import fixed_and_broken
from pgn_studio.core.evaluation.perturber import added
from pgn_studio.core.project.opening import Opener, Subject

BATCH = 64
STRENGTHS = (0.001, 0.003, 0.01, 0.03)  # 1 / weight decay of the reading
CPU = torch.device("cpu")


class Known(NamedTuple):
    labels: Tensor  # (N,)
    features: Tensor  # (N, C) of the encoder, pooled
    clean: Tensor  # (N, K) logits of f
    perturbed: Tensor  # (N, K)
    half: Tensor  # (N, K) of x + p / 2


@torch.no_grad()
def known(subject: Subject, name: str) -> Known:
    """Of each image of a split of the run's own data."""
    pgn, split, parts = subject.pgn, subject.dataset.split(name), []
    for start in range(0, len(split), BATCH):
        rows = np.arange(start, min(start + BATCH, len(split)))
        pixels = to_pixels(split.images(rows), CPU)
        encoded = pgn.generator.encode(pixels)
        perturbation = pgn.generator.decode(encoded)
        shown = [added(pgn.space, pixels, part * perturbation).pixels.clamp(0, 1) for part in (0.0, 1.0, 0.5)]
        parts.append((encoded.mean((2, 3)), *(subject.classifier(images) for images in shown)))
    return Known(
        torch.tensor(np.asarray(split.labels, dtype=np.int64)),
        *(torch.cat(column) for column in zip(*parts, strict=True)),
    )


def reading(train: Known, val: Known, test: Known) -> tuple[Tensor, Tensor]:
    """Logits (N, K) of the linear reading for the validation and the test images."""
    mean, deviation = train.features.mean(0), train.features.std(0) + 1e-6
    columns = [((part.features - mean) / deviation).numpy() for part in (train, val, test)]
    best = None
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=200).fit(columns[0], train.labels.numpy())
        found = [torch.from_numpy(model.decision_function(part)).float() for part in columns[1:]]
        loss = float(F.cross_entropy(found[0], val.labels))
        if best is None or loss < best[0]:
            best = loss, found[0], found[1]
    assert best is not None
    return best[1], best[2]


def weights(val: Known, read: Tensor) -> Tensor:
    """How much f's logits and the reading's count together: two numbers, by the labels of validation."""
    found = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.LBFGS([found], max_iter=50)

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(found[0] * val.clean + found[1] * read, val.labels)
        value.backward()
        return value

    optimizer.step(loss)
    return found.detach()


def say(name: str, logits: Tensor, test: Known) -> None:
    before, after = ((answers.argmax(1) == test.labels).numpy() for answers in (test.clean, logits))
    fixed, broken = fixed_and_broken(before, after)
    print(f"| {name} | {100 * after.mean():.1f} % | {fixed}, {broken} |")


def main() -> None:
    torch.set_num_threads(1)
    subject = Opener().open_pgn(sys.argv[1])
    train, val, test = (known(subject, name) for name in ("train", "val", "test"))
    read_val, read = reading(train, val, test)
    of_f, of_reading = weights(val, read_val)
    print("|  | accuracy | fixed, broken |\n|---|---|---|")
    say("f", test.clean, test)
    say("PGN", test.perturbed, test)
    say("PGN at half its strength", test.half, test)
    say("the reading alone", read, test)
    say("f and the reading", of_f * test.clean + of_reading * read, test)
    say("f and half of the reading", of_f * test.clean + of_reading / 2 * read, test)
    change = centerd(test.perturbed - test.clean)
    along = centerd(read)
    along = along * (change * along).sum() / along.square().sum()
    say("f and p's part along the reading", test.clean + along, test)
    say("f and the rest of p", test.clean + change - along, test)
    both = torch.corrcoef(torch.stack([change.flatten(), along.flatten()]))[0, 1]
    print(f"\nCorrelation of what p does to f's logits with the reading: {float(both):.2f}")


def centerd(logits: Tensor) -> Tensor:
    return logits - logits.mean(1, keepdim=True)


if __name__ == "__main__":
    main()
