#!/usr/bin/env bash
# Submits a whole run to SLURM: the generalist, then a teacher for each vertical as an array job,
# then the rest of the configuration's stages (soft targets, student, evaluation, report). A student
# that learns from labels alone (student.distill_weight of 0) is a job of its own, beside the
# teachers; the rest waits for both.
#
#   python -m kc_jax.prepare --config=configs/folder.py --config.data.directory=/shared/photos \
#     --config.data.prepared=/shared/packed
#   NODES=1 GPUS_PER_NODE=2 launch/slurm/submit.sh --config=configs/folder.py \
#     --config.data.source=packed --config.data.directory=/shared/packed \
#     --workdir=/shared/runs/products
#
# All options are those of `python -m kc_jax.main`; the working directory must lie on a file system
# that all nodes share. Every job ends where the one before it failed. These variables change it:
#
#   NODES=1, GPUS_PER_NODE=8,   of the generalist, of the student and of the rest, a process a GPU
#   CPUS_PER_GPU=8
#   GPUS_PER_TEACHER=1          of each teacher, which one process trains
#   TEACHERS_AT_ONCE=0          so many at most; 0 is no limit
#   VERTICALS                   how many there are. Where unset `describe` is run here, on the login
#                               node, to say it: it packs images that are not packed yet, and trains
#                               a generalist if data.verticals is to be discovered. Where set
#                               nothing runs here, and every student waits for the teachers
#   RESTARTS=100                of a job that was preempted
#   SBATCH_PARTITION, SBATCH_ACCOUNT, SBATCH_TIMELIMIT …   are read by sbatch itself
set -euo pipefail

job=$(dirname "${BASH_SOURCE[0]}")/job.sbatch
nodes=${NODES:-1} gpus=${GPUS_PER_NODE:-8} cpus=${CPUS_PER_GPU:-8}
teacher_gpus=${GPUS_PER_TEACHER:-1} at_once=${TEACHERS_AT_ONCE:-0}

workdir=''
for option in "$@"; do
  case $option in --workdir=?*) workdir=${option#--workdir=} ;; esac
done
if [[ -z $workdir ]]; then
  echo "submit.sh: --workdir=FOLDER is missing; give one that all nodes share" >&2
  exit 2
fi
mkdir -p "$workdir/slurm"

verticals=${VERTICALS:-} learns_from=teachers
if [[ -z $verticals ]]; then
  python -m kc_jax.main "$@" --stages=describe >/dev/null
  said=$(python -c '
import json, sys
names = ("describe.json", "config.json")
description, config = (json.load(open(f"{sys.argv[1]}/{name}")) for name in names)
alone = "train_student" in config["stages"] and not config["student"]["distill_weight"]
print(description["verticals"], "labels" if alone else "teachers")' "$workdir")
  read -r verticals learns_from <<<"$said"
fi
array="0-$((verticals - 1))"
if ((at_once > 0)); then array+="%$at_once"; fi

submit() { # Prints the number of the job.
  local number
  number=$(sbatch --parsable --output="$workdir/slurm/%x-%j.txt" --kill-on-invalid-dep=yes "$@")
  echo "${number%%;*}" # The name of the cluster may follow.
}
many=(--nodes="$nodes" --ntasks-per-node="$gpus" --gpus-per-node="$gpus" --cpus-per-task="$cpus")
one=(--nodes=1 --ntasks=1 --gpus-per-node="$teacher_gpus")
one+=(--cpus-per-task="$((teacher_gpus * cpus))")

generalist=$(submit --job-name=generalist "${many[@]}" "$job" "$@" --stages=train_generalist)
teachers=$(submit --job-name=teachers --array="$array" --dependency="afterok:$generalist" \
  "${one[@]}" "$job" "$@" --stages=train_teachers)
before=$teachers submitted="generalist $generalist, $verticals teachers $teachers"
if [[ $learns_from == labels ]]; then
  student=$(submit --job-name=student --dependency="afterok:$generalist" "${many[@]}" "$job" \
    "$@" --stages=train_student)
  before+=:$student submitted+=", student $student"
fi
rest=$(submit --job-name=rest --dependency="afterok:$before" "${many[@]}" "$job" "$@")
echo "$submitted, rest $rest"
