"""Images packed once, with all that a training needs to know of them.

A folder holds for each split shards ``train-00000-of-00003.array_record``, whose records are
msgpack of ``key``, ``labels`` (class ids; vertical ids in the split ``unlabelled``) and ``image``
(the file's bytes as they were found), and ``index-train.parquet`` with key, labels and SHA-256 of
every record, so that opening reads no images; ``label_space.json``, and ``label_space.csv`` with
the number of images of every class; ``left_out.csv``; and, written last, ``dataset.json``.
"""

import bisect
import csv
import dataclasses
import os
import pathlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgpack
import pyarrow
import pyarrow.parquet
from array_record.python import array_record_data_source, array_record_module

from kc_jax import artifacts, checksums
from kc_jax.core import label_space as label_spaces
from kc_jax.core.label_space import LabelSpace
from kc_jax.data.collection import UNLABELLED
from kc_jax.data.selection import Kept
from kc_jax.errors import UserError

FORMAT_VERSION = 1
DATASET, LABEL_SPACE, LABEL_CSV = "dataset.json", "label_space.json", "label_space.csv"
LEFT_OUT = "left_out.csv"
SHARD_BYTES = 256 * 2**20
REMEDY = "prepare it anew with python -m kc_jax.prepare and --redo"


class PackedDataError(UserError, RuntimeError):
    """Says which folder of packed images is missing, unfinished or damaged, and what to do."""


@dataclasses.dataclass(frozen=True)
class Packed:
    """Holds an open folder of packed images.

    Attributes:
      directory: the folder.
      manifest: the content of `DATASET`.
    """

    directory: pathlib.Path
    manifest: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        """Hashes keys, labels, images and label space, however they are packed."""
        return self.manifest["fingerprint"]

    def label_space(self) -> LabelSpace:
        """Reads the label space.

        Raises:
          PackedDataError: its file is not as it was written.
        """
        return label_spaces.read_json(self._checked(LABEL_SPACE))

    def index(self, split: str) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
        """Reads the keys and the labels of a split's records, as `Kept` has them.

        Raises:
          PackedDataError: its file is not as it was written.
        """
        path = self._checked(index_name(split))
        try:
            table = pyarrow.parquet.read_table(path, columns=["key", "labels"])
        except (OSError, pyarrow.ArrowException) as error:
            raise _damaged(path, str(error)) from None
        return (tuple(table["key"].to_pylist()),
                tuple(map(tuple, table["labels"].to_pylist())))

    def _checked(self, name: str) -> pathlib.Path:
        """Compares a small file with the manifest; those of earlier versions say nothing of it."""
        path, wanted = self.directory / name, self.manifest.get("files", {}).get(name)
        what = wanted and checksums.difference(path, wanted)
        if what:
            raise _damaged(path, what)
        return path

    def images(self, split: str, keys: Sequence[str] | None = None) -> Callable[[int], bytes]:
        """Opens a split's images, to be read by record.

        Whoever reads one is told by a `PackedDataError` where it is damaged, or is another's.

        Args:
          split: of the images.
          keys: of its records, where they are known; read again where None.

        Raises:
          PackedDataError: a shard is missing or has another size than it was written with.
        """
        paths, first_records = [], [0]
        for shard in self.manifest["shards"][split]:
            path = self.directory / shard["name"]
            size = path.stat().st_size if path.exists() else 0
            if size != shard["bytes"]:
                raise PackedDataError(
                    f"{path} has {size} bytes; expected {shard['bytes']}; {REMEDY}"
                )
            paths.append(str(path))
            first_records.append(first_records[-1] + shard["records"])
        keys = self.index(split)[0] if keys is None else keys

        def read(index: int) -> bytes:
            path = paths[bisect.bisect_right(first_records, index) - 1]
            try:
                record = msgpack.unpackb(records[int(index)])
            except Exception as error:  # Of no common type: those of C++ and of msgpack.
                raise _damaged(path, f"record {index} cannot be read ({error})") from None
            if record["key"] != keys[index]:
                raise _damaged(
                    path, f"record {index} is {record['key']}; expected {keys[index]}"
                )
            return record["image"]

        try:
            records = array_record_data_source.ArrayRecordDataSource(paths)
            if len(records) != len(keys):
                raise ValueError(f"{len(records)} records; expected {len(keys)}")
        except Exception as error:
            name = next(iter(self.damaged()), DATASET)  # If none is, they are too many or too few.
            raise _damaged(self.directory / name, str(error)) from None
        return read

    def damaged(self) -> list[str]:
        """Reads all files and lists those that are not as they were written."""
        shards = (shard for split in self.manifest["shards"].values() for shard in split)
        wanted = {shard["name"]: shard for shard in shards} | self.manifest.get("files", {})
        return [
            name for name, facts in wanted.items()
            if checksums.difference(self.directory / name, facts)
        ]


