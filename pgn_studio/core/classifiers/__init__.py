"""Classifiers: loading, normalisation, saving and vanilla training."""

from pgn_studio.core.classifiers.classifier import Classifier, ClassifierInfo, check_classes
from pgn_studio.core.classifiers.loading import load_classifier
from pgn_studio.core.classifiers.saved import save_classifier
from pgn_studio.core.classifiers.small_cnn import SmallCNN

__all__ = [
    "Classifier",
    "ClassifierInfo",
    "SmallCNN",
    "check_classes",
    "load_classifier",
    "save_classifier",
]
