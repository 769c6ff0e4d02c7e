"""Packs images of yours once: listed, looked at, selected, written; a killed run goes on."""

import dataclasses
import functools
import hashlib
import itertools
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

from kc_jax import artifacts, checksums, disk_space, run_lock
from kc_jax.config import ConfigError, Data
from kc_jax.data import inspection, packed, selection
from kc_jax.data.collection import Collection, Entry, given_label_space, reason_of
from kc_jax.data.packed import Packed
from kc_jax.data.preparation_report import report
from kc_jax.data.readers import folder, huggingface, manifest, tfds
from kc_jax.data.selection import Selection
from kc_jax.errors import UserError
from kc_jax.progress import show_progress

# What opens each kind of source, and the options that it reads.
READERS: dict[str, tuple[Callable[[Data], Collection], tuple[str, ...]]] = {
    "folder": (folder.open_folder, folder.OPTIONS),
    "manifest": (manifest.open_manifest, manifest.OPTIONS),
    "tfds": (tfds.open_tfds, tfds.OPTIONS),
    "huggingface": (huggingface.open_huggingface, huggingface.OPTIONS),
}
COMMON_OPTIONS = ("source", "label_space", "test_share", "max_pixels")
PATHS = ("directory", "manifest", "label_space")
UNFINISHED = "unfinished"


class ChangedDataError(UserError, RuntimeError):
    """Says that images changed after they were packed, and what to do."""


def prepared_directory(data: Data, cache: pathlib.Path) -> pathlib.Path:
    """Names the folder of a source's packed images: ``config.data.prepared``, or one in a cache."""
    if data.prepared:
        return pathlib.Path(data.prepared)
    name = pathlib.Path(_origin(data)).stem or "images"
    digest = artifacts.fingerprint(_options(data))
    return cache / "prepared" / f"{artifacts.safe_name(name)}-{digest}"


def prepare(
    data: Data, directory: pathlib.Path, *, redo: bool = False,
    shard_bytes: int = packed.SHARD_BYTES,
) -> Packed:
    """Packs a source's images, where that was not done yet.

    Args:
      data: the configuration's part.
      directory: for the packed images; see `prepared_directory`.
      redo: whether images that were packed before are removed first.
      shard_bytes: of a shard.

    Raises:
      ConfigError: the source cannot be opened, or its images make no dataset.
      ChangedDataError: its images or options changed since they were packed.
      DiskSpaceError: there is no room for them.
    """
    collection = _open(data)
    given = given_label_space(data)
    inputs = {"options": _options(data), "listing": dict(collection.listing)}
    if given is not None:
        inputs["label_space"] = given.fingerprint
    _check_is_ours(directory)
    unfinished = directory / UNFINISHED
    # Both are there where a run was killed just before its end.
    if redo or unfinished.exists() or not (directory / packed.DATASET).exists():
        artifacts.make_folder(unfinished, "config.data.prepared")
        with (
            disk_space.watched(directory, "config.data.prepared"),
            run_lock.awaited(unfinished / "lock", f"prepares {directory}"),
        ):
            if redo:
                _remove(directory)
            if not (directory / packed.DATASET).exists():
                _prepare(data, collection, given, inputs, directory, shard_bytes)
            shutil.rmtree(unfinished, ignore_errors=True)  # Another may wait in there.
    found = packed.open_packed(directory)
    differences = artifacts.describe_differences(
        found.manifest["inputs"], artifacts.as_json(inputs)
    )
    if differences:
        raise ChangedDataError(
            f"the images packed in {directory} are not those of the configuration any more ("
            + "; ".join(differences[:3]) + "); run python -m kc_jax.prepare with the same "
            "configuration and --redo to pack them anew, or read them as they were with "
            f"--config.data.source=packed --config.data.directory={directory}"
        )
    return found


@functools.lru_cache(maxsize=4)
def prepare_once(data: Data, cache: pathlib.Path) -> Packed:
    """Prepares at the first call of a process, and tells what came of images packed just now."""
    directory = prepared_directory(data, cache)
    is_new = not (directory / packed.DATASET).exists()
    found = prepare(data, directory)
    if is_new:
        print(report(found), flush=True)
    return found


def _options(data: Data) -> dict[str, Any]:
    options = {name: getattr(data, name) for name in COMMON_OPTIONS + READERS[data.source][1]}
    return options | {
        name: os.path.abspath(options[name]) for name in PATHS if options.get(name)
    }


def _origin(data: Data) -> str:
    """Gives the dataset's name, or the path of a table or a folder."""
    options = _options(data)
    return next((options[x] for x in ("dataset", "manifest", "directory") if options.get(x)), "")


def _open(data: Data) -> Collection:
    try:
        found = READERS[data.source][0](data)
    except OSError as error:
        where, reason = error.filename or _origin(data), error.strerror or error
        raise ConfigError(f"{where} cannot be read: {reason}") from None
    if not found.size:
        raise ConfigError(
            f"{_origin(data)} has no images (config.data.source is {data.source!r}); expected some "
            "of every class"
        )
    return dataclasses.replace(found, read=_naming(_origin(data), found.read))


