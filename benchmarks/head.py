r"""Times the whole head step, features to updated parameters, against peers and the floor.

python -m benchmarks.head --classes=100000 --batch=256 --head=FC4096-SC512 --json
python -m benchmarks.head --classes=1000 --batch=16 --head=FC64-SC16 --json  # a quick look
python -m benchmarks.head --table       # 16 sizes, heads and batches into head.csv

A size costs eight steps and some of every method, 1–3 s each at 100,000 classes on two cores, and
memory for all methods at once: 12 bytes a parameter and more, of each of the five.

Features of 9,216 units enter; the step is loss, gradient and Adagrad. Peers are the obvious JAX
step (dense targets, optax, not donated) and PyTorch (`pip install -e .[benchmarks]`), with dense
targets, and with the sparse loss and the fused Adagrad. The floor is the time of the step's matrix
products at the best rate measured here, plus 20 bytes a parameter (Adagrad reads gradient,
parameter and sum, and writes two of them) at the best rate of copying.

On Linux much of a CPU step is page faults, for XLA maps its temporary block afresh each time. The
allocator keeps it with
GLIBC_TUNABLES=glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184:\
glibc.malloc.top_pad=268435456:glibc.malloc.hugetlb=1
before the command, as before any other of kc_jax.
"""

import itertools
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
from absl import app, flags

from benchmarks import ceilings, head_steps, measure
from kc_jax.core.head_spec import HeadSpec

_CLASSES = flags.DEFINE_integer("classes", 100_000, "Classes, in uneven verticals.")
_VERTICALS = flags.DEFINE_integer("verticals", 20, "Verticals.")
_BATCH = flags.DEFINE_integer("batch", 256, "Examples a step.")
_HEAD = flags.DEFINE_string("head", "FC4096-SC512", "Top layers in the papers' notation.")
_DTYPE = flags.DEFINE_enum("dtype", "float32", ["float32", "bfloat16"], "Of our products.")
_LAYOUT = flags.DEFINE_enum("layout", "per_vertical", ["per_vertical", "tiled"], "Of our logits.")
_METHODS = flags.DEFINE_list("methods", None, "Those to run; by default all that are installed.")
_TABLE = flags.DEFINE_bool("table", False, "Run all sizes and write them to head.csv.")
_PEAK_OF = flags.DEFINE_string("peak_of", None, "Print the peak memory of one method and stop.")
BYTES_A_PARAMETER = 20
TABLE_HEADS = ("FC4096-FC512", "FC4096-SC512")


def methods(head: str) -> dict:
    """Names the methods; those of PyTorch where it is installed, for heads that it has here."""
    found = {"ours": (head_steps.ours, False), "ours_paced": (head_steps.ours, True),
             "naive": (head_steps.naive, False)}
    spec = HeadSpec.parse(head)
    has_peer = spec.trunk_width and not (spec.trunk_structured or spec.generic_width)
    if has_peer and measure.optional_torch() and jax.default_backend() == "cpu":
        found |= {"torch_naive": (head_steps.torch_naive, False),
                  "torch_fused": (head_steps.torch_fused, False)}
    wanted = _METHODS.value or list(found)
    return {name: found[name] for name in wanted}


def build(name: str, classes: int, batch_size: int, head: str):
    """Builds one method's run and its facts."""
    make, paced = methods(head)[name]
    sizes = head_steps.vertical_sizes(classes, _VERTICALS.value)
    batch = head_steps.make_batch(batch_size, sizes)
    return make(
        head, sizes, batch, paced=paced, kind=_LAYOUT.value, dtype=jnp.dtype(_DTYPE.value)
    )


