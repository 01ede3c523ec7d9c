"""Every baseline through the one door: matched strength, same results whatever the batches, clear errors."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
import torch

from pgn_studio.core import plugins
from pgn_studio.core.baselines import BASELINES, baseline_names
from pgn_studio.core.baselines.base import Baseline, PreparedBaseline
from pgn_studio.core.baselines.context import BaselineContext
from pgn_studio.core.baselines.matching import mean_rms
from pgn_studio.core.baselines.preparing import BaselinePerturber, make_baseline, names_for
from pgn_studio.core.errors import Canceled, ClassifierError, ConfigError
from pgn_studio.core.evaluation.evaluate import Metrics, evaluate_perturber
from pgn_studio.core.plugins import PluginError
from tests.core.baselines.conftest import MakeContext
from tests.core.baselines.linear import answering_classifier
from tests.core.evaluation.samples import ArraySplit

SCALED = ("random-sign", "fgsm", "fgsm-oracle", "pgd-oracle")


def measured(
    made: PreparedBaseline, context: BaselineContext, split: ArraySplit, batch_size: int = 64
) -> Metrics:
    return evaluate_perturber(
        made.perturber,
        made.classifier,
        split,
        split_name="test",
        dataset_name="digits",
        space=context.space,
        batch_size=batch_size,
        clean_classifier=context.classifier,
    ).metrics


def test_each_says_what_it_is_for() -> None:
    kinds = BASELINES.available()
    assert list(kinds) == list(BASELINES)
    assert "uap" in set(BASELINES) - set(names_for("enhance"))
    assert "fine-tune" in set(BASELINES) - set(names_for("adversarial"))
    assert {name for name, kind in kinds.items() if kind.oracle} >= {"fgsm-oracle", "pgd-oracle"}
    assert {name for name, kind in kinds.items() if kind.needs_training} >= {"uap", "white-box", "fine-tune"}


def test_old_names_are_known() -> None:
    old = ["aid", "aid-iterated", "direct", "noise", "fgsm-oracle", "fgsm", "typo"]
    assert baseline_names(old) == ("fgsm-oracle", "pgd-oracle", "white-box", "random-sign", "fgsm", "typo")


def subclass(**attributes: object) -> type[Baseline]:
    return type("Other", (Baseline,), {"title": "Other", "description": "another way", **attributes})


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"title": ""}, "title"),
        ({"description": "two\nlines"}, "description"),
        ({"problems": ("help",)}, "problems"),
        ({"strength": "strong"}, "strength"),
        ({"prepare": lambda self, context, progress=None: None}, "needs_training"),
    ],
)
def test_a_class_that_is_incomplete_is_refused(attributes: dict[str, object], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        subclass(**attributes)


def test_only_oracles_see_labels_and_what_they_return_is_checked(make_context: MakeContext) -> None:
    seen: list[torch.Tensor | None] = []

    def perturb(
        self: Baseline, images: torch.Tensor, labels: torch.Tensor | None, context: BaselineContext
    ) -> torch.Tensor:
        seen.append(labels)
        return images[:, :1]

    context, x, labels = make_context(), torch.rand(2, 3, 16, 16), torch.tensor([1, 2])
    for oracle in (False, True):
        kind = subclass(perturb=perturb, oracle=oracle)
        with pytest.raises(PluginError, match="shape"):
            BaselinePerturber("other", kind(), context).perturb(x, labels)
    assert seen[0] is None
    assert seen[1] is labels


class Faulty(Baseline):
    title = "Faulty"
    description = "fails"

    def perturb(
        self, images: torch.Tensor, labels: torch.Tensor | None, context: BaselineContext
    ) -> torch.Tensor:
        raise KeyError("red")


def test_a_plugin_is_one_of_all_and_blamed_where_it_fails(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = EntryPoint("faulty", f"{Faulty.__module__}:{Faulty.__name__}", "pgn_studio.baselines")
    monkeypatch.setattr(plugins, "_installed", lambda: {"baselines": (point,)})
    assert names_for("enhance")[-1] == "faulty"
    with pytest.raises(PluginError, match="faulty.*KeyError"):
        make_baseline("faulty", make_context())


@pytest.mark.parametrize("space", ["pixel", "normalized"])
@pytest.mark.parametrize("problem", ["enhance", "adversarial"])
@pytest.mark.parametrize("name", SCALED)
def test_the_strength_is_the_wanted_one_on_validation(
    make_context: MakeContext, name: str, problem: str, space: str
) -> None:
    context = make_context(problem=problem, space=space, rms=0.03)
    made = make_baseline(name, context)
    assert made.rms == pytest.approx(0.03, rel=1e-5)
    assert mean_rms(made.perturber, context) == pytest.approx(0.03, rel=1e-5)
    assert (made.name, made.oracle) == (name, BASELINES.load(name).oracle)
    assert made.classifier is context.classifier


def test_uap_has_the_wanted_strength(make_context: MakeContext, splits: dict[str, ArraySplit]) -> None:
    few = ArraySplit(
        splits["train"].images(range(32)), splits["train"].labels[:32].tolist(), names=["-"] * 32
    )
    context = make_context(problem="adversarial", train=few, rms=0.03)
    made = make_baseline("uap", context)
    assert measured(made, context, splits["test"]).rms_mean == pytest.approx(0.03, rel=1e-5)


@pytest.mark.parametrize("name", SCALED)
def test_batches_do_not_matter(make_context: MakeContext, splits: dict[str, ArraySplit], name: str) -> None:
    context = make_context(problem="adversarial")
    made, again = make_baseline(name, context), make_baseline(name, context)
    whole, parts = measured(made, context, splits["test"]), measured(again, context, splits["test"], 7)
    one_image = 1.5 / whole.n  # which stands on the edge, and kernels differ by the batch's size
    assert parts.perturbed_accuracy == pytest.approx(whole.perturbed_accuracy, abs=one_image)
    assert parts.perturbed_accuracy_8bit == pytest.approx(whole.perturbed_accuracy_8bit, abs=one_image)
    assert whole.rms_mean == pytest.approx(parts.rms_mean, rel=1e-5)


def test_each_does_what_it_is_for(make_context: MakeContext, splits: dict[str, ArraySplit]) -> None:
    """The order that theory gives: chance, own answers, one step by the truth, many steps by the truth."""
    harm, help_ = {}, {}
    for name in SCALED:
        context = make_context(problem="adversarial", rms=0.06)
        harm[name] = measured(make_baseline(name, context), context, splits["test"]).perturbed_accuracy
        context = make_context(rms=0.06)
        help_[name] = measured(make_baseline(name, context), context, splits["test"])
    assert harm["random-sign"] > harm["fgsm"] >= harm["fgsm-oracle"] >= harm["pgd-oracle"]
    clean = help_["random-sign"].clean_accuracy
    assert help_["fgsm"].fooling_rate == 0.0  # its own answers are only made surer
    assert help_["fgsm-oracle"].perturbed_accuracy > clean
    assert help_["pgd-oracle"].perturbed_accuracy >= help_["fgsm-oracle"].perturbed_accuracy
    assert help_["fgsm-oracle"].broken == help_["pgd-oracle"].broken == 0


@pytest.mark.parametrize("name", ["random-sign", "fgsm", "pgd-oracle", "white-box"])
def test_no_strength_changes_nothing(
    make_context: MakeContext, splits: dict[str, ArraySplit], name: str
) -> None:
    context = make_context(rms=0.0, settings={"epochs": 1})
    made = make_baseline(name, context)
    assert made.rms == 0.0
    assert measured(made, context, splits["test"]).fooling_rate == 0.0


@pytest.mark.parametrize("name", SCALED)
def test_f_is_untouched(make_context: MakeContext, splits: dict[str, ArraySplit], name: str) -> None:
    context = make_context()
    before = {key: value.clone() for key, value in context.classifier.state_dict().items()}
    measured(make_baseline(name, context), context, splits["test"])
    assert all(torch.equal(value, before[key]) for key, value in context.classifier.state_dict().items())
    assert all(weight.grad is None and not weight.requires_grad for weight in context.classifier.parameters())


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_canceled_passes_through_at_once(make_context: MakeContext, name: str) -> None:
    problem = BASELINES.load(name).problems[-1]
    calls: list[tuple[int, int]] = []

    def cancel(done: int, total: int) -> None:
        calls.append((done, total))
        raise Canceled

    with pytest.raises(Canceled):
        make_baseline(name, make_context(problem=problem), progress=cancel)
    assert len(calls) == 1
    assert 0 < calls[0][0] <= calls[0][1]


def test_unknown_names_and_other_problems_are_refused(make_context: MakeContext) -> None:
    with pytest.raises(ConfigError, match=r"'fgms'.*Choose one of: random-sign, fgsm"):
        make_baseline("fgms", make_context())
    with pytest.raises(ConfigError, match=r"uap is for the adversarial problem.*Choose one of: random-sign"):
        make_baseline("uap", make_context())
    with pytest.raises(ConfigError, match="fine-tune is for the enhance problem"):
        make_baseline("fine-tune", make_context(problem="adversarial"))
    for rms in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="RMS"):
            make_context(rms=rms)


@pytest.mark.parametrize("name", ["fgsm", "uap", "white-box", "fgsm-oracle", "pgd-oracle"])
def test_a_classifier_that_only_answers_is_refused_but_for_random_signs(
    make_context: MakeContext, name: str
) -> None:
    context = make_context(
        problem="adversarial", classifier=answering_classifier(), settings={"input_mixup": 0.0, "epochs": 1}
    )
    with pytest.raises(ClassifierError, match="gradients"):
        make_baseline(name, context)
    assert make_baseline("random-sign", context).rms == pytest.approx(0.05)


def test_vanished_gradients_are_said(make_context: MakeContext) -> None:
    context = make_context()
    for weight in context.classifier.parameters():
        weight.zero_()
    with pytest.raises(ClassifierError, match="nothing to scale"):
        make_baseline("fgsm-oracle", context)
