"""Benchmarks run, at sizes whose figures mean nothing, and their methods do the same work."""

import functools
import json
import math
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import flagsaver

from benchmarks import head, head_steps, measure
from kc_jax.core.head_spec import HeadSpec
from kc_jax.models.classifier import Classifier

ROOT = pathlib.Path(__file__).parents[2]
SIZES = (30, 50, 120)
SMOKE = "--preset=smoke"


def figures(name, *options):
    """Runs a benchmark as a user does; gives the one line that it prints."""
    command = [sys.executable, "-m", f"benchmarks.{name}", "--rounds=1", "--json", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    return json.loads(line)


def assert_positive(row, keys):
    for key in keys:
        assert math.isfinite(row[key]) and row[key] > 0, key


def test_soft_targets():
    row = figures("soft_targets", "--classes=300", "--records=512")
    assert_positive(row, ["bytes_per_view", "writes_per_s", "reads_per_s", "plain_reads_per_s"])


def test_average_precision():
    pytest.importorskip("sklearn")
    row = figures("average_precision", "--classes=40", "--images=600")
    assert_positive(row, ["ratio", "ours_ms_per_class", "peak_rss_gib"])
    assert row["largest_relative_difference"] < 1e-12


def test_report():
    row = figures("report", "--classes=60", "--verticals=3", "--browser=")
    assert_positive(row, ["write_s", "csv_mb", "report_mb", "class_page_mb"])
    assert "sort_s" not in row


def test_clusters():
    row = figures("clusters", "--classes=200", "--clusters=4", "--top_k=20", "--images=1000")
    assert_positive(row, ["count_s", "cluster_s", "peak_rss_gib"])
    assert row["rand_index"] > 0.99


@pytest.mark.slow
def test_head():
    row = figures("head", "--classes=200", "--verticals=3", "--batch=8", "--head=FC16-SC4")
    keys = ["over_floor", "naive_over_ours", "self_paced_over_plain", "peak_bytes"]
    assert_positive(row, [*keys, "torch_over_ours"] if measure.optional_torch() else keys)


@pytest.mark.slow
def test_scaling():
    rows = figures("scaling", "--classes=60,120", "--verticals=3", "--batch=8", "--head=FC16-SC4")
    assert [row["classes"] for row in rows["rows"]] == [60, 120]
    for row in rows["rows"]:
        assert_positive(row, ["seconds", "params"])


@pytest.mark.slow
def test_input():
    rows = figures("input", SMOKE, "--photos=32", "--seconds=0.01")["rows"]
    assert len(rows) == 10
    for row in rows:
        assert_positive(row, ["images/s", "to plain loop"])


@pytest.mark.slow
def test_predict():
    row = figures("predict", "--setting=small_conv", "--images=2", "--batch=8", "--classes=40")
    assert_positive(row, ["bare model, images/s", "bundle to bare", "predict to bare"])


@pytest.mark.slow
def test_checkpoints():
    row = figures("checkpoints", "--megabytes=4")
    keys = ["save_s", "save_with_checksums_s", "load_s", "load_with_checksums_s"]
    assert_positive(row, keys)
    assert {"save_share", "load_share"} < row.keys()


@pytest.mark.slow
def test_added_vertical():
    row = figures("added_vertical", SMOKE, "--verticals=2", "--epochs=1")
    assert_positive(row, ["steps from scratch", "its last loss"])


@pytest.mark.slow
def test_end_to_end():
    rows = figures("end_to_end", SMOKE, "--classes=2048", "--steps=1")["rows"]
    assert [row["setting"] for row in rows] == 3 * ["default"] + 3 * ["2K classes"]
    for row in rows:
        assert_positive(row, ["images/s"])


def in_torch(make_layers, text, sizes):
    """Gives PyTorch's layers the parameters that the methods in JAX begin with."""
    layers = make_layers(text, sizes)
    network = Classifier(head_steps.Features(), HeadSpec.parse(text), sizes, prior=1 / sum(sizes))
    features = jnp.zeros((1, head_steps.FEATURES), jnp.float32)
    init = jax.jit(lambda key: network.init(key, features, train=False)["params"])
    params = init(jax.random.key(0))
    trunk, bottlenecks, outputs = layers
    copy(trunk, shared(params["trunk"]))
    for number, layer in enumerate(bottlenecks):
        if "individual" in params["bottleneck"]:
            own = params["bottleneck"]["individual"]
            copy(layer, {name: value[number] for name, value in own.items()})
        else:
            copy(layer, shared(params["bottleneck"]))
    for number, layer in enumerate(outputs):
        copy(layer, params["logits"][f"vertical_{number}"])
    return layers


def shared(part):
    """Gives a shared layer with its kernel as PyTorch has it, [out, in], as all others are."""
    return {**part["shared"], "kernel": part["shared"]["kernel"].T}


def copy(layer, params):
    import torch

    with torch.no_grad():
        layer.weight.copy_(torch.tensor(np.asarray(params["kernel"])))
        layer.bias.copy_(torch.tensor(np.asarray(params["bias"])))


def losses(method, text):
    """Gives the losses of three steps; those after the first tell of all layers and of Adagrad."""
    batch = head_steps.make_batch(8, SIZES)
    run, _ = method(text, SIZES, batch, paced=False, kind="per_vertical", dtype=jnp.float32)
    return [float(run()) for _ in range(3)]


@pytest.mark.parametrize("text", [pytest.param("FC16-FC8", marks=pytest.mark.slow), "FC16-SC8"])
def test_methods_do_the_same_work(text, monkeypatch):
    monkeypatch.setattr(head_steps, "FEATURES", 12)
    monkeypatch.setattr(head_steps, "RATE", 0.05)  # So that three steps are seen in the loss.
    ours = losses(head_steps.ours, text)
    assert ours[2] < ours[1] < ours[0]
    others = {"naive": losses(head_steps.naive, text)}
    if measure.optional_torch():
        monkeypatch.setattr(head_steps, "torch_layers", functools.partial(
            in_torch, head_steps.torch_layers
        ))
        others["torch_naive"] = losses(head_steps.torch_naive, text)
        others["torch_fused"] = losses(head_steps.torch_fused, text)
    for name, values in others.items():
        np.testing.assert_allclose(values, ours, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("text, params, seconds", [
    # Features 3, two verticals of 2 classes, 5 examples, no biases; 2 operations a product.
    ("FC2-FC2", 6 + 4 + 8, (2 * 5 * (2 * 6 + 3 * 12)) / 480 + 20 * 18 / 180),
    ("SC2-SC2", 12 + 8 + 8, (2 * 5 * (2 * 12 + 3 * 16)) / 480 + 20 * 28 / 180),
])
def test_floor(text, params, seconds, monkeypatch):
    monkeypatch.setattr(head_steps, "FEATURES", 3)
    with flagsaver.flagsaver(verticals=2):
        floor = head.floor_seconds(params, text, 5, {"flops": 480.0, "bytes": 180.0})
    assert floor == pytest.approx(seconds)


def test_peers_are_left_out_where_they_would_do_less_work():
    assert not [name for name in head.methods("SC16-SC8") if name.startswith("torch")]
    assert not [name for name in head.methods("FC16-SC(8,4)") if name.startswith("torch")]


def test_medians_are_of_turns_after_the_first():
    taken = []
    values = {"a": iter([100.0, 1.0, 3.0, 2.0]), "b": iter([100.0, 6.0, 4.0, 5.0])}

    def take(name):
        taken.append(name)
        return next(values[name])

    medians = measure.interleaved_medians({n: lambda n=n: take(n) for n in values}, rounds=3)
    assert medians == {"a": 2.0, "b": 5.0}
    assert taken == ["a", "b"] * 4


def test_rows_are_added_to_a_csv_of_the_same_columns(tmp_path):
    path = tmp_path / "figures.csv"
    measure.append_csv(path, {"a": 1, "b": 2})
    measure.append_csv(path, {"a": 3, "b": 4})
    assert path.read_text() == "a,b\n1,2\n3,4\n"
    with pytest.raises(SystemExit, match="other columns"):
        measure.append_csv(path, {"a": 1})


@pytest.mark.parametrize("file", sorted((ROOT / "benchmarks").glob("*.csv")), ids=lambda f: f.stem)
def test_shipped_csvs_end_in_the_machine(file):
    columns = file.read_text(encoding="utf-8").splitlines()[0].split(",")
    assert columns[-5:] == list(measure.machine())


def test_peak_memory_is_this_process_own():
    before = measure.peak_resident_bytes()
    code = "from benchmarks import measure; print(measure.peak_resident_bytes())"
    child = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert 1 << 20 < int(child.stdout) < before / 2


def test_a_peak_can_be_forgotten():
    measure.forget_peak()
    before = measure.peak_resident_bytes()
    held = bytearray(os.urandom(1) * (1 << 28))
    assert measure.peak_resident_bytes() - before > 1 << 27
    del held
    measure.forget_peak()
    assert measure.peak_resident_bytes() - before < 1 << 27
