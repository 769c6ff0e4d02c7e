#!/usr/bin/env bash
# Submits a whole run to SLURM: the generalist, then a teacher for each vertical as an array job,
# then the other stages of the configuration (soft targets, student, evaluation, report).
#
#   launch/slurm/submit.sh --config=configs/eft.py:paper --workdir=/shared/runs/paper
#
# All options are those of `python -m kc_jax.main`; the working directory must lie on a file system
# that all nodes share. Every job ends where the one before it failed. These variables change it:
#
#   NODES=1, GPUS_PER_NODE=8, CPUS_PER_GPU=8   of the generalist and of the student, a process a GPU
#   GPUS_PER_TEACHER=1                          of each teacher, which one process trains
#   TEACHERS_AT_ONCE=0                          so many at most; 0 is no limit
#   VERTICALS                                   how many there are; asked of `describe` where unset, which first
#                                               trains a generalist here if data.verticals is to be discovered
#   RESTARTS=100                                of a job that was preempted
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

verticals=${VERTICALS:-}
if [[ -z $verticals ]]; then
  python -m kc_jax.main "$@" --stages=describe >/dev/null
  verticals=$(python -c 'import json, sys; print(json.load(open(sys.argv[1]))["verticals"])' \
    "$workdir/describe.json")
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
student=$(submit --job-name=student --dependency="afterok:$teachers" "${many[@]}" "$job" "$@")
echo "generalist $generalist, $verticals teachers $teachers, student $student"
