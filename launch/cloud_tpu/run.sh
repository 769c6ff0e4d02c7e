#!/usr/bin/env bash
# Runs kc_jax on all hosts of a Cloud TPU slice that is asked for as a queued resource, asks for
# another where it was preempted, and gives it back at the end.
#
#   export NAME=products ZONE=us-west4-a
#   export SETUP='sudo mount -t nfs SERVER:/runs /runs; cd kc_jax && . venv/bin/activate'
#   launch/cloud_tpu/run.sh --config=configs/folder.py --config.data.source=packed \
#     --config.data.directory=/runs/packed --workdir=/runs/products
#
# Options are those of `python -m kc_jax.main`; the working directory must lie on a file system that
# all hosts share. Needs gcloud with a project, and `ssh-add` for slices of several hosts. These
# variables change it:
#
#   NAME, ZONE                             of the slice; needed
#   SETUP                                  what every host does first, in the same shell, each
#                                          time: mounts the folder, gets kc_jax and Python; needed
#   ACCELERATOR_TYPE=v5litepod-16, RUNTIME_VERSION=v2-alpha-tpuv5-lite
#   CAPACITY=--spot                        or --guaranteed, --reserved
#   RESTARTS=100                           of a run that was preempted
#   POLL_SECONDS=30                        between looks at a slice that is not there yet
#   KEEP=0                                 1 leaves the slice, and its costs, where they are
#
#   COORDINATOR=--coordinator=auto         empty where the slice has one host, as for a teacher:
#
#   NAME=teacher3 ACCELERATOR_TYPE=v5litepod-8 COORDINATOR= launch/cloud_tpu/run.sh --config=… \
#     --workdir=… --stages=train_teachers --config.running.vertical=3
set -euo pipefail

for variable in NAME ZONE SETUP; do
  if [[ -z ${!variable:-} ]]; then
    echo "run.sh: the variable $variable is not set; the head of this script says what it is" >&2
    exit 2
  fi
done

resources() { # Does something with the queued resource.
  gcloud compute tpus queued-resources "$1" "$NAME" --zone="$ZONE" "${@:2}"
}

state() { # Prints the state of the queued resource, NONE where there is none.
  resources describe --format='value(state.state)' 2>/dev/null || echo NONE
}

acquire() { # Returns when the slice is there.
  local now
  while now=$(state) && [[ $now != ACTIVE ]]; do
    case $now in
    NONE)
      resources create --node-id="$NAME" "${CAPACITY:---spot}" --quiet \
        --accelerator-type="${ACCELERATOR_TYPE:-v5litepod-16}" \
        --runtime-version="${RUNTIME_VERSION:-v2-alpha-tpuv5-lite}"
      ;;
    SUSPENDED) resources delete --force --quiet ;; # Preempted.
    FAILED)
      resources describe --format='yaml(state)' >&2
      echo "run.sh: the request for $NAME failed, as said above; change it and begin again" >&2
      exit 1
      ;;
    *) sleep "${POLL_SECONDS:-30}" ;;
    esac
  done
}

release() { # Runs at the end, however that comes.
  if [[ ${KEEP:-0} != 0 ]]; then return; fi
  resources delete --force --quiet ||
    echo "run.sh: $NAME could not be deleted; if it is there it goes on costing" >&2
}
trap release EXIT

remote="$SETUP && exec python -m kc_jax.main ${COORDINATOR---coordinator=auto}"
for option in "$@"; do remote+=" $(printf '%q' "$option")"; done

for ((left = ${RESTARTS:-100}; ; left--)); do
  acquire
  status=0
  gcloud compute tpus tpu-vm ssh "$NAME" --zone="$ZONE" --worker=all --command="$remote" ||
    status=$?
  if ((status == 0)); then exit 0; fi
  if ((status != 75)) && [[ $(state) == ACTIVE ]]; then exit "$status"; fi
  if ((left == 0)); then
    echo "run.sh: preempted, and no restart is left; the same command goes on" >&2
    exit 75
  fi
  echo "run.sh: preempted; starting again, $((left - 1)) times left" >&2
done
