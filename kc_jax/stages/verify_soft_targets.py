"""Compares the stored soft targets with what the teachers say when asked once more."""

import numpy as np

from kc_jax import hosts
from kc_jax.config import Config
from kc_jax.core import soft_targets
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import sources
from kc_jax.data.vertical_store import VerticalStore
from kc_jax.errors import UserError
from kc_jax.stages import storing, teachers
from kc_jax.stages.write_soft_targets import teacher_logits
from kc_jax.workdir import Workdir

# How far a logit may be from the one that was stored, beyond rounding: batches of another size are
# summed in another order, which moved logits by less than 1e-6 in float32 and 0.03 in bfloat16.
TOLERANCES = {"float32": 1e-3, "bfloat16": 0.1}
SAMPLE_SEED = 0


class SoftTargetMismatchError(UserError, RuntimeError):
    """Says which stored soft target is not its teacher's, and what to do."""


def run(config: Config, workdir: Workdir) -> bool:
    """Checks all checksums and recomputes a sample of each vertical; always has something to do.

    Of imported soft targets there is no teacher to ask, so that the checksums are all.

    Raises:
      DamagedStoreError: a file is not as it was written.
      SoftTargetMismatchError: a teacher says something else than was stored.
    """
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    all_inputs = storing.store_inputs(config, workdir, space, source)
    stores = [
        VerticalStore(workdir.soft_targets_of(name), space.sizes[v], all_inputs[v])
        for v, name in enumerate(space.verticals)
    ]
    for vertical_id, store in enumerate(stores):
        store.check()
        if workdir.imported.exists():
            print(f"{space.verticals[vertical_id]}: all checksums agree; imported, so none to ask")
        else:
            asked = teachers.find(config, workdir, space)
            _verify(config, asked, space, source, vertical_id, store)
    return True


def sample(num_records: int, size: int) -> np.ndarray:
    """Draws which records to recompute, the same at every call: sorted places, i64[size]."""
    rng = np.random.default_rng(SAMPLE_SEED)
    return np.sort(rng.choice(num_records, min(size, num_records), replace=False))


def _verify(
    config: Config, asked: teachers.Teachers, space: LabelSpace, source: sources.Source,
    vertical_id: int, store: VerticalStore,
) -> None:
    name, options = space.verticals[vertical_id], config.soft_targets
    hosts.note_work(f"verifying soft targets of {name}")
    tolerance = TOLERANCES[config.model.compute_dtype]
    chosen = sample(len(store.record_ids), options.verify_records)
    places = np.tile(chosen, options.num_views)
    views = np.repeat(np.arange(options.num_views), len(chosen))
    differences, done = [], 0
    for records, logits in teacher_logits(
        config, asked, source, vertical_id, store.record_ids[chosen]
    ):
        rows = slice(done, done + len(records))
        differences.append(
            soft_targets.disagreement(logits, *store(places[rows], views[rows]))
        )
        done += len(records)
    difference = np.concatenate(differences)
    worst = np.argmax(difference)
    if difference[worst] > tolerance:
        raise SoftTargetMismatchError(
            f"vertical {name!r}, record {store.record_ids[places[worst]]}, view {views[worst]}: "
            f"the teacher's logits are {difference[worst]:.2g} from the stored soft targets; "
            f"expected at most {tolerance:g}. If the code or the machine has changed since, write "
            "them anew with --stages=write_soft_targets --redo=write_soft_targets"
        )
    print(
        f"{name}: all checksums and {len(chosen)} of {len(store.record_ids)} records in "
        f"{options.num_views} views agree; logits differ by at most {difference[worst]:.1e} "
        f"(allowed {tolerance:g})"
    )
