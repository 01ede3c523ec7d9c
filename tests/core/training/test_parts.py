"""Control, batches, input mixup, averaging, previews: the trainer's small parts."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pgn_studio.core.classifiers import Classifier, load_classifier
from pgn_studio.core.config import PAPER_RECIPE, TrainingSettings, augmentation
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.errors import ClassifierError, ConfigError, WeightsError
from pgn_studio.core.perturbation.discriminators.shared import SharedDiscriminator
from pgn_studio.core.perturbation.generator import Generator
from pgn_studio.core.training.builders import build_networks
from pgn_studio.core.training.control import TrainingControl
from pgn_studio.core.training.ema import EMA
from pgn_studio.core.training.input_mixup import fitting_share, mixed_inputs
from pgn_studio.core.training.preview import perturbation_picture
from pgn_studio.core.training.samples import SampleChoice
from pgn_studio.core.training.schedule import epoch_batches, generator_for, steps_per_epoch, training_epochs

CPU = torch.device("cpu")


class TestControl:
    @pytest.mark.parametrize("gamma", [-1.0, float("nan"), float("inf")])
    def test_an_impossible_gamma_changes_nothing(self, gamma: float) -> None:
        control = TrainingControl(gamma=2.0)
        with pytest.raises(ConfigError, match="gamma must be"):
            control.set(gamma=gamma)
        assert control.live.gamma == 2.0

    def test_stop_wakes_a_paused_run(self) -> None:
        control = TrainingControl(gamma=1.0)
        control.pause()
        waiting = threading.Thread(target=control.wait_while_paused)
        waiting.start()
        control.stop()
        waiting.join(5)
        assert not waiting.is_alive()
        assert control.stopping

    def test_other_samples_wake_whoever_shows_them_but_not_the_run(self) -> None:
        control = TrainingControl(gamma=1.0)
        control.pause()
        showing = control.live.samples
        waiting = threading.Thread(target=control.wait_while_paused, kwargs={"showing": showing})
        waiting.start()
        control.show(SampleChoice("wrong"))
        waiting.join(5)
        assert not waiting.is_alive()
        assert control.paused
        assert control.live.samples == SampleChoice("wrong")


@pytest.mark.parametrize(
    ("settings", "images", "epochs"),
    [
        ({}, 2041, 32),  # 1,000 steps of 64 images
        ({"problem": "adversarial"}, 2041, 32),
        ({"discriminator": "blackbox"}, 2041, 32),
        ({"problem": "adversarial", "discriminator": "blackbox"}, 2041, 63),  # 2,000
        ({}, 60_000, 15),
        ({}, 20, 200),
        ({"epochs": 3, "problem": "adversarial", "discriminator": "blackbox"}, 2041, 3),
    ],
)
def test_few_images_are_seen_more_often(settings: dict[str, Any], images: int, epochs: int) -> None:
    given = {"dataset": "digits", "classifier": "f.safetensors", **settings}
    assert training_epochs(TrainingSettings(**given), images) == epochs


def test_mirrored_digits_are_no_digits() -> None:
    assert augmentation("auto", "digits") == "none"
    assert augmentation("auto", "photographs") == "flip"
    assert augmentation("flip", "digits") == "flip"


class TestBatches:
    def test_every_image_once_in_an_order_of_the_seed_and_epoch(self) -> None:
        first = epoch_batches(10, 4, seed=3, epoch=0)
        assert sorted(np.concatenate(first).tolist()) == list(range(10))
        assert [len(batch) for batch in first] == [4, 4, 2]
        assert not np.array_equal(
            np.concatenate(first), np.concatenate(epoch_batches(10, 4, seed=3, epoch=1))
        )
        again = epoch_batches(10, 4, seed=3, epoch=0)
        assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))

    def test_a_single_last_image_is_left_out_for_batch_norm(self) -> None:
        assert steps_per_epoch(9, 4) == 2
        assert [len(batch) for batch in epoch_batches(9, 4, seed=0, epoch=0)] == [4, 4]
        assert steps_per_epoch(1, 4) == 0


class TestInputMixup:
    def test_it_is_a_mixture_with_another_image(self) -> None:
        pixels = torch.stack([torch.zeros(3, 4, 4), torch.ones(3, 4, 4)])
        mixed = mixed_inputs(pixels, 0.5, generator_for(3))
        assert mixed[0].max() <= 0.5
        assert mixed[1].min() >= 0.5
        assert mixed_inputs(pixels, 0.0, generator_for(3)) is pixels

    def test_the_share_brings_accuracy_down_to_what_is_wanted(
        self, classifier: Classifier, digits: ImageDataset
    ) -> None:
        train = digits.split("train")
        share = fitting_share(classifier, train, wanted=0.6, seed=0)
        assert 0.0 < share < 0.8
        pixels = torch.from_numpy(train.images(np.arange(1000))).permute(0, 3, 1, 2).float() / 255
        shown = mixed_inputs(pixels, share, generator_for(7))
        right = classifier(shown).argmax(1) == torch.tensor(train.labels[:1000])
        assert float(right.float().mean()) == pytest.approx(0.6, abs=0.05)

    def test_nothing_is_mixed_where_the_classifier_fails_anyway(
        self, classifier: Classifier, digits: ImageDataset
    ) -> None:
        assert fitting_share(classifier, digits.split("train"), wanted=0.99, seed=0) == 0.0


def test_the_average_follows_g_and_shares_a_frozen_encoder() -> None:
    generator = Generator(encoder="small", image_size=8, decoder_widths=(4,), encoder_trained=False)
    ema = EMA(generator, decay=0.5)
    assert ema.generator.encoder is generator.encoder
    start = generator.decoder.output.bias.detach().clone()
    with torch.no_grad():
        generator.decoder.output.bias.add_(1.0)
    ema.update(generator)  # the first update takes 9/10 of G whatever the decay
    torch.testing.assert_close(ema.generator.decoder.output.bias, start + 0.9)
    for _ in range(60):
        ema.update(generator)
    torch.testing.assert_close(ema.generator.decoder.output.bias, start + 1.0)


def test_the_average_has_a_last_stage_of_its_own() -> None:
    generator = Generator(encoder="efficientnet-lite0", image_size=8, decoder_widths=(4,), last_stage=True)
    ema = EMA(generator, decay=0.5)
    assert ema.generator.encoder is generator.encoder
    its, mine = (next(each.decoder.stage.parameters()) for each in (generator, ema.generator))
    start = mine.clone()
    with torch.no_grad():
        its.add_(1.0)
    ema.update(generator)
    torch.testing.assert_close(mine, start + 0.9)


class TestSamples:
    RIGHT = np.array([True] * 20 + [False] * 3)

    def test_half_of_them_can_be_fixed_where_there_are_as_many(self) -> None:
        assert SampleChoice().pick(self.RIGHT, count=6) == [0, 1, 2, 20, 21, 22]
        assert len(SampleChoice().pick(np.ones(10, dtype=np.bool_), count=6)) == 6
        assert len(SampleChoice().pick(np.zeros(10, dtype=np.bool_), count=6)) == 6

    def test_rules(self) -> None:
        assert SampleChoice("any").pick(self.RIGHT, count=4) == [0, 1, 2, 3]
        assert SampleChoice("wrong").pick(self.RIGHT, count=4) == [0, 20, 21, 22]

    def test_another_draw_shows_others_and_the_same_ones_again(self) -> None:
        drawn = SampleChoice("any", draw=1).pick(self.RIGHT)
        assert drawn == SampleChoice("any", draw=1).pick(self.RIGHT)
        assert drawn != SampleChoice("any", draw=2).pick(self.RIGHT)
        assert set(SampleChoice("wrong", draw=5).pick(self.RIGHT, count=3)) == {20, 21, 22}

    def test_pinned_ones_come_first_and_once(self) -> None:
        choice = SampleChoice("mixed", pinned=(21, 5, 5, 99))
        assert choice.pick(self.RIGHT, count=6) == [21, 5, 0, 1, 20, 22]
        assert SampleChoice(pinned=tuple(range(12))).pick(self.RIGHT) == list(range(8))


def test_a_perturbation_picture_is_signed_around_gray() -> None:
    perturbation = torch.tensor([-0.2, 0.0, 0.1]).view(1, 3, 1, 1)
    picture, scale = perturbation_picture(perturbation)
    assert scale == pytest.approx(0.2)
    assert picture.tolist() == [[[[1, 128, 192]]]]


class TestPlayers:
    def test_the_paper_recipe_is_the_literal_reading(self, classifier: Classifier) -> None:
        settings = TrainingSettings.make(recipe="paper", encoder_weights="none", image_size=8)
        assert settings.model_dump(include=set(PAPER_RECIPE)) == PAPER_RECIPE
        networks = build_networks(settings, classifier, image_size=8, device=CPU)
        assert isinstance(networks.discriminator, SharedDiscriminator)
        assert networks.discriminator.condition.dim == 0
        assert sum(p.numel() for p in networks.discriminator.parameters()) == classifier.feature_dim + 1

    @pytest.mark.parametrize(
        ("given", "discriminator"),
        [
            ({}, "shared"),
            ({"problem": "adversarial"}, "known"),
            ({"problem": "adversarial", "classifier": "python:module:function"}, "blackbox"),
            ({"problem": "adversarial", "classifier": "f.onnx"}, "blackbox"),
            ({"problem": "adversarial", "discriminator": "shared"}, "shared"),
        ],
        ids=str,
    )
    def test_the_paper_s_attacks_have_a_discriminator_of_their_own(
        self, given: dict[str, Any], discriminator: str
    ) -> None:
        settings = TrainingSettings.make(recipe="paper", **given)
        assert settings.discriminator == discriminator
        assert settings.gamma == (3.0 if given else 0.0001)
        assert settings.updated(seed=1).discriminator == discriminator

    def test_the_paper_s_known_discriminator_has_imagenet_weights_or_none_at_all(
        self, classifier: Classifier
    ) -> None:
        """f is small here: no ImageNet weights of it exist, and nothing else takes their place unasked."""
        settings = TrainingSettings.make(
            recipe="paper", problem="adversarial", encoder="small", decoder_widths=(8, 8), image_size=8
        )
        with pytest.raises(ConfigError, match="no weights") as caught:
            build_networks(settings, classifier, image_size=8, device=CPU)
        assert "discriminator_weights='none'" in caught.value.hint

    def test_a_recipe_can_be_changed_in_one_point(self) -> None:
        settings = TrainingSettings.make(recipe="paper", clip=True, gamma=3)
        assert settings.clip
        assert not settings.image_conditioning

    def test_shared_needs_features(
        self, settings: TrainingSettings, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Classifier, "has_features", False)
        with pytest.raises(ConfigError, match="features"):
            build_networks(settings, classifier, image_size=8, device=CPU)

    def test_a_program_serves_a_shared_discriminator_and_no_known_one(
        self, settings: TrainingSettings, classifier: Classifier, tmp_path: Path
    ) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.trace(classifier.net, torch.rand(2, 3, 8, 8)).save(str(tmp_path / "f.pt"))  # type: ignore[no-untyped-call]
        program = load_classifier(tmp_path / "f.pt", classes=classifier.info.classes, image_size=8)
        networks = build_networks(settings, program, image_size=8, device=CPU)
        assert isinstance(networks.discriminator, SharedDiscriminator)
        assert networks.discriminator.head.feature_dim == classifier.feature_dim
        with pytest.raises(ConfigError, match="architecture"):
            build_networks(settings.updated(discriminator="known"), program, image_size=8, device=CPU)

    def test_a_missing_weights_file_is_an_error_and_no_random_encoder(
        self, settings: TrainingSettings, classifier: Classifier
    ) -> None:
        settings = settings.updated(
            encoder="resnet50", encoder_weights="/nowhere/resnet50.pth", image_size=32
        )
        with pytest.raises(ClassifierError, match="no weights file"):
            build_networks(settings, classifier, image_size=32, device=CPU)


def test_weights_of_the_discriminator_that_cannot_be_had_name_its_option(
    classifier: Classifier, settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise WeightsError("not in the cache", hint="--encoder-weights FILE")

    monkeypatch.setattr("pgn_studio.core.training.backbones.imagenet_backbone", offline)
    wanted = settings.updated(discriminator="known", discriminator_backbone="resnet18")
    with pytest.raises(WeightsError, match="cache") as caught:
        build_networks(wanted, classifier, image_size=8, device=torch.device("cpu"))
    assert "discriminator_weights" in caught.value.hint
    assert "encoder_weights" not in caught.value.hint
