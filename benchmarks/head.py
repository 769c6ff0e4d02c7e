"""Times the whole head step, features to updated parameters, against peers and the floor.

python benchmarks/head.py --classes=100000 --batch=256 --head=FC4096-SC512 --json
python benchmarks/head.py --table       # all sizes, heads and batches, into head.csv

Features of 9,216 units enter; the step is loss, gradient and Adagrad. Peers are the obvious JAX
step (dense targets, optax, not donated) and PyTorch (`pip install -e .[benchmarks]`), with dense
targets, and with the sparse loss and the fused Adagrad. The floor is the time of the step's matrix
products at the best rate measured here, plus 20 bytes a parameter (Adagrad reads gradient,
parameter and sum, and writes two of them) at the best rate of copying.
"""

import json
import pathlib
import resource
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from absl import app, flags  # noqa: E402

from benchmarks import head_steps, measure  # noqa: E402
from kc_jax.core.head_spec import HeadSpec  # noqa: E402

_CLASSES = flags.DEFINE_integer("classes", 100_000, "Classes, in uneven verticals.")
_VERTICALS = flags.DEFINE_integer("verticals", 20, "Verticals.")
_BATCH = flags.DEFINE_integer("batch", 256, "Examples a step.")
_HEAD = flags.DEFINE_string("head", "FC4096-SC512", "Top layers in the papers' notation.")
_DTYPE = flags.DEFINE_enum("dtype", "float32", ["float32", "bfloat16"], "Of our products.")
_LAYOUT = flags.DEFINE_enum("layout", "per_vertical", ["per_vertical", "tiled"], "Of our logits.")
_METHODS = flags.DEFINE_list("methods", None, "Those to run; by default all that are installed.")
_REPEATS = flags.DEFINE_integer("repeats", 7, "Timed steps of each method, in turn.")
_JSON = flags.DEFINE_bool("json", False, "Print one line of JSON alone.")
_TABLE = flags.DEFINE_bool("table", False, "Run all sizes and append to head.csv.")
_PEAK_OF = flags.DEFINE_string("peak_of", None, "Print the peak memory of one method and stop.")
BYTES_A_PARAMETER = 20


def methods() -> dict:
    """Names the methods; those of PyTorch where it is installed."""
    found = {"ours": (head_steps.ours, False), "ours_paced": (head_steps.ours, True),
             "naive": (head_steps.naive, False)}
    if measure.optional_torch() and jax.default_backend() == "cpu":
        found |= {"torch_naive": (head_steps.torch_naive, False),
                  "torch_fused": (head_steps.torch_fused, False)}
    wanted = _METHODS.value or list(found)
    return {name: found[name] for name in wanted}


def build(name: str, classes: int, batch_size: int, head: str):
    """Builds one method's run and its facts."""
    make, paced = methods()[name]
    sizes = head_steps.vertical_sizes(classes, _VERTICALS.value)
    batch = head_steps.make_batch(batch_size, sizes)
    return make(
        head, sizes, batch, paced=paced, kind=_LAYOUT.value, dtype=jnp.dtype(_DTYPE.value)
    )


def floor_seconds(params: int, head: str, batch_size: int, ceilings: dict) -> float:
    """Adds up the products, of which the trunk has two and all else three, and Adagrad's bytes."""
    spec = HeadSpec.parse(head)
    trunk = head_steps.FEATURES * spec.trunk_width
    if spec.trunk_structured:
        trunk *= _VERTICALS.value
    operations = 2 * batch_size * (3 * params - trunk)
    return operations / ceilings["flops"] + BYTES_A_PARAMETER * params / ceilings["bytes"]


def peak_bytes(name: str, classes: int, batch_size: int, head: str) -> int:
    """Measures a method's peak resident memory in a process of its own."""
    command = [
        sys.executable, __file__, f"--peak_of={name}", f"--classes={classes}",
        f"--batch={batch_size}", f"--head={head}", f"--dtype={_DTYPE.value}",
        f"--layout={_LAYOUT.value}", f"--verticals={_VERTICALS.value}",
    ]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_peak(name: str) -> None:
    """Prints the growth of this process's peak memory over three steps."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run, _ = build(name, _CLASSES.value, _BATCH.value, _HEAD.value)
    for _ in range(3):
        run()
    stats = jax.devices()[0].memory_stats() or {}
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print(stats.get("peak_bytes_in_use", grown))


def compare(classes: int, batch_size: int, head: str) -> dict:
    """Times all methods and gives one row of figures."""
    built = {name: build(name, classes, batch_size, head) for name in methods()}
    facts = built["ours"][1]
    ceilings = measure.ceilings(jnp.dtype(_DTYPE.value), _REPEATS.value)
    seconds = measure.interleaved({n: run for n, (run, _) in built.items()}, _REPEATS.value)
    del built
    ours, floor = seconds["ours"], floor_seconds(facts["params"], head, batch_size, ceilings)
    peaks = {name: peak_bytes(name, classes, batch_size, head) for name in seconds}
    logits = 4 * batch_size * classes

    def over_ours(name: str) -> float | None:
        return round(seconds[name] / ours, 3) if name in seconds else None

    return {
        "classes": classes, "batch": batch_size, "head": head, "layout": _LAYOUT.value,
        "dtype": _DTYPE.value, "params": facts["params"], "seconds": round(ours, 4),
        "floor_seconds": round(floor, 4), "over_floor": round(ours / floor, 3),
        "naive_over_ours": over_ours("naive"),
        "torch_naive_over_ours": over_ours("torch_naive"),
        "torch_over_ours": over_ours("torch_fused"),
        "self_paced_over_plain": over_ours("ours_paced"),
        "gflops": round(ceilings["flops"] / 1e9, 1), "gbytes": round(ceilings["bytes"] / 1e9, 1),
        "peak_bytes": peaks["ours"], "paced_peak_bytes": peaks.get("ours_paced"),
        "naive_peak_bytes": peaks.get("naive"), "torch_peak_bytes": peaks.get("torch_fused"),
        "allowed_bytes": 12 * facts["params"] + 3 * logits,
        "compiled_bytes": facts["state_bytes"] + facts["temporary_bytes"],
    }


def main(_):
    if _PEAK_OF.value:
        print_peak(_PEAK_OF.value)
        return
    cases = [(_CLASSES.value, _BATCH.value, _HEAD.value)]
    if _TABLE.value:
        cases = [
            (classes, batch, head) for head in ("FC4096-FC512", "FC4096-SC512")
            for classes in (12_500, 25_000, 50_000, 100_000) for batch in (64, 256)
        ]
    for case in cases:
        row = compare(*case)
        if _TABLE.value:
            measure.append_csv(__file__, row)
        print(json.dumps(row) if _JSON.value else
              "\n".join(f"{name:>24}  {value}" for name, value in row.items()) + "\n", flush=True)


if __name__ == "__main__":
    app.run(main)
