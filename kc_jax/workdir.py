"""Names every file of a run."""

import dataclasses
import pathlib

from kc_jax.artifacts import TEMPORARY, safe_name


@dataclasses.dataclass(frozen=True)
class Workdir:
    """Names every file of a run.

    Attributes:
      root: the working directory.
    """

    root: pathlib.Path

    @property
    def config(self) -> pathlib.Path:
        return self.root / "config.json"

    @property
    def describe(self) -> pathlib.Path:
        return self.root / "describe.json"

    @property
    def generalist(self) -> pathlib.Path:
        return self.root / "generalist"

    @property
    def teachers(self) -> pathlib.Path:
        return self.root / "teachers"

    def teacher(self, vertical: str) -> pathlib.Path:
        return self.teachers / safe_name(vertical)

    @property
    def soft_targets(self) -> pathlib.Path:
        return self.root / "soft_targets"

    def soft_targets_of(self, vertical: str) -> pathlib.Path:
        return self.soft_targets / safe_name(vertical)

    @property
    def predictions(self) -> pathlib.Path:
        return self.root / f"predictions{TEMPORARY}"

    @property
    def imported(self) -> pathlib.Path:
        return self.soft_targets / "imported.json"

    @property
    def soft_target_stats(self) -> pathlib.Path:
        return self.soft_targets / "stats.json"

    @property
    def students(self) -> pathlib.Path:
        return self.root / "students"

    def student(self, name: str) -> pathlib.Path:
        return self.students / name

    @property
    def generations(self) -> pathlib.Path:
        return self.root / "generations"

    def generation(self, name: str, number: int) -> pathlib.Path:
        return self.generations / name / str(number)

    @property
    def structures(self) -> pathlib.Path:
        return self.root / "structures"

    def clusters(self, name: str) -> pathlib.Path:
        return self.structures / name

    def generation_answers(self, name: str, member: str) -> pathlib.Path:
        return self.generations / name / "answers" / member

    def generation_results(self, name: str) -> pathlib.Path:
        return self.generations / name / "results.json"

    @property
    def generations_report(self) -> pathlib.Path:
        return self.root / "generations.html"

    @property
    def structures_report(self) -> pathlib.Path:
        return self.root / "structures.html"

    @property
    def evaluation(self) -> pathlib.Path:
        return self.root / "evaluation"

    @property
    def evaluation_given(self) -> pathlib.Path:
        return self.root / "evaluation_given"

    @property
    def results_given(self) -> pathlib.Path:
        return self.root / "results_given.json"

    @property
    def discovery(self) -> "Workdir":
        """Gives where the network lies whose confusions become verticals."""
        return Workdir(self.root / "discovery")

    def bundle(self, name: str) -> pathlib.Path:
        return self.root / "bundles" / name

    @property
    def seconds(self) -> pathlib.Path:
        return self.root / "seconds.json"

    @property
    def results(self) -> pathlib.Path:
        return self.root / "results.json"

    @property
    def class_table(self) -> pathlib.Path:
        return self.root / "classes.csv"

    @property
    def report(self) -> pathlib.Path:
        return self.root / "report.html"

    @property
    def class_page(self) -> pathlib.Path:
        return self.root / "classes.html"

    @property
    def vertical_pages(self) -> pathlib.Path:
        return self.root / "report"

    def vertical_page(self, vertical: str) -> pathlib.Path:
        return self.vertical_pages / f"{safe_name(vertical)}.html"

    @property
    def figures(self) -> pathlib.Path:
        return self.root / "figures"
