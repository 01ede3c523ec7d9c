"""Whose weights are these? The usual networks by the names and shapes of their tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from torch import Tensor, nn

from pgn_studio.core.classifiers.networks import network_plan
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.weight_files import WeightsFile
from pgn_studio.core.weight_fitting import fit_weights

_PLAN_CLASSES, _PLAN_SIZE = 10, 32

# A tensor that every network of a family has, and the family, the most common first.
_FAMILIES: tuple[tuple[str, str], ...] = (
    (
        "layer1.0.conv1.weight",
        "resnet18 resnet34 resnet50 resnet101 resnet152 resnext50_32x4d resnext101_32x8d wide_resnet50_2"
        " wide_resnet101_2 timm:resnet50d timm:resnet26 timm:resnet10t timm:resnet14t timm:seresnet50"
        " timm:resnet26d timm:resnet34d timm:resnet101d timm:resnetrs50 timm:ecaresnet50d"
        " timm:res2net50_26w_4s",
    ),
    ("features.denseblock1.denselayer1.conv1.weight", "densenet121 densenet169 densenet201 densenet161"),
    ("features.denseblock1.denselayer1.conv.1.weight", "densenet121 densenet169 densenet201 densenet161"),
    (
        "features.0.weight",
        "vgg16 vgg11 vgg13 vgg19 vgg16_bn vgg11_bn vgg13_bn vgg19_bn alexnet squeezenet1_1",
    ),
    ("pre_logits.fc1.weight", "timm:vgg16 timm:vgg11 timm:vgg13 timm:vgg19 timm:vgg16_bn timm:vgg11_bn"),
    (
        "features.0.0.weight",
        "mobilenet_v2 mobilenet_v3_small mobilenet_v3_large efficientnet_b0 convnext_tiny efficientnet_b1"
        " efficientnet_b2 efficientnet_b3 convnext_small convnext_base efficientnet_v2_s efficientnet_b4"
        " swin_t swin_s swin_b swin_v2_t swin_v2_s efficientnet_v2_m convnext_large efficientnet_b5"
        " efficientnet_b6 efficientnet_b7",
    ),
    ("encoder.layers.encoder_layer_0.ln_1.weight", "vit_b_16 vit_b_32 vit_l_16 vit_l_32 vit_h_14"),
    (
        "blocks.0.norm1.weight",
        "vit_tiny_patch16_224 vit_small_patch16_224 vit_base_patch16_224 vit_base_patch32_224"
        " vit_large_patch16_224 vit_small_patch32_224 vit_small_patch16_384 vit_base_patch16_384"
        " deit_tiny_distilled_patch16_224 deit_small_distilled_patch16_224 deit_base_distilled_patch16_224"
        " deit3_small_patch16_224 deit3_base_patch16_224 beit_base_patch16_224 vit_base_patch8_224",
    ),
    (
        "layers.0.blocks.0.attn.qkv.weight",
        "swin_tiny_patch4_window7_224 swin_small_patch4_window7_224 swin_base_patch4_window7_224"
        " swin_large_patch4_window7_224 swinv2_tiny_window8_256 swin_base_patch4_window12_384",
    ),
    (
        "stages.0.blocks.0.conv_dw.weight",
        "timm:convnext_tiny timm:convnext_atto timm:convnext_nano timm:convnext_pico timm:convnext_femto"
        " timm:convnext_small timm:convnext_base timm:convnextv2_atto timm:convnextv2_nano"
        " timm:convnextv2_tiny timm:convnext_large",
    ),
    (
        "conv_stem.weight",
        "timm:efficientnet_b0 mobilenetv3_large_100 mobilenetv3_small_100 mobilenetv2_100"
        " tf_efficientnet_lite0 timm:efficientnet_b1 timm:efficientnet_b2 timm:efficientnet_b3"
        " timm:efficientnet_b4 tf_efficientnet_lite2 tf_efficientnetv2_s tf_efficientnetv2_b0"
        " efficientnetv2_rw_s mobilenetv3_small_050 mnasnet_100 timm:efficientnet_b5 tf_efficientnetv2_m"
        " tf_efficientnet_b7",
    ),
    (
        "trunk_output.block1.block1-0.f.a.0.weight",
        "regnet_y_400mf regnet_y_800mf regnet_y_1_6gf regnet_y_3_2gf regnet_y_8gf regnet_y_16gf"
        " regnet_x_400mf regnet_x_800mf regnet_x_1_6gf regnet_x_3_2gf regnet_x_8gf",
    ),
    (
        "s1.b1.conv1.conv.weight",
        "regnety_002 regnety_004 regnety_008 regnety_016 regnety_032 regnetx_002 regnetx_004 regnetx_008"
        " regnetx_016 regnetx_032",
    ),
    ("Conv2d_1a_3x3.conv.weight", "inception_v3"),
    ("inception3a.branch1.conv.weight", "googlenet"),
    (
        "stage2.0.branch1.0.weight",
        "shufflenet_v2_x1_0 shufflenet_v2_x0_5 shufflenet_v2_x1_5 shufflenet_v2_x2_0",
    ),
    ("layers.0.weight", "mnasnet1_0 mnasnet0_5 mnasnet0_75 mnasnet1_3"),
)


def guess_architecture(weights: WeightsFile | Mapping[str, Tensor]) -> tuple[str, int] | None:
    """The network that a file's weights are for, and its number of classes; None where no usual one fits.

    Takes what `read_weights` gave, or a state dict alone. The name that the training script wrote into the
    file is tried first; whatever is returned fits in every name and shape.
    """
    if not isinstance(weights, WeightsFile):
        weights = WeightsFile("weights", {"": weights})
    for name in _candidates(weights):
        try:
            fitted = fit_weights(_plan(name), weights, any_outputs=True)
        except ClassifierError:
            continue
        if fitted.outputs > 1:
            return name, fitted.outputs
    return None


def _candidates(weights: WeightsFile) -> Iterator[str]:
    if weights.arch:
        yield weights.arch
        yield f"timm:{weights.arch}"  # of a name that both libraries have
    keys = [key for state in weights.states.values() for key in state]
    for marker, names in _FAMILIES:
        if any(key == marker or key.endswith(f".{marker}") for key in keys):
            yield from names.split()


@lru_cache(maxsize=128)
def _plan(name: str) -> nn.Module:
    """Raises ClassifierError where there is no such network."""
    return network_plan(name, _PLAN_CLASSES, image_size=_PLAN_SIZE)
