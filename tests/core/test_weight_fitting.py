from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.weight_files import WeightsFile
from pgn_studio.core.weight_fitting import WrongArchitectureError, fit_weights, load_weights

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return torchvision.models.shufflenet_v2_x0_5(num_classes=3)


@pytest.fixture
def state(network: nn.Module) -> State:
    return {name: value.clone() for name, value in network.state_dict().items()}


def said_of(network: nn.Module, state: Mapping[str, Tensor], **options: Any) -> str:
    """What was decided; every tensor must have got to its place."""
    fitted = fit_weights(network, WeightsFile("net.pth", {"": state}), **options)
    expected = network.state_dict()
    assert all(
        torch.equal(fitted.tensors[name], expected[name]) for name in expected if _floats(expected[name])
    )
    return " ".join(fitted.notices)


def behind(prefix: str, state: State) -> State:
    return {prefix + name: value for name, value in state.items()}


def without_head(state: State) -> State:
    return {name: value for name, value in state.items() if not name.startswith("fc.")}


def head(name: str, state: State) -> State:
    return {f"{name}.weight": state["fc.weight"], f"{name}.bias": state["fc.bias"]}


@pytest.mark.parametrize(
    "prefix",
    [
        "module.",
        "timm_model.",
        "base_model.",
        "student.",
        "_orig_mod.module.",
        "lit.net.",
        "encoder.backbone.",
    ],
)
def test_any_prefix_is_taken_off_and_named(network: nn.Module, state: State, prefix: str) -> None:
    assert repr(prefix) in said_of(network, behind(prefix, state))


def test_what_lies_beside_the_network_is_left_out_and_named(network: nn.Module, state: State) -> None:
    strays = {"criterion.weight": torch.ones(3), "n_averaged": torch.tensor(3)}
    said = said_of(network, behind("model.", state) | strays)
    assert "criterion.weight" in said
    assert "n_averaged" in said
    other = {f"teacher.{number}.weight": torch.ones(4, 4) for number in range(8)}
    assert "teacher.… (8 tensors)" in said_of(network, behind("model.", state) | other)


def test_bookkeeping_among_the_networks_own_names_is_left_out(network: nn.Module, state: State) -> None:
    profiled = {
        "conv1.total_ops": torch.zeros(1),
        "epoch": torch.tensor(3),
        "criterion.weight": torch.ones(3),
    }
    assert "criterion.weight" in said_of(network, state | profiled)


def test_the_values_of_a_mean_beside_the_network_are_shown(network: nn.Module, state: State) -> None:
    mean = torch.tensor([0.49, 0.48, 0.45]).view(1, 3, 1, 1)
    assert "0.49, 0.48, 0.45" in said_of(network, behind("module.model.", state) | {"module.mu": mean})


@pytest.mark.parametrize(
    "layer",
    [
        {"fc2.weight": torch.ones(3, 3), "fc2.bias": torch.ones(3)},
        {"norm.weight": torch.ones(8), "norm.bias": torch.ones(8)},
        {"stage2.9.weight": torch.ones(2, 2, 1, 1)},
        {"scale": torch.ones(1)},
        {"pos_embed": torch.ones(1, 5, 8)},
    ],
    ids=lambda layer: next(iter(layer)),
)
def test_a_layer_of_another_network_is_refused(network: nn.Module, state: State, layer: State) -> None:
    for prefix in ("", "module."):
        with pytest.raises(WrongArchitectureError, match=next(iter(layer))):
            said_of(network, behind(prefix, state | layer))


def test_a_layer_on_top_of_the_network_is_refused(network: nn.Module, state: State) -> None:
    with pytest.raises(WrongArchitectureError, match="head"):
        said_of(
            network, behind("model.", state) | {"head.weight": torch.ones(2, 3), "head.bias": torch.ones(2)}
        )


@pytest.mark.parametrize("name", ["fc.1", "fc.0", "last_linear", "fc.fc"])
def test_a_last_layer_of_another_name_is_found(network: nn.Module, state: State, name: str) -> None:
    assert f"called {name}" in said_of(network, without_head(state) | head(name, state))
    assert f"called model.{name}" in said_of(
        network, behind("model.", without_head(state) | head(name, state))
    )


