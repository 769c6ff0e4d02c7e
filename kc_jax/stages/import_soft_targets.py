"""Stores soft targets that predictions made elsewhere give, in place of those of teachers."""

import contextlib
import functools
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from kc_jax import artifacts
from kc_jax.config import Config
from kc_jax.core import predictions as long_form
from kc_jax.core.label_space import LabelSpace
from kc_jax.core.log_odds import LIMIT
from kc_jax.data import predictions, sources
from kc_jax.data.predictions import PredictionsError
from kc_jax.data.sources import Source
from kc_jax.stages import storing
from kc_jax.workdir import Workdir

SHOWN = 3  # Images named where some are missing or unknown.


def run(config: Config, workdir: Workdir) -> bool:
    """Imports the predictions that the configuration names; tells whether there was anything to do.

    Raises:
      PredictionsError: they are not well formed, or images have none and must not.
      StaleArtifactError: there are other soft targets.
    """
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    options = config.soft_targets
    found = predictions.find(options.predictions, options.prediction_kind)
    origin = {
        "fingerprint": artifacts.fingerprint([found.fingerprint, options.missing]),
        "has_views": found.has_views,
    }
    all_inputs = storing.imported_inputs(config, space, source, origin)
    # Nothing is begun before all is checked, so that mended predictions find no other's remains.
    if workdir.soft_targets.exists() and not storing.unwritten(workdir, space, all_inputs):
        return False
    num_views = all_inputs[0]["num_views"]
    with _emptied(workdir.predictions) as folder:
        unknown = _spill(found, space, source, num_views, folder)
        coverage = {
            space.verticals[v]: _arrange(folder, space, source, v, num_views)
            for v in range(space.num_verticals)
        }
        _check_coverage(config, source, coverage, unknown)
        todo = storing.unwritten(workdir, space, all_inputs)
        artifacts.write_sealed(workdir.imported, {**origin, **unknown, "verticals": coverage})
        answers = functools.partial(_answers, config, space, source, num_views, folder)
        storing.write(config, workdir, space, source, all_inputs, todo, answers)
    _print(coverage, unknown, {
        name: artifacts.read_json(workdir.soft_targets_of(name) / artifacts.MANIFEST)["mass_kept"]
        for name in space.verticals
    })
    return True


