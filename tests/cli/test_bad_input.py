"""Whatever is wrong with a command line: exit code 2, one line on stderr, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import RunCommand

# {tmp} is a folder with a text file, an empty folder, a damaged file and a damaged run.
BAD_LINES = [
    ("trian", "No such command 'trian'"),
    ("--verison", "No such option"),
    ("train --gama 3", "--gamma"),
    ("train", "--classifier is needed"),
    ("train stray", "unexpected extra argument"),
    ("train --classifier {tmp}/none.safetensors", "There is no classifier file"),
    ("train --classifier {tmp}/empty", "is a folder"),
    ("train --classifier {tmp}/damaged.safetensors", "damaged.safetensors"),
    ("train --classifier {tmp}/text.txt", "text.txt"),
    ("train --classifier arch:no-such-net", "no-such-net"),
    ("train --classifier x --gamma", "requires an argument"),
    ("train --classifier x --gamma -1", "gamma"),
    ("train --classifier x --gamma three", "--gamma"),
    ("train --classifier x --gamma nan", "gamma"),
    ("train --classifier x --epochs 0", "epochs"),
    ("train --classifier x --epochs 1.5", "--epochs"),
    ("train --classifier {tmp}/text.txt --encoder resnet5 --out {tmp}/new", "Did you mean"),
    ("train --classifier {tmp}/text.txt --encoder bert-base --out {tmp}/new", "no architecture 'bert-base'"),
    ("train --classifier {tmp}/text.txt --encoder vgg11 --set encoder_input_size=8 --out {tmp}/n", "of 8 px"),
    ("train --classifier x --loss l3", "'l3' is not one of"),
    ("train --classifier x --problem help", "'help' is not one of"),
    ("train --classifier x --set decoder_widths=16,wide", "decoder_widths"),
    ("train --classifier x --set decoder_widths=0", "decoder_widths"),
    ("train --classifier x --decoder-widths 16,8", "Use --set decoder_widths=16,8."),
    ("train --classifier x --head linear", "No such option --head. Use --set head=linear."),
    ("train --classifier x --no-clip", "Use --set clip=yes or --set clip=no."),
    ("sweep --soft-targets", "Use --set soft_targets=yes or --set soft_targets=no."),
    ("train --classifier x --min-scale", "Use --set min_scale=VALUE."),
    ("evaluate {tmp}/text.txt --head linear", "No such option"),
    ("train --classifier x --set", "requires an argument"),
    ("train --classifier x --set head", "Expected NAME=VALUE"),
    ("train --classifier x --set =linear", "Expected NAME=VALUE"),
    ("train --classifier x --set head=cubic", "head (with --set): Input should be"),
    ("train --classifier x --set haed=linear", "Did you mean head?"),
    ("train --classifier x --set sideways=1", "They are: "),
    ("train --classifier x --set split_method=hash", "There is no setting"),
    ("train --classifier x --set clip=maybe", "clip (with --set): "),
    ("train --classifier x --set min_scale=nan", "min_scale"),
    ("train --classifier x --set head=mlp --set head=linear", "set twice"),
    ("train --classifier x --epochs 3 --set epochs=4", "--epochs 3 and --set epochs=4"),
    ("train --resume {tmp}/damaged-run --set head=mlp", "--set head cannot be given along"),
    ("train --classifier x --image-size 4", "--image-size: "),
    ("train --classifier {tmp}/text.txt --device gpu", "Device 'gpu' is not available"),
    ("train --classifier {tmp}/text.txt --dataset {tmp}/none", "No folder and no data set"),
    ("train --classifier {tmp}/text.txt --dataset {tmp}/empty", "{tmp}/empty"),
    ("train --classifier {tmp}/text.txt --dataset {tmp}/text.txt", "found a file"),
    ("train --classifier {tmp}/text.txt --classifier-mean 1,2", "three numbers"),
    ("train --classifier {tmp}/text.txt --out {tmp}/damaged-run", "already holds a run"),
    ("train --classifier {tmp}/text.txt --out {tmp}", "is not empty"),
    ("train --classifier http://127.0.0.1:9/ --discriminator shared", "Use --discriminator blackbox."),
    ("train --classifier {tmp}/none.onnx --discriminator blackbox", "There is no classifier file"),
    (
        "train --classifier {tmp}/text.txt --query-budget 5",
        "--query-budget: only for classifiers that answer",
    ),
    ("train --classifier http://u:p@h/ --discriminator blackbox --image-size 8", "user or password"),
    ("train --classifier python:os:getcwd --discriminator blackbox --image-size 8", "--trust-code"),
    ("train --classifier http://h/ --discriminator blackbox --query-budget 0", "--query-budget"),
    ("train --classifier http://h/ --discriminator blackbox --queries-per-second 0", "--queries-per-second"),
    ("train --classifier http://h/ --discriminator blackbox --query-timeout 0", "--query-timeout"),
    ("train --classifier http://h/ --discriminator blackbox --header Authorization", "--header number 1"),
    ("train --classifier http://h/ --discriminator blackbox --classes a,a", "--classes"),
    ("train --classifier {tmp}/text.txt --seed 18446744073709551616", "seed"),
    ("train --classifier {tmp}/text.txt --split-seed 18446744073709551616", "split-seed"),
    ("train --classifier {tmp}/text.txt --class-seed 18446744073709551616", "class-seed"),
    ("train --classifier {tmp}/text.txt --data-range inf", "data-range"),
    ("train --classifier {tmp}/text.txt --precision fp16 --device cpu --out {tmp}/new", "fp16"),
    ("train --classifier {tmp}/text.txt --classes {tmp}/no-names.txt", "there is no file"),
    ("train --classifier {tmp}/text.txt --classes {tmp}/empty", "there is no file"),
    ("train --classifier {tmp}/text.txt --classes {tmp}/damaged.safetensors", "--classes"),
    ("train --resume {tmp}/none", "There is no run"),
    ("train --resume {tmp}/empty", "is no run"),
    ("train --resume {tmp}/damaged-run", "damaged"),
    ("train --resume {tmp}/damaged-run --gamma 3", "--gamma cannot be given along"),
    ("train --resume {tmp}/damaged-run --out x", "--out cannot be given along"),
    ("train-classifier", "--out"),
    ("train-classifier --out {tmp}/c.pth", "ends in .safetensors"),
    ("train-classifier --out {tmp}/damaged.safetensors", "exists already"),
    ("train-classifier --out {tmp}/folder.safetensors", "is a folder"),
    ("train-classifier --out {tmp}/text.txt/c.safetensors", "text.txt"),
    ("train-classifier --out {tmp}/c.safetensors --dataset digit", "digits"),
    ("train-classifier --out {tmp}/c.safetensors --arch no-such-net", "no-such-net"),
    ("train-classifier --out {tmp}/c.safetensors --seed -1", "seed"),
    ("train-classifier --out {tmp}/c.safetensors --seed 18446744073709551616", "seed"),
    ("train-classifier --out {tmp}/c.safetensors --weight-decay inf", "weight-decay"),
    ("evaluate", "RUN|PGN"),
    ("evaluate {tmp}/none", "There is no run and no PGN"),
    ("evaluate {tmp}/text.txt", "text.txt"),
    ("evaluate {tmp}/damaged.safetensors", "damaged.safetensors"),
    ("evaluate {tmp}/damaged.safetensors --split holdout", "--split"),
    ("evaluate {tmp}/damaged.safetensors --batch-size 0", "--batch-size"),
    ("evaluate {tmp}/damaged.safetensors --json {tmp}", "is a folder"),
    ("baseline", "NAME"),
    ("baseline random-sign", "RUN|PGN"),
    ("baseline fgms {tmp}/damaged.safetensors", "Unknown baseline 'fgms'"),
    ("baseline noise {tmp}/none", "There is no run and no PGN"),
    ("baseline random-sign {tmp}/damaged.safetensors", "damaged.safetensors"),
    ("baseline all {tmp}/damaged.safetensors --seed -1", "--seed"),
    ("baseline all {tmp}/damaged.safetensors --seed 18446744073709551616", "--seed"),
    ("baseline all {tmp}/damaged.safetensors --json {tmp}", "is a folder"),
    ("evaluate {tmp}/damaged.safetensors --classifier {tmp}/none", "There is no classifier file"),
    ("evaluate {tmp}/damaged.safetensors --device tpu", "Device 'tpu'"),
    ("export {tmp}/damaged.safetensors --out a.png", "--what"),
    ("export {tmp}/damaged.safetensors --what figure", "--out"),
    ("export {tmp}/damaged.safetensors --what film --out a.png", "'film' is not one of"),
    ("export {tmp}/damaged.safetensors --what figure --out a.gif", ".png, .svg, .pdf"),
    ("export {tmp}/damaged.safetensors --what figure --out {tmp}/folder.png", "is a folder"),
    ("export {tmp}/damaged.safetensors --what figure --out a.png --count 0", "--count"),
    ("export {tmp}/damaged.safetensors --what curves --out a.png", "lies in no run"),
    ("export {tmp}/damaged.safetensors --what images --out {tmp}", "is not empty"),
    ("export {tmp}/damaged.safetensors --what images --out {tmp}/text.txt", "is a file"),
    ("export {tmp}/none --what curves --out a.png", "There is no run"),
    ("report {tmp}/damaged.safetensors", "--out"),
    ("report {tmp}/none --out {tmp}/r", "There is no run and no PGN"),
    ("report {tmp}/damaged.safetensors --out {tmp}/r --baselines none", "damaged.safetensors"),
    ("report {tmp}/damaged.safetensors --out {tmp}/text.txt", "is a file"),
    ("report {tmp}/damaged.safetensors --out {tmp}", "holds more than a report"),
    ("report {tmp}/damaged.safetensors --out {tmp}/r --split holdout", "--split"),
    ("report {tmp}/damaged.safetensors --out {tmp}/r --classifiers {tmp}/no,x", "no classifier file"),
    ("report {tmp}/damaged.safetensors --out {tmp}/r --classifiers {tmp}/empty", "is a folder"),
    ("report {tmp}/damaged.safetensors --out {tmp}/r --pgns {tmp}/none", "There is no run and no PGN"),
    ("report {tmp}/damaged.safetensors --out {tmp}/r --resamples 5", "--resamples"),
    ("report {tmp}/damaged.safetensors --out {tmp}/r --baselines nois", "baselines"),
    ("sweep --out x", "--over"),
    ("sweep --over gamma=1", "--out"),
    ("sweep --over gamma=1 --out {tmp}/new", "--classifier is needed"),
    ("sweep --over gama=1 --out {tmp}/new", "Did you mean gamma"),
    ("sweep --over gamma=1,x --out {tmp}/new", "--over gamma"),
    (
        "sweep --over gamma=1 --classifier {tmp}/text.txt --out {tmp}/new --device cpu --precision fp16",
        "fp16",
    ),
    ("sweep --over encoder=small,resnet5 --classifier {tmp}/text.txt --out {tmp}/new", "Did you mean"),
    ("sweep --over gamma=1 --gamma 2 --out {tmp}/new", "--gamma cannot both be set and swept"),
    ("sweep --over gamma=1 --classifier {tmp}/none --out {tmp}/new", "There is no classifier file"),
    ("sweep --over gamma=1 --classifier {tmp}/text.txt --out {tmp}", "holds no sweep"),
    ("sweep --over gamma=1 --classifier {tmp}/text.txt --device gpu --out {tmp}/new", "Device 'gpu'"),
    ("reproduce --out x", "table1, table2, table3"),
    ("reproduce table4 --out x", "'table4' is not one of"),
    ("reproduce table1", "--out"),
    ("reproduce table1 --only VGG19 --out {tmp}/new", "no classifier 'VGG19'"),
    ("reproduce table1 --dataset {tmp} --out {tmp}/new", "--dataset is for --scale small"),
    ("reproduce table1 --scale small --dataset {tmp}/none --out {tmp}/new", "No folder and no data set"),
    ("reproduce table1 --scale small --imagenet {tmp} --out {tmp}/new", "--imagenet is for --scale paper"),
    ("reproduce table1 --out {tmp}", "holds no reproduction"),
    ("reproduce table1 --gamma -1 --out {tmp}/new", "gamma"),
    ("reproduce table1 --device gpu --out {tmp}/new", "Device 'gpu'"),
    ("runs --folder {tmp}/none", "no folder"),
    ("annotate {tmp}/none --name x", "There is no run folder"),
    ("annotate {tmp} --name x", "is no run"),
    ("doctor --jsn", "No such option"),
    ("demo --headless --out {tmp}/text.txt", "text.txt"),
]


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text("hello", encoding="utf-8")
    (tmp_path / "damaged.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{]")
    for name in ("empty", "folder.safetensors", "folder.png", "damaged-run"):
        (tmp_path / name).mkdir()
    (tmp_path / "damaged-run" / "run.json").write_text("{", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(("line", "said"), BAD_LINES, ids=[line for line, _ in BAD_LINES])
def test_one_line_and_code_2(pgn_studio: RunCommand, prepared: Path, line: str, said: str) -> None:
    arguments = [part.replace("{tmp}", str(prepared)) for part in line.split()]
    outcome = pgn_studio(*arguments)
    assert outcome.code == 2, outcome.err
    assert len([text for text in outcome.error_lines if not text.startswith("Data: ")]) == 1, outcome.err
    last = outcome.error_lines[-1]
    assert last.startswith("pgn-studio: error: ")
    assert said.replace("{tmp}", str(prepared)) in last
    assert outcome.out == ""
    assert not (prepared / "c.safetensors").exists()
    assert not (prepared / "r").exists()
    assert not (prepared / "new").exists()


def test_no_window_without_a_display(pgn_studio: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    outcome = pgn_studio()
    assert outcome.code == 2
    assert len(outcome.error_lines) == 1
    assert "No window can be opened here" in outcome.err
