"""The base class of data sets that are known by a name. Importing it loads no images' library."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pgn_studio.core.config import DataSettings
    from pgn_studio.core.data.dataset import ImageDataset
    from pgn_studio.core.protocols import Progress


class DataSource(ABC):
    """What `--dataset NAME` names."""

    title: ClassVar[str] = ""  # in the window's list, where the name would look odd

    @abstractmethod
    def load(self, settings: DataSettings, progress: Progress) -> ImageDataset:
        """The data set with train, val and test, as `settings` ask for it; `load_arrays` makes one of arrays.

        `progress(done, total)`, or (n, 0) while the extent is unknown; its Canceled must pass through.
        Raises DataError, whose hint says how to get the files.
        """
