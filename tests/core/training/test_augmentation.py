"""What "auto" means is settled when a run begins, and stays so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.perturbation.pgn import load_pgn
from tests.core.training.conftest import Train
from tests.core.training.test_trainer import assert_same, weights


@pytest.mark.parametrize(("mirrorable", "augment"), [(True, "flip"), (None, "flip"), (False, "none")])
def test_a_run_records_what_was_done_to_its_images(
    train: Train, settings: TrainingSettings, digits: ImageDataset, mirrorable: bool | None, augment: str
) -> None:
    dataset = replace(digits, name="letters", mirrorable=mirrorable)
    auto = settings.updated(augment="auto", epochs=1)
    folder, _ = train(auto, dataset=dataset)
    assert folder.settings.augment == augment
    assert load_pgn(folder.pgn_path).info.settings["augment"] == augment
    same, _ = train(auto.updated(augment=augment), name="same", dataset=dataset)
    assert_same(weights(folder), weights(same))


def test_a_run_that_goes_on_keeps_to_it(
    train: Train, settings: TrainingSettings, digits: ImageDataset
) -> None:
    unknown, known = (replace(digits, mirrorable=keeps) for keeps in (None, False))
    whole, _ = train(settings.updated(augment="auto"), name="whole", dataset=unknown)
    begun, _ = train(settings.updated(augment="auto", epochs=1), name="begun", dataset=unknown)
    on, _ = train(begun.settings.updated(epochs=2), name="begun", resume=True, dataset=known)
    assert_same(weights(whole), weights(on))


def test_a_run_of_an_earlier_version_goes_on_as_it_began(
    train: Train, settings: TrainingSettings, digits: ImageDataset
) -> None:
    """It recorded "auto", which meant none for the data set called digits and flip for all others."""
    whole, _ = train(settings, name="whole")
    train(settings.updated(epochs=1), name="before")
    unknown = replace(digits, mirrorable=None)
    on, _ = train(settings.updated(augment="auto"), name="before", resume=True, dataset=unknown)
    assert_same(weights(whole), weights(on))
