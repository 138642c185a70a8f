#!/bin/sh
# One run in several processes of this machine, started by Open MPI:   mpirun.sh 2 run.yaml runs/shared
# train.replicas of the config is a multiple of the number of processes. When one is lost, all are started again.
for life in 1 2 3 4 5; do
  mpirun -n "$1" --bind-to none tailmix train "$2" --out "$3" --cluster
  code=$?
  # 0: finished; 1, 2: a fault of the run or its config; 130: interrupted.
  case $code in 0 | 1 | 2 | 130) break ;; esac
done
exit $code
