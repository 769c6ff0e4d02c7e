"""The manifests are valid, agree with themselves and with the command; no cluster ever had them."""

import copy
import os
import pathlib
import re
import subprocess

import jsonschema
import kubernetes_validate
import pytest
import yaml

from kc_jax.preemption import EXIT_CODE
from tests.launch.jobset_schema import JOBSET

GKE = pathlib.Path(__file__).parents[2] / "launch" / "gke"
KUBERNETES = "1.33"
SLICES = {"4x4": 16, "2x4": 8}
AUTO = {"--coordinator=auto"}


def filled(name):
    """Fills a manifest in as the README does; gives its text."""
    readme = (GKE.parent / "README.md").read_text(encoding="utf-8")
    [script] = re.findall(r"^sed '([^']+)' launch/gke/tpu\.yaml", readme, re.MULTILINE)
    return subprocess.run(["sed", script, GKE / name], capture_output=True, text=True, check=True
                          ).stdout


def read(name):
    return yaml.safe_load(filled(name))


def validate(manifest):
    """Refuses what a server would refuse of the JobSet, its Jobs and their pods."""
    jsonschema.validate(manifest, JOBSET)
    seen = set()
    for replicated in manifest["spec"]["replicatedJobs"]:
        job = {
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": replicated["template"].get("metadata", {}) | {"name": replicated["name"]},
            "spec": replicated["template"]["spec"],
        }
        kubernetes_validate.validate(job, KUBERNETES, strict=True)
        pod = job["spec"]["template"]["spec"]
        [container] = pod["containers"]
        # Rules of the server that are in no schema.
        assert pod["restartPolicy"] == "Never", "a policy for failures needs it"
        rules = job["spec"]["podFailurePolicy"]["rules"]
        assert {r["onExitCodes"]["containerName"] for r in rules if "onExitCodes" in r} == {
            container["name"]}
        assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
        assert {d["name"] for d in replicated.get("dependsOn", [])} <= seen, "not of earlier jobs"
        seen.add(replicated["name"])


def jobs_of(manifest):
    return {job["name"]: job for job in manifest["spec"]["replicatedJobs"]}


def options_of(manifest, name, index, folder):
    """Runs the command of a pod with a Python that says what it was given."""
    folder.mkdir(exist_ok=True)
    (folder / "python").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding="utf-8")
    (folder / "python").chmod(0o755)
    [pod] = jobs_of(manifest)[name]["template"]["spec"]["template"]["spec"]["containers"]
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "JOB_COMPLETION_INDEX": str(index)}
    done = subprocess.run(
        [*pod["command"], *pod["args"]], env=environment, capture_output=True, text=True, check=True
    )
    module, *options = done.stdout.splitlines()[1:]
    assert module == "kc_jax.main" and pod["args"][0].startswith("exec "), "SIGTERM would end sh"
    return set(options)


@pytest.mark.parametrize("name", ["tpu.yaml", "gpu.yaml"])
def test_manifests_are_valid(name):
    validate(read(name))


@pytest.mark.parametrize("name", ["tpu.yaml", "gpu.yaml"])
def test_the_readme_fills_in_all_there_is(name):
    empty = yaml.safe_load((GKE / name).read_text(encoding="utf-8"))
    places = set(re.findall(r"\b(?:IMAGE|CONFIG|WORKDIR|VERTICALS)\b", yaml.safe_dump(empty)))
    assert places == {"IMAGE", "CONFIG", "WORKDIR", "VERTICALS"}
    assert not any(re.search(rf"\b{place}\b", yaml.safe_dump(read(name))) for place in places)
    assert jobs_of(read(name))["teachers"]["template"]["spec"]["completions"] == 12


MISTAKES = {
    "a field of the set": lambda m: m["spec"].update(failurePolcy={}),
    "an action": lambda m: m["spec"]["failurePolicy"]["rules"][0].update(action="Restart"),
    "a status": lambda m: m["spec"]["replicatedJobs"][1]["dependsOn"][0].update(status="Done"),
    "a later job": lambda m: m["spec"]["replicatedJobs"][1]["dependsOn"][0].update(name="student"),
    "a field of a job": lambda m: job_spec(m).update(completion=4),
    "a field of a pod": lambda m: pod_spec(m).update(nodeSelectors={}),
    "a restart policy": lambda m: pod_spec(m).update(restartPolicy="OnFailure"),
    "a mount": lambda m: pod_spec(m)["containers"][0].update(volumeMounts=[]),
    "a container": lambda m: pod_spec(m)["containers"][0].update(name="other"),
    "a port": lambda m: pod_spec(m)["containers"][0].update(ports=[{"containerPort": "8482"}]),
}


