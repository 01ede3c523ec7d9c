"""Classifiers: loading, normalization, saving and vanilla training."""

from pgn_studio.core.classifiers.accuracy import measure_accuracy
from pgn_studio.core.classifiers.blackbox.access import Access
from pgn_studio.core.classifiers.blackbox.classifier import BlackBoxClassifier
from pgn_studio.core.classifiers.classifier import (
    Classifier,
    ClassifierInfo,
    check_classes,
    recorded_data_range,
)
from pgn_studio.core.classifiers.loading import load_classifier
from pgn_studio.core.classifiers.networks import check_suits
from pgn_studio.core.classifiers.normalization import Normalization
from pgn_studio.core.classifiers.saved import save_classifier
from pgn_studio.core.classifiers.small_cnn import SmallCNN
from pgn_studio.core.classifiers.training import (
    ClassifierProgress,
    balanced_subset,
    train_classifier,
)

__all__ = [
    "Access",
    "BlackBoxClassifier",
    "Classifier",
    "ClassifierInfo",
    "ClassifierProgress",
    "Normalization",
    "SmallCNN",
    "balanced_subset",
    "check_classes",
    "check_suits",
    "load_classifier",
    "measure_accuracy",
    "recorded_data_range",
    "save_classifier",
    "train_classifier",
]
