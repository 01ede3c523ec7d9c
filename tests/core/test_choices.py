"""Discriminators and data sets as settings know them."""

from __future__ import annotations

import pkgutil
from typing import Any

import pytest

from pgn_studio.core.choices import DISCRIMINATORS
from pgn_studio.core.config import TrainingSettings, check_discriminator, soft_targets
from pgn_studio.core.data import DATASETS, dataset_title
from pgn_studio.core.errors import ConfigError


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_each_discriminator_is_made_and_described(name: str) -> None:
    choice = DISCRIMINATORS[name]
    assert callable(pkgutil.resolve_name(choice.made_by))
    assert choice.title
    assert choice.summary in str(TrainingSettings.model_fields["discriminator"].description)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_defaults_go_by_what_it_needs_of_the_classifier(name: str) -> None:
    settings = TrainingSettings.make(discriminator=name)
    needs = DISCRIMINATORS[name].needs
    assert soft_targets(settings) == (needs == "features")
    if needs == "labels":
        check_discriminator(settings)
    else:
        with pytest.raises(ConfigError, match="only answers"):
            check_discriminator(settings)


def test_other_names_are_refused() -> None:
    unknown: Any = "unheard-of"
    with pytest.raises(ConfigError, match="unheard-of"):
        TrainingSettings.make(discriminator=unknown)


def test_data_sets_have_titles() -> None:
    assert dataset_title("stl10") == "STL-10"
    assert all(dataset_title(name) for name in DATASETS)
    assert dataset_title("holiday") == "holiday"  # a folder
