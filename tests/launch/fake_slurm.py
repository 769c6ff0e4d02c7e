"""Mocks sbatch, srun and scontrol: what is submitted runs at once, as SLURM's manual says.

A job has SLURM's environment, runs a copy of its script from another folder, is cancelled where a
job that it depends on failed, and runs again when it was put into the queue again. ``jobs.jsonl``
in the folder `FAKE_SLURM` has a line for every job, and for every task of an array job.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

NODES = "node[001-008]"
FOLDER = pathlib.Path(os.environ.get("FAKE_SLURM", ""))


def install(folder, **programs):
    """Makes the commands in a folder, and others: by name, lines of Python."""
    own = {name: f"fake_slurm.{name}(sys.argv[1:])" for name in ("sbatch", "srun", "scontrol")}
    root = pathlib.Path(__file__).parents[2]
    folder.mkdir()
    for name, lines in (own | programs).items():
        file = folder / name
        file.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(root)!r})\n"
            f"from tests.launch import fake_slurm\n{lines}\n", encoding="utf-8",
        )
        file.chmod(0o755)


def jobs():
    """Gives what sbatch noted."""
    lines = (FOLDER / "jobs.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def sbatch(argv):
    """Runs a job, or each task of an array job; prints its number."""
    options, script, arguments = split(argv)
    lines = pathlib.Path(script).read_text(encoding="utf-8").splitlines()
    directives = [line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH ")]
    options = split([*directives, "-"])[0] | options
    spool = FOLDER / "spool"
    spool.mkdir(exist_ok=True)
    copy = shutil.copy(script, spool / "slurm_script")
    tasks = array_tasks(options["array"]) if "array" in options else [None]
    first = next_number()
    for number, task in zip([first, *(next_number() for _ in tasks[1:])], tasks, strict=True):
        codes = run(copy, arguments, options, number, first, task) if may_run(options) else []
        note = {"number": number, "array": first, "task": task, "options": options, "codes": codes}
        with (FOLDER / "jobs.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(note) + "\n")
    print(first)


def run(script, arguments, options, number, first, task):
    """Runs a job until nobody puts it into the queue again; gives the status of each time."""
    tasks = options.get("ntasks") or int(options["nodes"]) * int(options["ntasks-per-node"])
    environment = {
        **os.environ, "SLURM_JOB_ID": str(number), "SLURM_NTASKS": str(tasks),
        "SLURM_JOB_NUM_NODES": options["nodes"], "SLURM_CPUS_PER_TASK": options["cpus-per-task"],
        "SLURM_JOB_NAME": options["job-name"],
    }
    if task is not None:
        environment |= {"SLURM_ARRAY_JOB_ID": str(first), "SLURM_ARRAY_TASK_ID": str(task)}
    codes, again = [], FOLDER / f"requeue{number}"
    name = options.get("output", "").replace("%x", options["job-name"]).replace("%j", str(number))
    while not codes or again.exists():
        again.unlink(missing_ok=True)
        if codes:
            environment["SLURM_RESTART_COUNT"] = str(len(codes))
        with open(name, "a") if name else contextlib.nullcontext() as output:
            done = subprocess.run(
                ["bash", script, *arguments], env=environment, stdout=output, stderr=output
            )
        codes.append(done.returncode)
    return codes


def may_run(options):
    """Tells whether every job that this one depends on ended with status 0."""
    kind, *wanted = options.get("dependency", "").split(":")
    assert kind in ("", "afterok")
    return not kind or all(
        job["codes"][-1:] == [0] for job in jobs() if job["array"] in map(int, wanted)
    )


def srun(argv):
    """Runs the command in every task of the job; ends with the highest status."""
    options, program, arguments = split(argv)
    assert options["kill-on-bad-exit"] == "0" and int(options["wait"]) > 0
    number = int(os.environ["SLURM_NTASKS"])
    per_node = number // int(os.environ["SLURM_JOB_NUM_NODES"])
    tasks = [
        subprocess.Popen([program, *arguments], env={
            **os.environ, "SLURM_PROCID": str(i), "SLURM_LOCALID": str(i % per_node),
            "SLURM_STEP_NODELIST": os.environ.get("FAKE_NODES", NODES),
            "SLURM_STEP_NUM_NODES": os.environ["SLURM_JOB_NUM_NODES"],
        })
        for i in range(number)
    ]
    sys.exit(max(task.wait() for task in tasks))


def scontrol(argv):
    """Notes that a job is to run again."""
    [word, number] = argv
    assert word == "requeue"
    (FOLDER / f"requeue{number}").touch()


def split(argv):
    """Gives the options, all written --name=value or --name, the first word and what follows."""
    place = next(i for i, word in enumerate(argv) if not word.startswith("--"))
    pairs = (word.removeprefix("--").partition("=") for word in argv[:place])
    return {name: value or True for name, _, value in pairs}, argv[place], argv[place + 1 :]


def array_tasks(text):
    """Reads "0-19" and "0-19%4"."""
    first, last = map(int, re.fullmatch(r"(\d+)-(\d+)(?:%\d+)?", text).groups())
    return list(range(first, last + 1))


def next_number():
    """Counts jobs from 4242."""
    file = FOLDER / "number"
    number = int(file.read_text(encoding="utf-8")) + 1 if file.exists() else 4242
    file.write_text(str(number), encoding="utf-8")
    return number
