"""Writes the page about clusters of classes and the networks that have heads for them."""

import dataclasses

import numpy as np
from rich.console import Console
from sklearn.metrics import adjusted_rand_score

from kc_jax import artifacts
from kc_jax.config import Config
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import sources
from kc_jax.stages import clusters, report_figures, report_pages, structure_figures
from kc_jax.stages.report_text import percent
from kc_jax.stages.terminal import plain_table
from kc_jax.workdir import Workdir

NAMES_SHOWN = 40  # Of a cluster's classes.


@dataclasses.dataclass(frozen=True)
class Structure:
    """Is a division of the classes.

    Attributes:
      name: of the structure.
      inputs: what it was found from.
      members: i32[C], the cluster of each class.
      placed: how many classes were placed by what, see `spectral.Clusters`; of verticals, none.
      rand_index: agreement with the verticals: 1 where they are the same, about 0 by chance.
    """

    name: str
    inputs: dict
    members: np.ndarray
    placed: dict[str, int]
    rand_index: float

    @property
    def sizes(self) -> list[int]:
        return np.bincount(self.members).tolist()


def run(config: Config, workdir: Workdir) -> bool:
    """Writes structures.html, and prints the networks side by side.

    Args:
      config: of the run.
      workdir: of the run; reads what learn_structure and evaluate wrote.

    Returns:
      Whether it wrote anything.

    Raises:
      MissingArtifactError: no clusters were found, or nothing was judged.
    """
    space = sources.load_label_space(config.data)
    results = artifacts.read_json(workdir.results, None)
    structures = [
        s for s in read_structures(workdir, space) if results and s.name in results["methods"]
    ]
    if not structures or results is None:
        missing = workdir.structures if not structures else workdir.results
        raise artifacts.MissingArtifactError(
            f"{missing} is missing; run the stages learn_structure and evaluate first"
        )
    methods = {name: v for name, v in results["methods"].items() if name != "specialists"}
    rows = _rows(methods, {structure.name: structure for structure in structures})
    inputs = artifacts.fingerprint([
        config.name, rows, [[s.inputs, s.members.tolist()] for s in structures],
        report_pages.template_texts(),
    ])
    page = workdir.structures_report
    is_new = not report_pages.is_written(page, inputs)
    if is_new:
        artifacts.write_text(page, _page(config, workdir, space, structures, rows, inputs))
    _print(rows)
    print(f"Report: {page}")
    return is_new


def read_structures(workdir: Workdir, space: LabelSpace) -> list[Structure]:
    """Reads every finished division of the classes, by name."""
    found = []
    for path in sorted(workdir.structures.glob(f"*/{artifacts.MANIFEST}")):
        manifest = artifacts.read_json(path)
        if manifest["complete"]:
            members = np.array(clusters.read(path.parent, space))
            agreement = adjusted_rand_score(space.vertical_of_class, members)
            found.append(
                Structure(
                    path.parent.name, manifest["inputs"], members,
                    manifest["placed"],
                    float(agreement),
                )
            )
    return found


def _rows(methods: dict[str, dict], structures: dict[str, Structure]) -> list[dict]:
    """Gives a row of the table for each network."""
    base = next(iter(methods.values()))
    at_k = next(key for key in base if key.startswith("mean_ap_at_"))
    return [
        {
            "name": name, "k": at_k.rpartition("_")[-1], "mean_ap_at_k": values[at_k],
            **{key: values[key] for key in ("mean_vertical_ap", "top1", "top5", "multiply_adds")},
            "ratio": values["multiply_adds"] / base["multiply_adds"],
            "rand_index": structures[name].rand_index if name in structures else None,
        }
        for name, values in methods.items()
    ]


def _page(
    config: Config, workdir: Workdir, space: LabelSpace, structures: list[Structure],
    rows: list[dict], inputs: str,
) -> str:
    shown = [structure for structure in structures if not structure.inputs["permuted"]]
    figures = {}
    for structure in shown:
        counts = clusters.read_counts(workdir.clusters(structure.name))
        if counts is not None:
            figure = structure_figures.similarity(counts, structure.members)
            figures[structure.name] = report_figures.to_png(figure)
    return report_pages.render(
        "structures.html.jinja", name=config.name, inputs=inputs, rows=rows,
        structures=shown, figures=figures,
        clusters={structure.name: _clusters(space, structure) for structure in shown},
    )


def _clusters(space: LabelSpace, structure: Structure) -> list[dict]:
    """Describes each cluster: its size, its verticals, largest share first, and some names."""
    found = []
    for cluster in range(len(structure.sizes)):
        classes = np.flatnonzero(structure.members == cluster)
        counts = np.bincount(space.vertical_of_class[classes], minlength=space.num_verticals)
        order = [v for v in np.argsort(-counts, kind="stable") if counts[v]]
        found.append({
            "size": len(classes),
            "verticals": [(space.verticals[v], int(counts[v])) for v in order[:4]],
            "other_verticals": len(order[4:]),
            "names": [space.names[c] for c in spread(classes, space.vertical_of_class)],
            "other_names": max(0, len(classes) - NAMES_SHOWN),
        })
    return found


def spread(classes: np.ndarray, vertical_of_class: np.ndarray) -> np.ndarray:
    """Chooses classes to be named, of each vertical in turn, that of most classes first.

    Args:
      classes: i64[n], ids in ascending order.
      vertical_of_class: i32[C].

    Returns:
      i64, at most `NAMES_SHOWN` ids, those of a vertical beside each other.
    """
    _, place, counts = np.unique(
        vertical_of_class[classes], return_inverse=True, return_counts=True
    )
    order = np.argsort(place, kind="stable")
    turn = np.empty(len(classes), np.int64)
    turn[order] = np.concatenate([np.arange(count) for count in counts])
    rank = np.argsort(np.argsort(-counts, kind="stable"))[place]
    chosen = np.lexsort((rank, turn))[:NAMES_SHOWN]
    return classes[chosen[np.lexsort((turn[chosen], rank[chosen]))]]


def _print(rows: list[dict]) -> None:
    table = plain_table(
        "network", f"mAP at {rows[0]['k']}", "top-1", "multiply-adds", f"to {rows[0]['name']}",
        "Rand index",
    )
    for row in rows:
        agreement = "" if row["rand_index"] is None else f"{row['rand_index']:.2f}"
        table.add_row(
            row["name"], percent(row["mean_ap_at_k"]), percent(row["top1"]),
            f"{row['multiply_adds']:,}", f"{row['ratio']:.3f}", agreement,
        )
    print("All classes ranked together, %; agreement of the clusters with the verticals.")
    Console(highlight=False).print(table)
