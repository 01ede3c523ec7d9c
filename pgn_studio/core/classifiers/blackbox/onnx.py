"""An ONNX file as a classifier, through onnxruntime (an optional extra). No code from the file is run."""

from __future__ import annotations

import ast
import copy
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pgn_studio.core.classifiers.blackbox.meter import QueryMeter
from pgn_studio.core.classifiers.normalization import Normalization
from pgn_studio.core.classifiers.outputs import scores_among
from pgn_studio.core.classifiers.programs.network import GRAY, LUMINANCE
from pgn_studio.core.config import ChannelOrder
from pgn_studio.core.errors import BlackBoxError, ClassifierError
from pgn_studio.core.pretrained import Triple
from pgn_studio.core.protocols import UInt8Images

_BATCH = 64
_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
_CHANNELS = (3, 1)
_EXPECTED = "Expected one input of 3 channels or 1, NCHW or NHWC: floats in [0, 1] or bytes."
_QUIET = 4  # onnxruntime's own log: fatal errors only; what fails is raised anyway


class OnnxOracle:
    """Reads layout, type, image size and, where its metadata has them, classes, mean and std."""

    def __init__(
        self,
        path: Path,
        *,
        mean: Triple | None = None,
        std: Triple | None = None,
        channels: ChannelOrder | None = None,
        num_classes: int = 0,
    ) -> None:
        """Raises ClassifierError when onnxruntime or the file is missing, damaged or of another kind."""
        self.name = path.name
        self._session = _session(path)
        inputs = self._session.get_inputs()
        shape, kind = list(inputs[0].shape) if inputs else [], inputs[0].type if inputs else "nothing"
        self._channels_last = len(shape) == 4 and shape[3] in _CHANNELS and shape[1] not in _CHANNELS
        taken = shape[3 if self._channels_last else 1] if len(shape) == 4 else 0
        if len(inputs) != 1 or kind not in _TYPES or (isinstance(taken, int) and taken not in _CHANNELS):
            came = f"{len(inputs)} inputs, the first {kind} of shape {shape}"
            raise ClassifierError(f"{path.name} takes {came}.", hint=_EXPECTED)
        self._gray = taken == 1
        self.facts = {"Gray": GRAY} if self._gray else {}
        self._num_classes = num_classes
        self._input = inputs[0].name
        self._outputs = [output.name for output in self._session.get_outputs()]
        given_shape = self._session.get_outputs()[0].shape
        last = given_shape[-1] if len(self._outputs) == 1 and given_shape else None
        self.outputs = last if isinstance(last, int) else None
        self._type = _TYPES[kind]
        metadata = dict(self._session.get_modelmeta().custom_metadata_map or {})
        self.classes = _class_names(metadata)
        self.image_size = _image_size(path, shape[1:3] if self._channels_last else shape[2:4], metadata)
        self._fixed_batch = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None
        self.largest_batch = self._fixed_batch or _BATCH
        given = Normalization(
            mean or _three(metadata, "mean") or (0.0, 0.0, 0.0),
            std or _three(metadata, "std") or (1.0, 1.0, 1.0),
            channels or "rgb",
        )
        if min(given.std) <= 0:
            raise ClassifierError(f"{path.name}: a std must be above 0, got {given.std}.")
        takes_bytes = self._type is np.uint8
        if takes_bytes and (mean or std or channels):
            raise ClassifierError(f"{path.name} takes bytes: no mean, std or channel order fits there.")
        self.normalization = None if takes_bytes else given

    def normalized(self, normalization: Normalization) -> OnnxOracle:
        """The same file given images in another way; not for one that takes bytes."""
        made = copy.copy(self)
        made.normalization = normalization
        return made

    def ask(self, images: UInt8Images, meter: QueryMeter) -> Any:
        meter.send(len(images))
        count = len(images)
        if self._fixed_batch and count < self._fixed_batch:  # filled up with the last one
            images = np.concatenate([images, np.repeat(images[-1:], self._fixed_batch - count, axis=0)])
        try:
            outputs = self._session.run(self._outputs, {self._input: self._prepared(images)})
        except Exception as error:  # onnxruntime raises many kinds
            raise BlackBoxError(
                f"{self.name} does not take {len(images)} images of {images.shape[1]} px"
                f" ({type(error).__name__}).",
                hint="Give the image size that it was exported with.",
                details=str(error),
            ) from error
        if len(outputs) > 1:  # the first time
            chosen = self._chosen(outputs, len(images))
            self._outputs, outputs = [self._outputs[chosen]], [outputs[chosen]]
        scores = np.asarray(outputs[0])[:count]
        return scores.reshape(count, -1) if scores.ndim > 2 and set(scores.shape[2:]) == {1} else scores

    def _chosen(self, outputs: list[Any], count: int) -> int:
        """Of several outputs that with the scores; the first where that holds labels and there are none.

        Raises ClassifierError that names all outputs.
        """
        arrays = {
            name: torch.from_numpy(output)
            for name, output in zip(self._outputs, outputs, strict=True)
            if isinstance(output, np.ndarray) and output.dtype.kind in "fiu" and output.ndim
        }
        try:
            return self._outputs.index(scores_among(arrays, count, self._num_classes, name=self.name))
        except ClassifierError:
            if np.asarray(outputs[0]).shape == (count,):
                return 0
            raise

    def _prepared(self, images: UInt8Images) -> npt.NDArray[Any]:
        values: npt.NDArray[Any] = images
        if self.normalization is not None:
            values = images.astype(np.float32) / 255.0
            values -= np.array(self.normalization.mean, dtype=np.float32)
            values /= np.array(self.normalization.std, dtype=np.float32)
            values = values if self.normalization.channels == "rgb" else values[..., ::-1]
        if self._gray:
            values = (values @ np.array(LUMINANCE, dtype=np.float32))[..., None]
            values = values.round() if self._type is np.uint8 else values
        ordered = values if self._channels_last else values.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(ordered, dtype=self._type)