def job_spec(manifest):
    return manifest["spec"]["replicatedJobs"][0]["template"]["spec"]


def pod_spec(manifest):
    return job_spec(manifest)["template"]["spec"]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_seen(mistake):
    manifest = copy.deepcopy(read("tpu.yaml"))
    MISTAKES[mistake](manifest)
    with pytest.raises((jsonschema.ValidationError, AssertionError,
                        kubernetes_validate.ValidationError)):
        validate(manifest)


@pytest.mark.parametrize("name", ["tpu.yaml", "gpu.yaml"])
def test_stages_come_in_their_order(name, tmp_path):
    jobs = jobs_of(read(name))
    assert list(jobs) == ["generalist", "teachers", "student"]
    assert jobs["teachers"]["dependsOn"] == [{"name": "generalist", "status": "Complete"}]
    assert jobs["student"]["dependsOn"] == [{"name": "teachers", "status": "Complete"}]
    found = {job: options_of(read(name), job, 1, tmp_path / job) for job in jobs}
    common = {"--config=configs/folder.py", "--config.data.source=packed",
              "--config.data.directory=/runs/packed", "--workdir=/runs/products"}
    meeting = [{w for w in found[job] if w.startswith(("--coordinator", "--num_", "--process_"))}
               for job in ("generalist", "student")]
    assert found["generalist"] == common | meeting[0] | {"--stages=train_generalist"}
    assert found["teachers"] == common | {"--stages=train_teachers", "--config.running.vertical=1"}
    assert found["student"] == common | meeting[1] and meeting[0] and meeting[1]


@pytest.mark.parametrize("name", ["tpu.yaml", "gpu.yaml"])
def test_what_is_preempted_runs_again(name):
    manifest = read(name)
    [rule] = manifest["spec"]["failurePolicy"]["rules"]
    assert rule["action"] == "RestartJobSetAndIgnoreMaxRestarts"
    assert rule["onJobFailureReasons"] == ["PodFailurePolicy"]
    for job in manifest["spec"]["replicatedJobs"]:
        status, disruption = job["template"]["spec"]["podFailurePolicy"]["rules"]
        assert status["onExitCodes"]["values"] == [EXIT_CODE]
        assert disruption["onPodConditions"] == [
            {"type": "DisruptionTarget", "status": "True"}]
        # A teacher begins again alone; hosts that work together do so together.
        wanted = "Ignore" if job["name"] == "teachers" else "FailJob"
        assert status["action"] == disruption["action"] == wanted


def test_a_slice_has_as_many_hosts_as_its_chips_need():
    for job in jobs_of(read("tpu.yaml")).values():
        spec = job["template"]["spec"]
        pod = spec["template"]["spec"]
        chips = SLICES[pod["nodeSelector"]["cloud.google.com/gke-tpu-topology"]]
        limits = pod["containers"][0]["resources"]["limits"]
        hosts = 1 if job["name"] == "teachers" else spec["completions"]
        assert limits["google.com/tpu"] * hosts == chips
        assert spec["completions"] == spec["parallelism"]


@pytest.mark.parametrize("index", [0, 1])
def test_gpu_hosts_are_told_where_the_first_one_is(index, tmp_path):
    manifest = read("gpu.yaml")
    name = manifest["metadata"]["name"]
    for job in ("generalist", "student"):
        spec = jobs_of(manifest)[job]["template"]["spec"]
        options = options_of(manifest, job, index, tmp_path / "bin")
        [place] = [re.fullmatch(r"--coordinator=(.+):(\d+)", o) for o in options if "coord" in o]
        assert place[1] == f"{name}-{job}-0-0.{name}"  # As JobSet names its pods.
        ports = spec["template"]["spec"]["containers"][0]["ports"]
        assert int(place[2]) in [port["containerPort"] for port in ports]
        assert {f"--num_processes={spec['completions']}", f"--process_id={index}"} <= options
        assert spec["completions"] == spec["parallelism"]


def test_tpu_hosts_find_each_other(tmp_path):
    for job in ("generalist", "student"):
        assert AUTO < options_of(read("tpu.yaml"), job, 0, tmp_path / "bin")
