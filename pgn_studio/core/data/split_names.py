"""What people call train, val and test: whole names, with the usual additions, and in pairs."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "devel", "development"), "val"),
    **dict.fromkeys(("eval", "evaluation"), "val"),
    **dict.fromkeys(("test", "testing", "holdout", "heldout"), "test"),
}
_NEUTRAL = (
    "set|sets|split|splits|part|data|dataset|images|image|imgs|img|pictures|photos|samples|files|"
    "folder|folders|dir|seg|cropped|resized|sorted|labell?ed|classes|v?[0-9]+(?:x[0-9]+)?(?:px)?"
)
_SPLIT_TOKEN = re.compile(f"(?:{_NEUTRAL})*({'|'.join(_WORDS)})(?:{_NEUTRAL})*")
_NEUTRAL_TOKEN = re.compile(f"(?:{_NEUTRAL})+")
# Folders that lie beside classes or splits and are mostly neither.
_ASIDE = frozenset(
    ("unlabeled", "unlabelled", "unsup", "unsupervised", "unsorted", "unlabel", "nolabel", "nolabels")
    + ("pred", "predict", "prediction", "predictions", "submission", "submissions", "inference")
    + ("extra", "extras", "example", "examples", "sample", "demo", "misc", "tmp", "temp", "backup", "old")
    + ("doc", "docs", "documentation", "figures", "figure", "plots", "results", "output", "outputs", "runs")
    + ("logs", "models", "checkpoints", "weights", "scripts", "src", "code", "notebooks", "assets")
    + ("annotations", "annotation", "labels", "masks", "metadata", "meta", "thumbs", "thumbnails")
)


def splits_by_name(folders: Iterable[str]) -> dict[str, str]:
    """Those of `folders` that are called like a split, with the split: "Training", "seg_test", "val2017".

    A name with words of its own ("pets_train") counts where another split's name shares them
    ("pets_test"): "freight train" alone is a freight train.
    """
    read = {folder: _read(folder) for folder in folders}
    partners: dict[tuple[str, ...], set[str]] = {}
    for split, own_words in read.values():
        if split:
            partners.setdefault(own_words, set()).add(split)
    return {
        folder: split
        for folder, (split, own_words) in read.items()
        if split and (not own_words or len(partners[own_words]) > 1)
    }


def lies_aside(folder: str) -> bool:
    """Whether it is called like what lies beside a data set's classes: "unlabeled", "docs", "seg_pred"."""
    own = [word for word in words(folder) if word in _ASIDE or not _NEUTRAL_TOKEN.fullmatch(word)]
    return bool(own) and all(word in _ASIDE for word in own)


def _read(folder: str) -> tuple[str, tuple[str, ...]]:
    """The split that a name means, "" for none or two, and its own words."""
    splits, own_words = [], []
    for word in words(folder):
        if found := _SPLIT_TOKEN.fullmatch(word):
            splits.append(_WORDS[found[1]])
        elif not _NEUTRAL_TOKEN.fullmatch(word):
            own_words.append(word)
    return (splits[0] if len(splits) == 1 else ""), tuple(own_words)


def words(name: str) -> list[str]:
    """ "TrainSet-2 (new)" as train, set, 2, new."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    whole = re.sub(r"\b(hold|held)[\W_]+out\b", r"\1out", re.sub(r"_", " ", apart.casefold()))
    return re.findall(r"[^\W_]+", whole)
