"""The project's own small convolutional classifier, sized for training on a CPU."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

SMALL = "small"
SMALL_WIDTHS = (32, 64, 128)
MIN_SMALL_SIZE = 8
_STEM_GRID = 48  # larger images are brought near this many positions by the first convolution


class SmallCNN(nn.Module):
    """Three stages of two 3x3 convolutions (batch norm, ReLU), pooled features, one linear layer.

    About 0.3 M parameters. Takes images (N, 3, H, W) of any size from 8 up; `image_size` only
    sets the first convolution's stride, so that large images cost no more than about 60 px.
    """

    mean = (0.5, 0.5, 0.5)  # where it serves as a backbone that no classifier's statistics belong to
    std = (0.5, 0.5, 0.5)
    feature_dim = SMALL_WIDTHS[-1]

    def __init__(self, num_classes: int, *, image_size: int) -> None:
        super().__init__()
        stride = max(1, image_size // _STEM_GRID)
        narrow, middle, wide = SMALL_WIDTHS
        self.stage1 = nn.Sequential(_conv(3, narrow, stride=stride), _conv(narrow, narrow))
        self.stage2 = nn.Sequential(_conv(narrow, middle), _conv(middle, middle))
        self.stage3 = nn.Sequential(_conv(middle, wide), _conv(wide, wide))
        self.fc = nn.Linear(wide, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.feature_map(x).mean(dim=(2, 3))  # (N, 128); a plain mean is deterministic everywhere
        logits: Tensor = self.fc(pooled)
        return logits

    def feature_map(self, x: Tensor) -> Tensor:
        """Features before pooling (N, 128, H/4, W/4) at stride 1."""
        x = F.max_pool2d(self.stage1(x), 2)  # (N, 32, H/2, W/2) at stride 1
        x = F.max_pool2d(self.stage2(x), 2)  # (N, 64, H/4, W/4)
        features: Tensor = self.stage3(x)
        return features


def _conv(inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
