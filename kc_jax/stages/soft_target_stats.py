"""Says what the soft targets of each vertical take and hold."""

from rich.console import Console

from kc_jax import artifacts
from kc_jax.config import Config
from kc_jax.data import sources, vertical_store
from kc_jax.stages import storing
from kc_jax.stages.terminal import plain_table
from kc_jax.workdir import Workdir

COUNTS = ("num_classes", "num_records", "num_labelled", "num_views", "num_similar")
# What is averaged → the count of the images that it is an average of.
MEANS = {"bytes_per_view": "num_records", **dict.fromkeys(storing.MEANS, "num_labelled")}


def run(config: Config, workdir: Workdir) -> bool:
    """Writes soft_targets/stats.json and prints it as a table; tells whether it is new."""
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    all_inputs = storing.store_inputs(config, workdir, space, source)
    rows = {}
    for name, inputs in zip(space.verticals, all_inputs, strict=True):
        directory = workdir.soft_targets_of(name)
        manifest = artifacts.manifest_of(directory, vertical_store.MADE_BY)
        artifacts.is_complete(directory, inputs)
        rows[name] = {key: manifest[key] for key in (*COUNTS, *MEANS)}
    stats = {
        "top_k": config.soft_targets.top_k, "verticals": rows, "total": total(list(rows.values())),
    }
    _print(stats)
    path = workdir.soft_target_stats
    if path.exists() and artifacts.read_json(path) == stats:
        return False
    artifacts.write_sealed(path, stats)
    return True


def total(rows: list[dict]) -> dict:
    """Sums the counts of verticals and averages their means over the images that each is of.

    Args:
      rows: one a vertical, with `COUNTS` and `MEANS`.

    Returns:
      A row of the same keys; a record counts once for each of its verticals.
    """
    counts = {
        key: sum(row[key] for row in rows) for key in ("num_classes", "num_records", "num_labelled")
    }
    return {
        **counts,
        **{key: rows[0][key] for key in ("num_views", "num_similar")},
        **{
            key: round(sum(row[key] * row[count] for row in rows) / counts[count], 6)
            for key, count in MEANS.items()
        },
    }


def _print(stats: dict) -> None:
    title = f"Soft targets: the first {stats['top_k']} in {stats['total']['num_views']} views"
    table = plain_table(
        "vertical", "images", "bytes\nan image", "mass\nkept", "label\nfirst", "label\nkept",
        "all\nothers", f"first {stats['total']['num_similar'] - 1}\nothers", title=title,
    )
    for name, row in [*stats["verticals"].items(), ("total", stats["total"])]:
        table.add_row(
            name, f"{row['num_records']:,}", f"{row['bytes_per_view'] * row['num_views']:,.0f}",
            *(f"{row[key]:.1%}" for key in ("mass_kept", "first_is_label", "label_kept")),
            *(f"{row[key]:.4f}" for key in ("secondary_mass", "first_secondary_mass")),
        )
    Console().print(table)