def test_a_last_layer_beside_its_backbone_is_found(network: nn.Module, state: State) -> None:
    body = behind("backbone.", without_head(state))
    assert "called classifier.1" in said_of(network, body | head("classifier.1", state))
    projected = {"proj.weight": torch.ones(1024, 1024)}
    assert "teacher" in said_of(network, body | head("classifier", state) | behind("teacher.", state))
    for other in (projected, head("other", state)):
        with pytest.raises(WrongArchitectureError):
            said_of(network, body | head("classifier", state) | other)


def test_a_head_of_several_layers_is_refused(network: nn.Module, state: State) -> None:
    hidden = {"fc.1.weight": torch.ones(1024, 1024), "fc.1.bias": torch.ones(1024)}
    with pytest.raises(WrongArchitectureError, match=r"fc\.1\.weight"):
        said_of(network, without_head(state) | hidden | head("fc.4", state))


@pytest.mark.parametrize(
    ("network_name", "old", "new"),
    [
        ("mobilenet_v2", "classifier.1.", "classifier."),
        ("mobilenet_v3_small", "classifier.3.", "classifier.3.1."),
    ],
)
def test_a_nested_head_may_be_flat_and_the_other_way_round(network_name: str, old: str, new: str) -> None:
    with torch.device("meta"):
        plan = torchvision.models.get_model(network_name, weights=None, num_classes=3)
    state = {
        name.replace(old, new): torch.zeros(value.shape, dtype=value.dtype)
        for name, value in plan.state_dict().items()
    }
    assert "last layer" in " ".join(fit_weights(plan, WeightsFile("net.pth", {"": state})).notices)


def test_averaged_weights_are_taken_before_raw_ones(network: nn.Module, state: State) -> None:
    raw = {name: torch.zeros_like(value) for name, value in state.items()}
    for places in (
        {"state_dict": raw, "state_dict_ema": state},
        {"model": raw, "model_ema": behind("module.", state)},
        {"params": raw, "params_ema": state},
        {"": behind("net.", raw) | behind("ema_model.", state)},
    ):
        copy = torchvision.models.shufflenet_v2_x0_5(num_classes=3)
        said = " ".join(load_weights(copy, WeightsFile("net.pth", places)))
        assert "EMA" in said
        assert torch.equal(copy.fc.weight, state["fc.weight"])


def test_of_student_and_teacher_the_student_is_used_and_that_is_said(
    network: nn.Module, state: State
) -> None:
    other = {name: torch.zeros_like(value) for name, value in state.items()}
    assert "teacher" in said_of(network, behind("student.", state) | behind("teacher.", other))


def test_one_of_two_networks_is_not_guessed(network: nn.Module, state: State) -> None:
    other = {name: torch.zeros_like(value) for name, value in state.items()}
    with pytest.raises(ClassifierError, match="several networks"):
        said_of(network, behind("a.", state) | behind("b.", other))
    said_of(network, behind("a.", state) | behind("b.", state))  # the same twice: no question


def test_wrappers_inside_a_network_are_taken_off(network: nn.Module, state: State) -> None:
    inner = {name.replace("stage2.", "stage2.module.").replace("conv1.", "conv1._orig_mod."): value
             for name, value in state.items()}  # fmt: skip
    said_of(network, inner)


def test_a_vit_pooled_in_another_way_is_refused() -> None:
    state = timm.create_model("vit_tiny_patch16_224", num_classes=2, depth=1, global_pool="avg").state_dict()
    plan = timm.create_model("vit_tiny_patch16_224", num_classes=2, depth=1)
    with pytest.raises(WrongArchitectureError, match="fc_norm"):
        fit_weights(plan, WeightsFile("net.pth", {"": state}))


def _floats(value: Tensor) -> bool:
    return value.is_floating_point()


@pytest.mark.parametrize("dtype", [torch.int8, torch.complex64, torch.float8_e4m3fn, torch.bool])
def test_weights_that_are_no_plain_floats_are_refused(
    network: nn.Module, state: State, dtype: torch.dtype
) -> None:
    converted = {name: value.to(dtype) if _floats(value) else value for name, value in state.items()}
    with pytest.raises(ClassifierError, match=str(dtype).removeprefix("torch.")):
        load_weights(network, WeightsFile("net.pth", {"": converted}))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision_load(network: nn.Module, state: State, dtype: torch.dtype) -> None:
    converted = {name: value.to(dtype) for name, value in state.items()}
    load_weights(network, WeightsFile("net.pth", {"": converted}))


