"""Damages every file of a finished run, in every way, and counts what its next reader notices.

python -m benchmarks.damage
python -m benchmarks.damage --kind=bundle --flips=1 --json   # a quick look

Costs ten minutes of one core. A run of shrunk glyphs with every stage, a training that was stopped
and a folder of packed images are made first; then each file is truncated, emptied, removed, swapped
with one of the same kind, overwritten by it, and has bits turned over, and what would read it next
reads it. ``detected``: refused in one line that names it, or gone on from something older with such
a line. ``harmless``: all came out as before. ``wrong``: anything else, which must not be.
"""

import collections
import itertools
import pathlib
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator

from absl import app, flags

from benchmarks import damaged_files, damages, measure

_KIND = flags.DEFINE_multi_string("kind", [], "Kinds of files to damage; all where none is given.")
_FLIPS = flags.DEFINE_integer("flips", 8, "Bits to turn over in each file, in turn.", lower_bound=1)
_FOLDER = flags.DEFINE_string("folder", "", "To make the run in and keep it; else it is removed.")


def walk(root: pathlib.Path) -> Iterator[dict]:
    """Tries every damage; yields a row for each kind of file and damage."""
    work, whole = root / "work", root / "whole"
    if not whole.exists():
        damaged_files.make(work)
        work.rename(whole)
    restore(whole, work)  # For the list of what there is.
    for case in damaged_files.cases(work):
        if _KIND.value and case.kind not in _KIND.value:
            continue
        restore(whole, work)
        wanted = case.read()
        restore(whole, work)
        older = case.older and case.older()
        for damage in damages.DAMAGES:
            found = collections.Counter()
            found.update(tries(case, damage, wanted, older, whole, work))
            yield {
                "kind": case.kind, "files": len(case.files), "damage": damage,
                "tried": found.total(), "detected": found["detected"],
                "harmless": found["harmless"], "wrong": found["wrong"],
            }


def tries(case, damage, wanted, older, whole, work) -> Iterator[str]:
    """Damages each file of a kind in one way; yields what came of it."""
    for path, sibling in case.files:
        for number in range(_FLIPS.value if damage == "bit flipped" else 1):
            restore(whole, work)
            before = {p: p.read_bytes() for p in (path, sibling)}
            seed = f"{case.kind} {path.name} {damage} {number}"
            damages.DAMAGES[damage](path, sibling, random.Random(seed))
            changed = [p for p in before if not p.exists() or p.read_bytes() != before[p]]
            if not changed:
                continue  # The other one says the same.
            verdict, why = damages.outcome(case, changed, wanted, older)
            print(f"{verdict:9} {damage}: {path.relative_to(work)}: {why}"[:400].replace("\n", " "),
                  file=sys.stderr)
            yield verdict


def restore(whole: pathlib.Path, work: pathlib.Path) -> None:
    """Makes a folder as it was before anything was damaged."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(whole, work, symlinks=True)


def lines(rows: list[dict]) -> str:
    """Writes a Markdown table: detected / harmless / wrong, a line a kind and a column a damage."""
    names = list(damages.DAMAGES)
    text = [f"| kind | files | tried | {' | '.join(names)} |"]
    text += ["|---|--:|--:|" + "---|" * len(names)]
    for kind, group in itertools.groupby(rows, key=lambda row: row["kind"]):
        found = {row["damage"]: row for row in group}
        cells = [
            " / ".join(str(row[verdict]) for verdict in ("detected", "harmless", "wrong"))
            for row in map(found.get, names)
        ]
        tried = sum(row["tried"] for row in found.values())
        text.append(f"| {kind} | {found[names[0]]['files']} | {tried} | {' | '.join(cells)} |")
    totals = [sum(row[key] for row in rows) for key in ("tried", "detected", "harmless", "wrong")]
    return "\n".join([*text, "", "tried {}: detected {}, harmless {}, wrong {}".format(*totals)])


def main(argv) -> None:
    del argv
    with tempfile.TemporaryDirectory() as folder:
        measure.report(__file__, walk(pathlib.Path(_FOLDER.value or folder)), lines)


if __name__ == "__main__":
    app.run(main)