def floor_seconds(params: int, head: str, batch_size: int, rates: dict[str, float]) -> float:
    """Adds up the products, two of the first layer and three of all else, and Adagrad's bytes.

    Args:
      params: parameters of the head.
      head: in the papers' notation.
      batch_size: examples a step.
      rates: of the device, as `ceilings.best_rates` gives them.
    """
    spec = HeadSpec.parse(head)
    first = head_steps.FEATURES * spec.trunk_width or params
    if spec.trunk_structured:
        first *= _VERTICALS.value
    operations = 2 * batch_size * (3 * params - first)
    return operations / rates["flops"] + BYTES_A_PARAMETER * params / rates["bytes"]


def peak_bytes(name: str, classes: int, batch_size: int, head: str) -> int:
    """Measures the peak resident memory of a method's steps in a process of its own."""
    command = [
        sys.executable, "-m", "benchmarks.head", f"--peak_of={name}", f"--classes={classes}",
        f"--batch={batch_size}", f"--head={head}", f"--dtype={_DTYPE.value}",
        f"--layout={_LAYOUT.value}", f"--verticals={_VERTICALS.value}",
    ]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_peak(name: str) -> None:
    """Prints how much more this process holds for three steps than for those of a small head.

    The first step is left out, for it compiles; so is what libraries and compilers hold.
    """
    build(name, classes=1000, batch_size=16, head=_HEAD.value)[0]()
    measure.forget_peak()
    before = measure.peak_resident_bytes()
    run, _ = build(name, _CLASSES.value, _BATCH.value, _HEAD.value)
    run()
    measure.forget_peak()
    for _ in range(3):
        run()
    stats = jax.devices()[0].memory_stats() or {}
    print(stats.get("peak_bytes_in_use", measure.peak_resident_bytes() - before))


def compare(classes: int, batch_size: int, head: str) -> dict:
    """Times all methods and gives one row of figures."""
    built = {name: build(name, classes, batch_size, head) for name in methods(head)}
    facts = built["ours"][1]
    steps = {name: run for name, (run, _) in built.items()}
    seconds = measure.median_seconds(
        {**steps, **ceilings.runs(jnp.dtype(_DTYPE.value))}, measure.ROUNDS.value
    )
    rates = ceilings.best_rates(seconds)
    del built, steps
    ours, floor = seconds["ours"], floor_seconds(facts["params"], head, batch_size, rates)
    peaks = {name: peak_bytes(name, classes, batch_size, head) for name in methods(head)}
    logits = 4 * batch_size * classes

    def over_ours(name: str) -> float | None:
        return round(seconds[name] / ours, 3) if name in seconds else None

    return {
        "classes": classes, "batch": batch_size, "head": head, "layout": _LAYOUT.value,
        "dtype": _DTYPE.value, "malloc": os.environ.get("GLIBC_TUNABLES", "default"),
        "params": facts["params"], "seconds": round(ours, 4),
        "floor_seconds": round(floor, 4), "over_floor": round(ours / floor, 3),
        "naive_over_ours": over_ours("naive"),
        "torch_naive_over_ours": over_ours("torch_naive"),
        "torch_over_ours": over_ours("torch_fused"),
        "self_paced_over_plain": over_ours("ours_paced"),
        "gflops": round(rates["flops"] / 1e9, 1), "gbytes": round(rates["bytes"] / 1e9, 1),
        "peak_bytes": peaks["ours"], "paced_peak_bytes": peaks.get("ours_paced"),
        "naive_peak_bytes": peaks.get("naive"), "torch_peak_bytes": peaks.get("torch_fused"),
        "allowed_bytes": 12 * facts["params"] + 3 * logits,
        "compiled_bytes": facts["state_bytes"] + facts["temporary_bytes"],
    }


def main(argv) -> None:
    del argv
    if _PEAK_OF.value:
        print_peak(_PEAK_OF.value)
        return
    cases = [(_CLASSES.value, _BATCH.value, _HEAD.value)]
    if _TABLE.value:
        cases = itertools.product((12_500, 25_000, 50_000, 100_000), (64, 256), TABLE_HEADS)
    measure.report(__file__, (compare(*case) for case in cases))


if __name__ == "__main__":
    app.run(main)