def _around(network: nn.Module, stray: State) -> None:
    """Three classes, 1,024 features."""
    load_weights(network, WeightsFile("net.pth", {"": behind("net.", network.state_dict()) | stray}))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("pre.weight", (3, 3, 1, 1)),
        ("pre.weight", (3, 1, 1, 1)),
        ("aug.color.weight", (3, 3)),
        ("denoiser.0.weight", (16, 3, 3, 3)),
        ("bn.running_mean", (3,)),
        ("bn.running_mean", (1024,)),
        ("class_bias", (3,)),
        ("scale", (1024,)),
        ("scale", (1, 1024)),
        ("out.weight", (3, 7)),
        ("out.weight", (5, 3)),
        ("out.parametrizations.weight.original1", (5, 3)),
    ],
)
def test_layers_around_the_network_are_refused_by_name(
    network: nn.Module, name: str, shape: tuple[int, ...]
) -> None:
    with pytest.raises(WrongArchitectureError, match=name.partition(".")[0]) as caught:
        _around(network, {name: torch.zeros(shape)})
    assert "program" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("criterion.weight", (3,)),
        ("ce.weight", (3,)),
        ("loss.centers", (3, 1024)),
        ("loss_fn.proxies.weight", (3, 1024)),
        ("projector.0.weight", (128, 1024)),
        ("train_acc.tp", (3,)),
        ("val_metrics.confmat", (3, 3)),
        ("teacher.conv1.weight", (16, 3, 3, 3)),
        ("aux.fc.weight", (3, 64)),
        ("logit_scale", ()),
        ("normalize.mean", (1, 3, 1, 1)),
        ("queue", (3, 128)),
    ],
)
def test_what_serves_training_is_left_out(network: nn.Module, name: str, shape: tuple[int, ...]) -> None:
    _around(network, {name: torch.zeros(shape)})


def _used(network: nn.Module, state: State, *places: str) -> str:
    """Which of the places is used: the first holds what the network has, the others other numbers."""
    others = {name: value + 1 if _floats(value) else value for name, value in state.items()}
    file = WeightsFile("net.pth", dict.fromkeys(places[1:], others) | {places[0]: state})
    fitted = fit_weights(network, file)
    assert torch.equal(fitted.tensors["conv1.0.weight"], state["conv1.0.weight"])
    return " ".join(fitted.notices)


@pytest.mark.parametrize("name", ["ema", "model_ema", "EMAModel", "netEMA", "swa_model", "averaged"])
def test_averages_are_preferred(network: nn.Module, state: State, name: str) -> None:
    assert name in _used(network, state, name, "model")


@pytest.mark.parametrize(
    "name", ["email_net", "schema_net", "callbacks.StochasticWeightAveraging.average_model_state"]
)
def test_what_is_no_average_or_no_finished_one_is_not_preferred(
    network: nn.Module, state: State, name: str
) -> None:
    _used(network, state, "state_dict", name)


def test_a_target_network_is_neither_a_teacher_nor_the_one_that_is_meant(
    network: nn.Module, state: State
) -> None:
    _used(network, state, "online_net", "target_net")
    for other in ("shadow_model", "source_net"):
        with pytest.raises(ClassifierError, match="several networks"):
            _used(network, state, "target_net", other)


@pytest.mark.parametrize(
    ("network", "pattern", "old"),
    [
        (torchvision.models.densenet121, r"(layer\d+\.(?:norm|conv))([12])\.", r"\1.\2."),
        (torchvision.models.vit_b_32, r"mlp\.0\.", "mlp.linear_1."),
    ],
)
def test_torchvisions_old_names_are_known(network: Any, pattern: str, old: str) -> None:
    with torch.device("meta"):
        net = network(num_classes=3)
    state = {re.sub(pattern, old, name): value for name, value in net.state_dict().items()}
    state = {name.replace("mlp.3.", "mlp.linear_2."): value for name, value in state.items()}
    assert state.keys() != net.state_dict().keys()
    zeros = {name: torch.zeros(value.shape, dtype=value.dtype) for name, value in state.items()}
    fitted = fit_weights(net, WeightsFile("net.pth", {"": behind("module.", zeros)}))
    assert fitted.tensors.keys() == net.state_dict().keys()