@contextlib.contextmanager
def _emptied(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives an empty folder, which goes at the end."""
    artifacts.remove(folder)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        artifacts.remove(folder)


def _spill(
    found: predictions.Predictions, space: LabelSpace, source: Source, num_views: int,
    folder: pathlib.Path,
) -> dict:
    """Sorts all rows into a file a vertical; says which images are no records."""
    record_of = {source.key(record): record for record in range(len(source))}
    if len(record_of) < len(source):
        raise PredictionsError(
            f"the {len(source)} training records have only {len(record_of)} different names, so "
            "predictions cannot be told apart; give every image a name of its own"
        )
    for vertical_id in range(space.num_verticals):
        _file(folder, vertical_id).touch()
    num_unknown, names = 0, []
    for rows, unknown in predictions.read_rows(found, record_of, space, num_views):
        names = [*names, *unknown][:SHOWN]
        known = rows[rows["record"] >= 0]
        num_unknown += len(rows) - len(known)
        vertical_ids = space.vertical_of_class[known["class_id"]]
        for vertical_id in np.unique(vertical_ids):
            with _file(folder, vertical_id).open("ab") as file:
                file.write(known[vertical_ids == vertical_id])
    return {"unknown_rows": num_unknown, "unknown_images": names}


def _file(folder: pathlib.Path, vertical_id: int) -> pathlib.Path:
    return folder / f"{vertical_id}.rows"


def _arrange(
    folder: pathlib.Path, space: LabelSpace, source: Source, vertical_id: int, num_views: int
) -> dict:
    """Brings a vertical's rows into the store's order and says which images they cover."""
    path, record_ids = _file(folder, vertical_id), source.records_of(space, vertical_id)
    given = np.fromfile(path, long_form.ROW)
    rows = long_form.arrange(given, record_ids)
    place = long_form.find_duplicate(rows)
    if place is not None:
        row = rows[place]
        raise PredictionsError(
            f"the predictions say of image {source.key(int(row['record']))!r}, view {row['view']}, "
            f"the class {row['class_id']} ({space.names[row['class_id']]!r}) twice; keep one row"
        )
    path.write_bytes(rows)
    has_rows = np.zeros(num_views * len(record_ids), np.bool_)
    has_rows[long_form.positions(rows, record_ids)] = True
    missing = record_ids[~np.all(has_rows.reshape(num_views, -1), axis=0)]
    return {
        "images": len(record_ids),
        "missing": len(missing),
        "missing_images": [source.key(int(record)) for record in missing[:SHOWN]],
        "unlabelled_images": [
            source.key(r) for r in missing.tolist() if r in source.unlabelled
        ][:SHOWN],
        "classes_an_image": round(len(rows) / max(1, np.count_nonzero(has_rows)), 2),
        "rows_of_others": len(given) - len(rows),
    }


def _check_coverage(
    config: Config, source: Source, coverage: Mapping[str, dict], unknown: dict
) -> None:
    """Refuses images without predictions, unless these may be learnt from their labels."""
    lacking = {name: row for name, row in coverage.items() if row["missing"]}
    if config.soft_targets.missing == "labels":
        _check_labels(lacking)
        return
    if not lacking:
        return
    _print(coverage, unknown, {})
    name, row = next(iter(lacking.items()))
    hint = "" if not unknown["unknown_images"] else (
        f" (images are named as {source.key(0)!r} is, but {unknown['unknown_images'][0]!r} is none "
        "of them)"
    )
    raise PredictionsError(
        f"{sum(r['missing'] for r in lacking.values())} images have no predictions of their "
        f"vertical's classes in all views, such as {row['missing_images'][0]!r} in vertical "
        f"{name!r}{hint}; add them, or set --config.soft_targets.missing=labels to learn these "
        "images from their labels"
    )


def _check_labels(lacking: Mapping[str, dict]) -> None:
    for name, row in lacking.items():
        if row["unlabelled_images"]:
            raise PredictionsError(
                f"images of vertical {name!r} such as {row['unlabelled_images'][0]!r} have neither "
                "predictions of its classes in all views nor labels "
                "(config.soft_targets.missing='labels'); add predictions"
            )


def _answers(
    config: Config, space: LabelSpace, source: Source, num_views: int, folder: pathlib.Path,
    vertical_id: int, record_ids: np.ndarray,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Gives what the predictions say of a vertical's records, as `storing.Answers` do.

    Records without predictions have their labels in their place.
    """
    classes = space.classes_of(vertical_id)
    rows = np.fromfile(_file(folder, vertical_id), long_form.ROW)
    positions = long_form.positions(rows, record_ids)
    total = num_views * len(record_ids)
    for first in range(0, total, config.soft_targets.batch_size):
        asked = np.arange(first, min(first + config.soft_targets.batch_size, total))
        records = record_ids[asked % len(record_ids)]
        logits = long_form.dense(rows, positions, first, first + len(asked), classes)
        for place in np.flatnonzero(~np.isin(asked, positions)):
            labels = [c - classes.start for c in source.labels[records[place]] if c in classes]
            logits[place, labels] = LIMIT
        yield records, logits


def _print(coverage: Mapping[str, dict], unknown: dict, mass_kept: Mapping[str, float]) -> None:
    table = Table(title="Predictions", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("vertical", no_wrap=True)
    for heading in ("images", "covered", "missing", "classes an image", "mass kept"):
        table.add_column(heading, justify="right", min_width=7)
    for name, row in coverage.items():
        covered = row["images"] - row["missing"]
        mass = f"{mass_kept[name]:.1%}" if name in mass_kept and covered else "–"
        table.add_row(
            name, f"{row['images']:,}", f"{covered:,}", f"{row['missing']:,}",
            f"{row['classes_an_image']:.1f}", mass,
        )
    Console().print(table)
    for name, row in coverage.items():
        if row["missing"]:
            more = ", …" if row["missing"] > SHOWN else ""
            print(f"Missing in {name}: {', '.join(row['missing_images'])}{more}")
    others = sum(row["rows_of_others"] for row in coverage.values())
    if others:
        print(f"{others:,} rows are of classes outside their image's verticals and were left out.")
    if unknown["unknown_rows"]:
        print(
            f"{unknown['unknown_rows']:,} rows are of images that are no training records, such as "
            f"{unknown['unknown_images'][0]!r}, and were left out."
        )