def _naming(origin: str, read: Callable[[int], Entry]) -> Callable[[int], Entry]:
    """Names a record that a library cannot read, as where a file of its dataset is missing."""
    def named(position: int) -> Entry:
        try:
            return read(position)
        except UserError:
            raise
        except Exception as error:
            raise ConfigError(
                f"record {position} of {origin} cannot be read: {reason_of(error)}; fetch or "
                "prepare the dataset anew"
            ) from None

    return named


def _check_is_ours(directory: pathlib.Path) -> None:
    if not directory.is_dir() or not any(directory.iterdir()):
        return
    if not (directory / packed.DATASET).exists() and not (directory / UNFINISHED).is_dir():
        raise ConfigError(
            f"{directory} is to hold packed images (config.data.prepared) but holds other files; "
            "name an empty or a new folder"
        )


def _remove(directory: pathlib.Path) -> None:
    """Removes packed images, their manifest first, so that no half looks whole."""
    (directory / packed.DATASET).unlink(missing_ok=True)
    for path in directory.glob("*.array_record"):
        path.unlink()


def _prepare(data, collection, given, inputs, directory, shard_bytes) -> None:
    memory = directory / UNFINISHED / artifacts.fingerprint(inputs)
    with show_progress(f"looking at {data.source}", collection.size) as show:
        findings = inspection.inspect(
            collection, memory, max_pixels=data.max_pixels, threads=data.read_threads, show=show
        )
    chosen = selection.select(
        findings, given, one_vertical_a_name=collection.one_vertical_a_name,
        test_share=data.test_share,
    )
    shards = _write_shards(collection, chosen, directory, memory, data.read_threads, shard_bytes)
    _remove_other_shards(directory, shards)
    _write_facts(collection, chosen, inputs, shards, directory)


def _write_shards(collection, chosen: Selection, directory, memory, threads: int, shard_bytes: int):
    """Writes the shards that are missing; gives the manifest's facts on all of them."""
    plans = [plan for split, records in chosen.splits.items()
             for plan in packed.plan_shards(split, records, shard_bytes)]
    shards = {split: [] for split in chosen.splits}
    noted = {plan.name: memory / f"{plan.name}-{plan.fingerprint}.json" for plan in plans}
    num_bytes = sum(record.num_bytes for plan in plans if not noted[plan.name].exists()
                    for record in plan.records)
    disk_space.check_space(directory, num_bytes, "packed images", "config.data.prepared")

    def write(plan: packed.ShardPlan) -> dict[str, Any]:
        done = noted[plan.name]
        if done.exists():
            facts = artifacts.read_json(done)
            if not checksums.difference(directory / plan.name, facts):
                return facts
        images = (_unchanged(collection, record) for record in plan.records)
        facts = packed.write_shard(directory, plan, images)
        artifacts.write_sealed(done, facts)
        return facts

    total = sum(len(plan.records) for plan in plans)
    with show_progress("packing", total) as show:
        written = inspection.in_parallel(write, plans, threads)
        for facts, done in zip(written, _running_sums(plans), strict=True):
            shards[facts["name"].split("-")[0]].append(facts)
            show(done)
    return shards


def _running_sums(plans) -> Iterator[int]:
    return itertools.accumulate(len(plan.records) for plan in plans)


def _unchanged(collection: Collection, record: selection.Kept) -> bytes:
    try:
        image = collection.read(record.position).load()
    except OSError as error:
        image = str(error).encode()
    if hashlib.sha256(image).hexdigest() != record.sha256:
        raise ChangedDataError(f"{record.key} changed while it was packed; run the command again")
    return image


def _remove_other_shards(directory: pathlib.Path, shards: dict[str, list]) -> None:
    kept = {facts["name"] for split in shards.values() for facts in split}
    for path in (*directory.glob("*.array_record"), *directory.glob("*.tmp")):
        if path.name not in kept:
            path.unlink()


def _write_facts(collection, chosen: Selection, inputs, shards, directory) -> None:
    for split, records in chosen.splits.items():
        packed.write_index(directory, split, records)
    artifacts.write_text(directory / packed.LABEL_SPACE, chosen.space.to_json())
    packed.write_label_csv(directory, chosen.space, chosen.splits)
    packed.write_left_out(directory, chosen.left_out)
    content = [[split, record.key, record.labels, record.sha256]
               for split, records in chosen.splits.items() for record in records]
    artifacts.write_sealed(directory / packed.DATASET, {
        "format_version": packed.FORMAT_VERSION,
        "complete": True,
        "fingerprint": artifacts.fingerprint([chosen.space.fingerprint, content]),
        "inputs": inputs,
        "records": {split: len(records) for split, records in chosen.splits.items()},
        "left_out": len(chosen.left_out),
        "untrained": chosen.untrained,
        "unknown_labels": chosen.unknown,
        "notes": (*collection.notes, *chosen.notes),
        "shards": shards,
        "files": checksums.describe(directory, [
            packed.LABEL_SPACE, packed.LABEL_CSV, packed.LEFT_OUT,
            *map(packed.index_name, chosen.splits),
        ]),
    })
