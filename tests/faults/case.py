"""A case of bad input: what a user would do, and what a person should see of it."""

import dataclasses
import pathlib
import shlex
from collections.abc import Callable

from tests.faults.commands import HANG, Commands, Done

REFUSED, SKIPPED, ACCEPTED = "refused", "skipped", "accepted"
TRACEBACK, HANGS, WRONG = "traceback", "hangs", "wrong"


@dataclasses.dataclass(frozen=True)
class Case:
    """Is a command line, and the files that it is about.

    Attributes:
      area: of the table.
      name: what is bad.
      command: module and arguments, as a shell takes them; ``{root}`` is the case's own folder.
      words: that its one line must have where it is refused: the culprit and the remedy; or its
        output, where something is left out and counted, or all is accepted.
      make: writes files into the folder.
      kind: `REFUSED`, `SKIPPED` or `ACCEPTED`.
      stdin: that the command reads.
    """

    area: str
    name: str
    command: str
    words: tuple[str, ...]
    make: Callable[[pathlib.Path], object] = lambda root: None
    kind: str = REFUSED
    stdin: bytes = b""

    def run(self, commands: Commands, root: pathlib.Path) -> Done:
        """Does it in a folder of its own."""
        self.make(root)
        argv = [word.replace("{root}", str(root)) for word in shlex.split(self.command)]
        streams = root.parent / f"{root.name}.streams"
        streams.mkdir()
        return commands.run(argv, streams, self.stdin)

    def verdict(self, done: Done) -> str:
        """Tells what came of it: ``kind`` where it is as it should be."""
        if done.status == HANG:
            return HANGS
        if "Traceback" in done.err:
            return TRACEBACK
        lines = done.err.strip().splitlines() or [""]
        # `argparse` shows how the command is used before its line; predict names what it skipped.
        ours = lines[-1].startswith("kc_jax: ") or ": error: " in lines[-1]
        found = {
            REFUSED: lines[-1] if done.status and ours else "",
            SKIPPED: done.out + done.err if done.status in (0, 3) else "",
            ACCEPTED: done.out + done.err if not done.status else "",
        }[self.kind]
        return self.kind if all(word in found for word in self.words) else WRONG
