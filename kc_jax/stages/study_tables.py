"""The tables of studies of networks: mean ± standard deviation over seeds, in Markdown."""

from collections.abc import Mapping, Sequence

import numpy as np

from kc_jax.stages import report_text, speed

COLUMNS = {
    "mean_vertical_ap": "mean AP",
    "mean_vertical_top1": "top-1 in vertical",
    "top1": "top-1",
    "top5": "top-5",
    "ancestor_ap": "ancestors' AP",
}

NOTHING = "—"
_AT_K = "mean_ap_at_"


def name_of(metric: str) -> str:
    """Gives the heading of a metric, a key of what evaluate wrote."""
    if metric.startswith(_AT_K):
        return f"mAP at top {metric.removeprefix(_AT_K)}"
    return COLUMNS.get(metric, metric.replace("_", " "))


def method_of(setting: str, name: str) -> str:
    """Gives a method's name in a setting; a study of one setting, which has no name, adds none."""
    return f"{setting}/{name}" if setting else name


def num_seeds(results: Sequence[Mapping]) -> str:
    """Says how many seeds there are."""
    return "one seed" if len(results) == 1 else f"{len(results)} seeds"


def students_table(title: str, students: Sequence[str], results: Sequence[Mapping]) -> str:
    """Writes a table with a row for the generalist, each student and the specialists.

    *Closed* is what of the gap between generalist and specialists in mean AP a method closes, where
    there are both. *Minutes* are those of training, on whatever machine and beside whatever load.

    Args:
      title: of the table.
      students: their names.
      results: for each seed what evaluate wrote.
    """
    first = results[0]
    lines = head(
        title, results, f"{first['classes']} classes, {first['verticals']} verticals",
        ("method", "head"), (*COLUMNS.values(), "closed", "parameters", "images seen", "minutes"),
    )
    methods = methods_of(results, ("generalist", *students, "specialists"))
    minutes = {
        method: [speed.minutes(result["methods"][method]) for result in results]
        for method in methods
    }
    for method in methods:
        runs = [result["methods"][method] for result in results]
        cells = [percent_of_seeds([run[key] for run in runs]) for key in COLUMNS]
        cells.append(percent_of_seeds([_closed(result["methods"], method) for result in results]))
        lines.append(
            f"| {method} | {runs[0]['head']} | {' | '.join(cells)} | {runs[0]['params']:,} | "
            f"{report_text.images_seen(runs[0])} | {_number(minutes[method], 1)} |"
        )
    timed = [value for values in minutes.values() for value in values if value is not None]
    if timed:
        hours = f"{sum(timed) / 60:.1f} hours"
        lines += ["", f"Training these, one after the other and all seeds together: {hours}."]
    return "\n".join(lines) + "\n"


def _closed(methods: Mapping[str, Mapping], method: str) -> float | None:
    ends = [methods.get(_beside(method, end)) for end in ("generalist", "specialists")]
    if None in ends:
        return None
    generalist, specialists = ends
    return report_text.gap_closed(*(
        values["mean_vertical_ap"] for values in (generalist, methods[method], specialists)
    ))


def _beside(method: str, other: str) -> str:
    """Names another method of the same setting."""
    return method_of(method.rpartition("/")[0], other)


def verticals_table(students: Sequence[str], results: Sequence[Mapping]) -> str:
    """Writes the average precision of each vertical by method, as the paper's tables 4 and 6 do.

    Args:
      students: their names.
      results: for each seed what evaluate wrote.
    """
    methods = methods_of(results, ("generalist", *students, "specialists"))
    found = {
        method: [result["methods"][method]["vertical_ap"] for result in results]
        for method in methods
    }
    lines = [f"| vertical | {' | '.join(methods)} |", f"|---|{'---:|' * len(methods)}"]
    for vertical in found[methods[0]][0]:
        cells = [
            percent_of_seeds([seed.get(vertical) for seed in found[method]]) for method in methods
        ]
        lines.append(f"| {vertical} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def structures_table(title: str, names: Sequence[str], results: Sequence[Mapping]) -> str:
    """Writes a table with a row for the base network and for each that has auxiliary heads.

    Args:
      title: of the table.
      names: of the augmented networks.
      results: for each seed what evaluate wrote.
    """
    first = results[0]["methods"]
    at_k = [key for values in first.values() for key in values if key.startswith(_AT_K)]
    metrics = {**{key: name_of(key) for key in at_k}, **COLUMNS}  # Settings may differ in K.
    del metrics["ancestor_ap"]
    lines = head(
        title, results, f"{results[0]['classes']} classes", ("network",),
        (*metrics.values(), "multiply-adds", "to generalist", "Rand index"),
    )
    for name in methods_of(results, ("generalist", *names)):
        runs = [result["methods"][name] for result in results]
        cells = [percent_of_seeds([run.get(key) for run in runs]) for key in metrics]
        cost = first[name]["multiply_adds"]
        ratio = cost / first[_beside(name, "generalist")]["multiply_adds"]
        agreement = _number([run.get("rand_index") for run in runs], 2)
        lines.append(f"| {name} | {' | '.join(cells)} | {cost:,} | {ratio:.3f} | {agreement} |")
    return "\n".join(lines) + "\n"


def methods_of(results: Sequence[Mapping], names: Sequence[str]) -> list[str]:
    """Lists the methods that all seeds have, by setting, and in a setting in the order of names.

    One that several settings share, such as a generalist, is listed in the first of them.
    """
    found: list[str] = []
    for method in results[0]["methods"]:
        is_everywhere = all(method in result["methods"] for result in results)
        if is_everywhere and not any(_is_same(results, method, other) for other in found):
            found.append(method)
    settings = list(dict.fromkeys(method.rpartition("/")[0] for method in found))
    order = [method_of(setting, name) for setting in settings for name in names]
    return [method for method in order if method in found]


def _is_same(results: Sequence[Mapping], method: str, other: str) -> bool:
    name, other_name = (title.rpartition("/")[2] for title in (method, other))
    return name == other_name and all(
        result["methods"][method] == result["methods"][other] for result in results
    )


def head(
    title: str, results: Sequence[Mapping], facts: str, left: Sequence[str], right: Sequence[str]
) -> list[str]:
    """Writes what stands above a table, and its first row.

    Args:
      title: of the table.
      results: of every seed; noise in place of images is said of the first.
      facts: about the data, between the title and the number of seeds.
      left: headings of the columns of words.
      right: headings of the columns of numbers.

    Returns:
      The lines of Markdown above the rows.
    """
    noise = "SYNTHETIC INPUT: no figure means anything. " if results[0].get("synthetic") else ""
    return [
        f"{noise}{title}: {facts}, {num_seeds(results)}, mean ± standard deviation, %.",
        "",
        f"| {' | '.join((*left, *right))} |",
        f"|{'---|' * len(left)}{'---:|' * len(right)}",
    ]


def percent_of_seeds(values: Sequence[float | None]) -> str:
    """Writes shares of 0–1 in %, as mean ± standard deviation; a dash where a seed has none."""
    return NOTHING if None in values else _number([100 * value for value in values], 1)


def _number(values: Sequence[float | None], digits: int) -> str:
    """Writes mean ± standard deviation over seeds."""
    if None in values:
        return NOTHING
    deviation = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{deviation}"
