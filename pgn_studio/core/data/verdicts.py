"""What is known of a folder's files: readable or not, remembered so that later starts only stat."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import PIL

from pgn_studio.core.files import replacing
from pgn_studio.core.paths import cache_folder

_FORMAT = 1
READABLE = ""

logger = logging.getLogger(__name__)


class Verdicts:
    """Verdicts on the files below `root`, valid while size, time of change and Pillow stay the same."""

    def __init__(self, root: Path) -> None:
        self._root = root
        key = hashlib.sha256(str(root).encode("utf-8", "surrogateescape")).hexdigest()[:24]
        self.file = cache_folder() / "verdicts" / f"{key}.json"
        self._known = self._read()
        self._changed = False

    def get(self, name: str, size: int, mtime_ns: int) -> str | None:
        """READABLE, the reason why not, or None if the file is new or has changed."""
        known = self._known.get(name)
        if known is None or known[0] != size or known[1] != mtime_ns:
            return None
        return str(known[2])

    def set(self, name: str, size: int, mtime_ns: int, reason: str) -> None:
        self._known[name] = [size, mtime_ns, reason]
        self._changed = True

    def save(self) -> None:
        """Write what is new, atomically. A cache that cannot be written costs time, nothing else."""
        if not self._changed:
            return
        # Without indent json runs in C: 100,000 files in 0.1 s.
        text = json.dumps({**self._header(), "files": self._known})
        try:
            with replacing(self.file) as temporary:
                temporary.write_text(text, encoding="utf-8")
        except OSError as error:
            logger.warning("Could not remember which images are readable: %s", error)
        self._changed = False

    def _header(self) -> dict[str, Any]:
        root = str(self._root)
        return {"format": _FORMAT, "root": root, "pillow": PIL.__version__}

    def _read(self) -> dict[str, list[Any]]:
        try:
            content = json.loads(self.file.read_text(encoding="utf-8"))
            files: dict[str, list[Any]] = content.pop("files")
            if content == self._header() and all(len(entry) == 3 for entry in files.values()):
                return files
        except FileNotFoundError:
            pass
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            logger.warning("Ignoring the damaged list of readable images %s: %s", self.file, error)
        return {}
