"""The finished networks of a working directory that can be judged side by side."""

import dataclasses
import pathlib
import sys
from collections.abc import Collection, Mapping

from kc_jax import artifacts
from kc_jax.config import Config
from kc_jax.core import alignment
from kc_jax.core.label_space import LabelSpace
from kc_jax.stages import networks, tasks
from kc_jax.workdir import Workdir

SHARED = ("seed", "views", "model", "records", "generalist")  # By what is judged side by side.


@dataclasses.dataclass(frozen=True)
class Network:
    """Says which trained network is to be judged.

    Attributes:
      title: for the person who watches.
      space: its label space.
      directory: where it lies.
      made_by: the stage that makes it.
    """

    title: str
    space: LabelSpace
    directory: pathlib.Path
    made_by: str

    @property
    def is_complete(self) -> bool:
        manifest = artifacts.read_json(self.directory / artifacts.MANIFEST, {"complete": False})
        return manifest["complete"]

    @property
    def manifest(self) -> dict:
        return artifacts.manifest_of(self.directory, self.made_by)

    @property
    def fingerprint(self) -> str:
        return artifacts.fingerprint_of(self.directory, self.made_by)

    def check_classes(self) -> None:
        """Checks that it was trained with the classes and verticals that it is to be judged on.

        Raises:
          StaleArtifactError: it was not; says in what they differ.
        """
        trained = tasks.space_of(self.directory)
        if (trained.names, trained.sizes) != (self.space.names, self.space.sizes):
            lines = alignment.describe(self.space, trained) or ["their order"]
            raise artifacts.StaleArtifactError(
                f"{self.directory} was trained with other classes or verticals:\n  "
                + "\n  ".join(lines[:10])
                + "\nGive the config.data.verticals and label space that it was trained with"
            )


def single_networks(config: Config, workdir: Workdir, space: LabelSpace) -> list[Network]:
    """Lists the finished networks that name all classes: the generalist, if any, and students.

    The first of generalist and the configuration's student is what the others must agree with.
    """
    students = {
        path.name: Network(path.name, space, path, networks.maker_of(path))
        for path in sorted(workdir.students.glob("*"))
    }
    generalist = Network("generalist", space, workdir.generalist, "train_generalist")
    if "train_student" in config.stages or not generalist.is_complete:
        artifacts.manifest_of(workdir.student(config.student.name), "train_student")
    first = generalist if generalist.is_complete else students.pop(config.student.name)
    first.check_classes()
    finished = {name: student for name, student in students.items() if student.is_complete}
    kept = {first.title: first}
    for name in sorted(finished, key=lambda name: (_depth(name, finished), name)):
        if _is_comparable(finished[name], first, finished.keys(), kept):
            kept[name] = finished[name]
    return [first, *(kept[name] for name in finished if name in kept)]


def _base_of(network: Network) -> str:
    """Gives the name of the network that one has grown on; of most there is none."""
    return network.manifest["inputs"].get("base", {}).get("name", "")


def _depth(name: str, finished: Mapping[str, Network]) -> int:
    """Counts how many students are below one, each grown on the one before."""
    return 1 + _depth(_base_of(finished[name]), finished) if name in finished else 0


def _is_comparable(
    student: Network, first: Network, known: Collection[str], kept: Mapping[str, Network]
) -> bool:
    """Tells whether a student comes from the same seed, records and networks as the first.

    One that has grown on another must have grown on what that is now, and that must be comparable.

    Args:
      student: to compare.
      first: to compare it with.
      known: names of all finished students.
      kept: the first, and those that are comparable, all on which it may have grown among them.
    """
    differing = _differing(student, first, (*SHARED, "label_space"))
    base = _base_of(student)
    if base in known and base not in kept or (
        base in kept and kept[base].fingerprint != student.manifest["inputs"]["base"]["fingerprint"]
    ):
        differing.append(f"base {base}")
    if differing:
        _say(f"student {student.title} is left out: its", differing, first, student.directory)
    return not differing


def _differing(network: Network, first: Network, keys: Collection[str]) -> list[str]:
    """Names the inputs that a network and the first have both, but not the same."""
    found, wanted = network.manifest["inputs"], dict(first.manifest["inputs"])
    if first.title == "generalist":
        wanted["generalist"] = first.fingerprint
    return [key for key in keys if key in found and key in wanted and found[key] != wanted[key]]


def _say(what: str, differing: list[str], first: Network, directory: pathlib.Path) -> None:
    print(
        f"{what} {' and '.join(differing)} differ from the {first.title}'s; remove {directory} or "
        "train it anew", file=sys.stderr,
    )


def specialist_networks(workdir: Workdir, space: LabelSpace, first: Network) -> list[Network]:
    """Lists the specialists in the order of their verticals; none unless all can be judged.

    Args:
      workdir: of the run.
      space: of all classes.
      first: what they must agree with; see `single_networks`.
    """
    specialists = [
        Network(
            f"specialist {name}", space.restrict(v), workdir.teacher(name), "train_teachers"
        )
        for v, name in enumerate(space.verticals)
    ]
    if not all(specialist.is_complete for specialist in specialists):
        return []
    for specialist in specialists:
        specialist.check_classes()
        differing = _differing(specialist, first, SHARED)
        if differing:
            what = f"the specialists are left out: {specialist.title}'s"
            _say(what, differing, first, specialist.directory)
            return []
    return specialists
