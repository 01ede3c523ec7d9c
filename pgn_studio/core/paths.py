"""Where files lie: the user's folders, and what the package brings along.

The environment variable PGN_STUDIO_HOME puts all of the user's folders below one folder
(tests, servers, a shared disk). Folders are named here and made by whoever writes to them.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import platformdirs

from pgn_studio.core.errors import ClassifierError, PgnStudioError

DEMO_SCHEME = "demo:"  # before the name of a bundled classifier
_APP = "pgn-studio"
_PACKAGE = Path(__file__).resolve().parent.parent

# Trained files: a weak classifier of handwritten digits, a PGN that helps it, and one that fools it.
DEMO_CLASSIFIER = "digits-classifier.safetensors"
DEMO_ENHANCE = "digits-enhance.safetensors"
DEMO_ADVERSARIAL = "digits-adversarial.safetensors"
DEMO_FILES = (DEMO_CLASSIFIER, DEMO_ENHANCE, DEMO_ADVERSARIAL)


def data_folder() -> Path:
    """Where named data sets are looked for and downloaded to."""
    return _user_folder("data", platformdirs.user_data_path(_APP, appauthor=False) / "data")


def cache_folder() -> Path:
    """What may be deleted at any time and is then made again."""
    return _user_folder("cache", platformdirs.user_cache_path(_APP, appauthor=False))


def runs_folder() -> Path:
    """Where runs go that were given no folder of their own."""
    return _user_folder("runs", platformdirs.user_data_path(_APP, appauthor=False) / "runs")


def log_file() -> Path:
    return _user_folder("log", platformdirs.user_log_path(_APP, appauthor=False)) / "pgn-studio.log"


def resources_folder() -> Path:
    """Icons, style sheets and the paper's tables. Raises PgnStudioError in a broken installation."""
    return _bundled_folder("resources")


def trained_folder() -> Path:
    """The demo's classifier and PGNs. Raises PgnStudioError in a broken installation."""
    return _bundled_folder("trained")


def documentation_page() -> Path:
    """The first page of the documentation. Raises PgnStudioError where it is not built."""
    pages = [parent / "site" / "index.html" for parent in (_PACKAGE, _PACKAGE.parent)]
    for page in pages:  # a wheel, a checkout
        if page.is_file():
            return page
    raise PgnStudioError(
        f"The documentation is not built here: there is no {pages[-1]}.",
        hint="In a checkout `make docs` builds it; its pages are also readable as they are, in docs/.",
    )


def demo_classifier(name: str) -> Path:
    """The bundled classifier that demo:NAME stands for. Raises ClassifierError for another name."""
    ending = "-classifier.safetensors"
    files = {path.name.removesuffix(ending): path for path in sorted(trained_folder().glob(f"*{ending}"))}
    if name not in files:
        there = ", ".join(f"{DEMO_SCHEME}{known}" for known in files)
        raise ClassifierError(
            f"There is no bundled classifier {DEMO_SCHEME}{name}.", hint=f"There is: {there}."
        )
    return files[name]


def packaged_weights(package: str) -> Path | None:
    """The weights file that an installed Python package brings along, found without importing it."""
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    files = sorted(path for folder in folders or () for path in Path(folder).glob("models/*.pth"))
    return files[0] if files else None


def _user_folder(name: str, default: Path) -> Path:
    home = os.environ.get("PGN_STUDIO_HOME")
    return Path(home).expanduser().absolute() / name if home else default


def _bundled_folder(name: str) -> Path:
    for parent in (_PACKAGE, _PACKAGE.parent):  # a wheel, a checkout
        if (parent / name).is_dir():
            return parent / name
    raise PgnStudioError(
        f"Expected the folder {name!r} inside {_PACKAGE} or beside it, found neither.",
        hint="The installation is incomplete: install PGN Studio again.",
    )
