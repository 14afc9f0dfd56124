#!/usr/bin/env bash
#SBATCH --job-name=seqgrad
#SBATCH --signal=B:USR1@60
# A run on the hosts of a Slurm job, for Open MPI: sbatch --nodes=4 --ntasks-per-node=1 --cpus-per-task=16 scripts/slurm.sh CONFIG RUN
# A minute before its time is over the run saves and ends; the same command goes on with it. SEQGRAD: the program (build/seqgrad).
set -uo pipefail
run=$2 what=("$1" --run-dir "$2")
if [[ -e $run/run.json ]]; then what=(--resume "$run"); fi
mpirun --bind-to none "${SEQGRAD:-build/seqgrad}" train "${what[@]}" &
launched=$!
trap 'kill -USR1 "$launched"' USR1  # to this script alone (B:), which hands it on
code=0
wait "$launched" || code=$?
while kill -0 "$launched" 2>/dev/null; do  # the signal has ended the wait, not the run
  code=0
  wait "$launched" || code=$?
done
exit "$code"