def onnx_image_size(path: Path) -> int | None:
    """The image size that the file asks for; None when it takes any."""
    return OnnxOracle(path).image_size


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ClassifierError(
            "ONNX files need onnxruntime, which is not installed.",
            hint="Install it: pip install 'pgn-studio[onnx]' (or onnxruntime-gpu).",
            details=str(error),
        ) from error
    if not path.is_file():
        raise ClassifierError(f"There is no classifier file {path}.", hint="Check the path.")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _QUIET
    threads = os.environ.get("OMP_NUM_THREADS", "")
    options.intra_op_num_threads = int(threads) if threads.isdecimal() else 0  # 0: as many as cores
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(str(path), sess_options=options, providers=providers)
    except Exception as error:  # onnxruntime raises many kinds on damaged and newer files
        raise ClassifierError(
            f"{path.name} cannot be loaded as ONNX ({type(error).__name__}).",
            hint="Export it again, or update onnxruntime.",
            details=str(error),
        ) from error


def _image_size(path: Path, sides: list[Any], metadata: Mapping[str, str]) -> int | None:
    fixed = [side for side in sides if isinstance(side, int) and side > 0]
    if len(set(fixed)) > 1:
        raise ClassifierError(f"{path.name} takes images of {fixed[0]} by {fixed[1]} px; expected squares.")
    if fixed:
        return fixed[0]
    value = _parsed(metadata.get("image_size", metadata.get("imgsz", "")))
    if isinstance(value, list) and value and len(set(map(str, value))) == 1:
        value = value[0]
    return value if isinstance(value, int) and value > 0 else None


def _class_names(metadata: Mapping[str, str]) -> tuple[str, ...] | None:
    """From `classes` or `names`: a list, or as Ultralytics writes it a dict by number."""
    value = _parsed(metadata.get("classes", metadata.get("names", "")))
    if isinstance(value, dict):
        try:
            value = [value[key] for key in sorted(value, key=int)]
        except (TypeError, ValueError):
            return None
    good = isinstance(value, list) and len(value) > 1 and all(isinstance(name, str) for name in value)
    return tuple(value) if good else None


def _three(metadata: Mapping[str, str], name: str) -> Triple | None:
    value = _parsed(metadata.get(name, ""))
    if isinstance(value, list) and len(value) == 3 and all(isinstance(v, (int, float)) for v in value):
        red, green, blue = (float(v) for v in value)
        return red, green, blue
    return None


def _parsed(text: str) -> Any:
    """JSON, or a Python literal (which runs nothing); None for anything else."""
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    return None
