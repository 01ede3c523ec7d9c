from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from pgn_studio.core.config import Problem
from pgn_studio.core.perturbation.condition import (
    Condition,
    ConditionEncoder,
    ImageCondition,
    PrincipalComponents,
)
from pgn_studio.core.perturbation.discriminators.backbone import DiscriminatorBackbone
from pgn_studio.core.perturbation.discriminators.base import FeatureScale, SuccessHead
from pgn_studio.core.perturbation.discriminators.surrogate import SurrogateHead
from pgn_studio.core.perturbation.generator import SmallEncoder
from pgn_studio.core.perturbation.losses import surrogate_loss


def test_the_literal_head_is_one_linear_layer_on_scaled_features() -> None:
    discriminator = SuccessHead(feature_dim=5, head="linear")
    features = torch.randn(7, 5)
    linear = discriminator.head[0]
    logits = discriminator(features, features.new_zeros(7, 0))
    torch.testing.assert_close(logits, features @ linear.weight[0] + linear.bias[0])
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == 6


def test_the_condition_is_seen() -> None:
    torch.manual_seed(0)
    discriminator = SuccessHead(feature_dim=5, condition_dim=3)
    features = torch.randn(2, 5)
    here, there = discriminator(features, torch.zeros(2, 3)), discriminator(features, torch.ones(2, 3))
    assert here.shape == (2,)
    assert not torch.allclose(here, there)


def test_scale_brings_features_to_unit_variance_and_leaves_constant_ones_finite() -> None:
    features = torch.randn(500, 4) * torch.tensor([1.0, 10.0, 0.1, 0.0]) + 3
    scale = FeatureScale(4)
    scale.fit(features)
    scaled = scale(features)
    torch.testing.assert_close(scaled.std(0, unbiased=False)[:3], torch.ones(3), rtol=1e-3, atol=1e-3)
    assert torch.isfinite(scaled).all()


def test_principal_components_are_uncorrelated_with_unit_variance() -> None:
    torch.manual_seed(0)
    mixed = torch.randn(400, 6) @ torch.randn(6, 6)
    components = PrincipalComponents(6, components=4)
    components.fit(mixed)
    projected = components(torch.empty(400), mixed.view(400, 6, 1, 1))
    torch.testing.assert_close(torch.cov(projected.T), torch.eye(4), rtol=1e-3, atol=1e-3)


def test_fewer_images_than_components_leave_no_noise() -> None:
    components = PrincipalComponents(16, components=8)
    features = torch.randn(3, 16)  # at most two directions
    components.fit(features)
    projected = components(torch.empty(3), features.view(3, 16, 1, 1))
    assert torch.isfinite(projected).all()
    assert (projected.abs().amax(0) > 0).sum() == 2


def test_an_own_backbone_learns_and_a_frozen_one_does_not() -> None:
    learning = DiscriminatorBackbone(SmallEncoder.fitting(8), size=8, trained=True, classes=3).train()
    frozen = DiscriminatorBackbone(SmallEncoder.fitting(8), size=8, trained=False).train()
    pixels = torch.rand(2, 3, 8, 8, requires_grad=True)
    for backbone in (learning, frozen):
        features = backbone(pixels)
        assert features.shape == (2, backbone.feature_dim)
        loss = features.sum()
        if backbone.surrogate is not None:
            loss = loss + surrogate_loss(backbone.surrogate_logits(features), torch.tensor([0, 2]))
        loss.backward()
    assert all(parameter.grad is not None for parameter in learning.parameters())
    assert all(parameter.grad is None for parameter in frozen.parameters())
    assert not frozen.network.training
    assert pixels.grad is not None  # G's gradient passes through both


def test_forward_eval_judges_an_image_whatever_stands_beside_it_and_learns_nothing() -> None:
    torch.manual_seed(0)
    backbone = DiscriminatorBackbone(SmallEncoder.fitting(8), size=8, trained=True).train()
    backbone(torch.rand(64, 3, 8, 8))  # batch norm has statistics to go by
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    pixels = torch.rand(4, 3, 8, 8, requires_grad=True)
    alone, among = backbone.forward_eval(pixels[:1]), backbone.forward_eval(pixels)[:1]
    torch.testing.assert_close(alone, among)
    assert not torch.allclose(backbone(pixels)[:1], among, atol=1e-3)
    among.sum().backward()
    assert pixels.grad is not None
    assert pixels.grad[0].abs().sum() > 0
    assert pixels.grad[1:].abs().sum() == 0
    assert backbone.training
    assert backbone.network.training
    backbone.load_state_dict(before)
    backbone.forward_eval(pixels)
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())


def test_an_own_encoder_of_the_clean_image() -> None:
    assert ConditionEncoder(image_size=16, dim=6)(torch.rand(3, 3, 16, 16), torch.empty(3)).shape == (3, 6)


def test_the_label_is_told_behind_what_is_told_of_the_image() -> None:
    pixels, labels = torch.rand(2, 3, 16, 16), torch.tensor([2, 0])
    unconditional = Condition(ImageCondition(), classes=0)
    assert (unconditional.dim, unconditional(pixels, pixels, labels).shape) == (0, (2, 0))
    image = ConditionEncoder(image_size=16, dim=4).eval()
    condition = Condition(image, classes=3)
    told = condition(pixels, torch.empty(2), labels)
    assert condition.dim == 7
    torch.testing.assert_close(told[:, :4], image(pixels, torch.empty(2)))
    assert torch.equal(told[:, 4:], torch.eye(3)[labels])


def test_a_label_picks_a_direction_in_the_features() -> None:
    """Miyato and Koyama 2018, equation 3: the judgment of the head, plus v_y · φ(x̃)."""
    torch.manual_seed(0)
    discriminator = SuccessHead(feature_dim=5, condition_dim=2 + 3, classes=3)
    features, seen = torch.randn(4, 5), torch.randn(4, 2)
    labels = torch.tensor([0, 2, 1, 2])
    condition = torch.cat([seen, torch.eye(3)[labels]], dim=1)
    assert discriminator.projection is not None
    head = discriminator.head(torch.cat([features, condition], dim=1)).squeeze(1)
    directions = discriminator.projection.weight[labels]
    expected = head + (directions * features).sum(1)
    torch.testing.assert_close(discriminator(features, condition), expected)


@pytest.mark.parametrize("problem", ["enhance", "adversarial"])
def test_a_surrogate_head_judges_by_what_it_says_of_the_label(problem: Problem) -> None:
    torch.manual_seed(0)
    head = SurrogateHead(feature_dim=5, classes=3, problem=problem)
    features, labels = torch.randn(4, 5), torch.tensor([0, 2, 1, 1])
    right = head.surrogate_logits(features).softmax(1)[torch.arange(4), labels]
    judged = torch.sigmoid(head(features, F.one_hot(labels, 3).float()))
    torch.testing.assert_close(judged, right if problem == "enhance" else 1 - right)