def open_packed(directory: str | os.PathLike[str]) -> Packed:
    """Opens a folder of packed images; reads none of them.

    Raises:
      PackedDataError: it is no such folder, or was not finished, or has another format.
    """
    directory = pathlib.Path(directory)
    if not (directory / DATASET).is_file():
        raise PackedDataError(
            f"{directory} holds no packed images, or they were not finished ({DATASET} is "
            "missing); expected a folder that python -m kc_jax.prepare wrote; run it (again)"
        )
    try:
        version = _read_manifest(directory, ["format_version"])["format_version"]
        if version != FORMAT_VERSION:
            raise PackedDataError(
                f"{directory} has format {version}; expected {FORMAT_VERSION}; {REMEDY}"
            )
        return Packed(directory, _read_manifest(directory, ["fingerprint", "records", "shards"]))
    except checksums.DamagedFileError as error:
        raise PackedDataError(str(error)) from None


def _read_manifest(directory: pathlib.Path, needs: Sequence[str]) -> dict:
    return checksums.read_json(directory / DATASET, REMEDY, needs)


def index_name(split: str) -> str:
    return f"index-{split}.parquet"


def _damaged(path: str | pathlib.Path, what: str) -> PackedDataError:
    return PackedDataError(f"{path} is damaged: {what}; {REMEDY}")


@dataclasses.dataclass(frozen=True)
class ShardPlan:
    """Says what a shard is to hold."""

    name: str
    records: Sequence[Kept]

    @property
    def fingerprint(self) -> str:
        return artifacts.fingerprint([[r.key, r.labels, r.sha256] for r in self.records])


def plan_shards(split: str, records: Sequence[Kept], shard_bytes: int) -> Iterator[ShardPlan]:
    """Parts a split's records into shards of about equal size in bytes.

    Args:
      split: for the names.
      records: in order.
      shard_bytes: that a shard should hold at most, if it holds several records.
    """
    groups: list[list[Kept]] = [[]]
    size = 0
    for record in records:
        if groups[-1] and size + record.num_bytes > shard_bytes:
            groups.append([])
            size = 0
        groups[-1].append(record)
        size += record.num_bytes
    for number, group in enumerate(groups):
        yield ShardPlan(f"{split}-{number:05d}-of-{len(groups):05d}.array_record", group)


def write_shard(
    directory: pathlib.Path, plan: ShardPlan, images: Iterable[bytes]
) -> dict[str, Any]:
    """Writes a shard so that a reader never sees half of it.

    Args:
      directory: of the packed images.
      plan: what the shard holds.
      images: the bytes of its records, in order.

    Returns:
      Facts for the manifest: ``name``, ``records``, ``bytes`` and ``sha256`` of the file.
    """
    temporary = directory / f"{plan.name}.tmp"
    # Images are compressed already; a group a record makes reading at random cheap.
    writer = array_record_module.ArrayRecordWriter(
        str(temporary), "group_size:1,uncompressed"
    )
    for record, image in zip(plan.records, images, strict=True):
        writer.write(
            msgpack.packb({"key": record.key, "labels": record.labels, "image": image})
        )
    writer.close()
    os.replace(temporary, directory / plan.name)
    return {
        "name": plan.name,
        "records": len(plan.records),
        **checksums.describe(directory, [plan.name])[plan.name],
    }


def write_index(directory: pathlib.Path, split: str, records: Sequence[Kept]) -> None:
    """Writes what is known of a split's records beside their images."""
    table = pyarrow.table({
        "key": pyarrow.array([record.key for record in records], pyarrow.string()),
        "labels": pyarrow.array(
            [record.labels for record in records], pyarrow.list_(pyarrow.int32())
        ),
        "sha256": pyarrow.array([record.sha256 for record in records], pyarrow.string()),
    })
    pyarrow.parquet.write_table(table, directory / index_name(split))


def write_label_csv(
    directory: pathlib.Path, space: LabelSpace, splits: Mapping[str, Sequence[Kept]]
) -> None:
    """Writes the label space as CSV, with the images that each class has in every split."""
    found = {split: Counter(c for record in records for c in record.labels)
             for split, records in splits.items() if split != UNLABELLED}
    label_spaces.write_csv(directory / LABEL_CSV, space, {
        split: [counted[c] for c in range(space.num_classes)] for split, counted in found.items()
    })


def write_left_out(directory: pathlib.Path, left_out: Sequence[tuple[str, str, str]]) -> None:
    """Writes which images are left out and why."""
    with open(directory / LEFT_OUT, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["key", "kind", "detail"])
        writer.writerows(left_out)
