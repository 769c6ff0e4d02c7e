"""python -m tests.faults.bad_inputs: what comes of every case of bad input, counted by area.

Every command is run as a person runs it, each in a process of its own, a minute or two in all.
Ends with status 1 where one does not end as it should: refused in a line, skipped and counted, or
accepted.
"""

import collections
import pathlib
import sys
import tempfile

from tests.faults import (
    bad_bundles,
    bad_configs,
    bad_datasets,
    bad_images,
    bad_label_spaces,
    bad_manifests,
    bad_networks,
    bad_requests,
    bad_teachers,
    commands,
)
from tests.faults.case import ACCEPTED, HANGS, REFUSED, SKIPPED, TRACEBACK, WRONG

COMMANDS = [
    case for module in (
        bad_configs, bad_label_spaces, bad_images, bad_manifests, bad_datasets, bad_teachers,
        bad_networks, bad_bundles,
    ) for case in module.CASES
]
REQUESTS = bad_requests.CASES
COLUMNS = {
    REFUSED: "refused in a line", SKIPPED: "skipped and counted", ACCEPTED: "accepted",
    TRACEBACK: "traceback", HANGS: "hangs", WRONG: "another answer",
}


def table(verdicts: dict[str, collections.Counter]) -> str:
    """Writes a row of Markdown an area, and one for all of them."""
    rows = [*verdicts.items(), ("all", sum(verdicts.values(), collections.Counter()))]
    lines = [["area", "cases", *COLUMNS.values()], ["---", *["---:"] * (len(COLUMNS) + 1)]]
    for area, counts in rows:
        lines.append([area, str(counts.total()), *(str(counts[kind]) for kind in COLUMNS)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def run(root: pathlib.Path) -> dict[str, collections.Counter]:
    """Runs all cases; gives what came of them, counted by area."""
    verdicts = collections.defaultdict(collections.Counter)

    def count(cases, runner):
        for number, case in enumerate(cases):
            folder = root / f"{case.area[:4]}-{number}"
            folder.mkdir()
            found = case.verdict(case.run(runner, folder))
            verdicts[case.area][found] += 1
            if found != case.kind:
                print(f"{case.area}: {case.name}: {found}, not {case.kind}", file=sys.stderr)

    with commands.open_commands(root / "home") as runner:
        count(COMMANDS, runner)
    with bad_requests.open_client(root / "bundle") as client:
        count(REQUESTS, client)
    return verdicts


def main() -> int:
    """Prints the table; gives the exit status."""
    with tempfile.TemporaryDirectory(prefix="bad-inputs-") as name:
        verdicts = run(pathlib.Path(name))
    print(table(verdicts))
    counts = sum(verdicts.values(), collections.Counter())
    return 1 if counts[TRACEBACK] + counts[HANGS] + counts[WRONG] else 0


if __name__ == "__main__":
    sys.exit(main())
