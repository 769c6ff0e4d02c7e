"""Writes the page about generations and prints their accuracies as a table."""

from rich.console import Console

from kc_jax import artifacts
from kc_jax.config import Config
from kc_jax.stages import generation_figures, report_figures, report_pages
from kc_jax.stages.report_text import percent
from kc_jax.stages.terminal import plain_table
from kc_jax.workdir import Workdir


def run(config: Config, workdir: Workdir) -> bool:
    """Writes generations.html about every process of a working directory, and prints the table.

    Args:
      config: of the run.
      workdir: of the run; reads what run_generations wrote.

    Returns:
      Whether it wrote anything.

    Raises:
      MissingArtifactError: no process has been run.
    """
    processes = read_processes(workdir)
    inputs = artifacts.fingerprint([config.name, processes, report_pages.template_texts()])
    page = workdir.generations_report
    is_new = not report_pages.is_written(page, inputs)
    if is_new:
        artifacts.write_text(page, _page(config, processes, inputs))
    _print(processes)
    print(f"Report: {page}")
    return is_new


def read_processes(workdir: Workdir) -> dict[str, dict]:
    """Reads the results of every process: name, with its D(confidence, λ), → results.json."""
    found = sorted(workdir.generations.glob("*/results.json"))
    if not found:
        raise artifacts.MissingArtifactError(
            f"{workdir.generations} has no results; run the stage run_generations first"
        )
    results = {path.parent.name: artifacts.read_json(path) for path in found}
    return {f"{name} {values['process']}": values for name, values in results.items()}


def _differences(processes: dict[str, dict]) -> dict[str, str]:
    """Tells of each process how its settings differ from the first's in more than D."""
    first = next(iter(processes.values()))["settings"]
    found = {
        name: artifacts.describe_differences(first, values["settings"])
        for name, values in processes.items()
    }
    return {name: "; ".join(lines) for name, lines in found.items() if lines}


def _page(config: Config, processes: dict[str, dict], inputs: str) -> str:
    figures = {
        "accuracy": generation_figures.accuracy(processes, _baseline(processes)),
        "sorted_scores": generation_figures.sorted_scores(processes),
    }
    return report_pages.render(
        "generations.html.jinja",
        name=config.name,
        inputs=inputs,
        processes=processes,
        baseline=_baseline(processes),
        first=next(iter(processes.values())),
        differences=_differences(processes),
        figures={name: report_figures.to_png(figure) for name, figure in figures.items()},
    )


def _baseline(processes: dict[str, dict]) -> dict | None:
    baselines = [values["baseline"] for values in processes.values() if values["baseline"]]
    return baselines[-1] if baselines else None


def _print(processes: dict[str, dict]) -> None:
    table = plain_table("process", "generation", "top-1", "top-5", "ensemble top-1", "top-5")
    baseline = _baseline(processes)
    if baseline:
        table.add_row("baseline", "", percent(baseline["top1"]), percent(baseline["top5"]), "", "")
    for name, process in processes.items():
        for number, generation in enumerate(process["generations"]):
            together = generation["ensemble"]
            table.add_row(
                name if number == 0 else "", str(number),
                *map(percent, (generation["top1"], generation["top5"])),
                *(map(percent, (together["top1"], together["top5"])) if number else ("", "")),
            )
        table.add_section()
    print("Accuracy by generation, %.")
    Console(highlight=False).print(table)
