"""Asks every teacher about the images of its vertical and stores the top-K soft targets."""

import functools
from collections.abc import Iterator

import numpy as np

from kc_jax import hosts
from kc_jax.config import Config
from kc_jax.data import batches, sources
from kc_jax.stages import storing, teachers
from kc_jax.workdir import Workdir


def run(config: Config, workdir: Workdir) -> bool:
    """Writes the soft targets that are not there yet; tells whether there was anything to do.

    Several processes share the verticals that are left; each asks its teachers on its own devices.

    Gao et al. (2017), section 3.1: p = G(T(F_map(z)), s), of which the top K are kept.
    """
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    asked = teachers.find(config, workdir, space)
    all_inputs = storing.taught_inputs(config, space, source, asked)
    todo = storing.unwritten(workdir, space, all_inputs)
    if todo:
        answers = functools.partial(teacher_logits, config, asked, source)
        own = hosts.dealt(todo)
        with hosts.apart():
            storing.write(config, workdir, space, source, all_inputs, own, answers)
        hosts.wait_for_all("soft targets")
    return bool(todo)


def teacher_logits(
    config: Config, asked: teachers.Teachers, source: sources.Source, vertical_id: int,
    record_ids: np.ndarray,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Asks the teacher of a vertical about every stored view of records, views outermost.

    Args:
      config: of the run.
      asked: the teachers.
      source: of the records.
      vertical_id: whose teacher.
      record_ids: i64[n].

    Yields:
      record ids i32[b] and logits f32[b, C_v].
    """
    options = config.soft_targets
    predict = asked.load(vertical_id)
    for batch in batches.inference_batches(
        source, record_ids, batch_size=options.batch_size, num_views=options.num_views,
        read_threads=config.data.read_threads,
    ):
        yield batch["record_id"][batch["mask"]], predict(batch)[batch["mask"]]
