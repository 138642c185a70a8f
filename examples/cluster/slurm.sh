#!/bin/bash
# One run on two machines of a Slurm cluster:   sbatch slurm.sh run.yaml runs/shared
# train.replicas of the config is a multiple of the number of tasks. Config, data and the run's folder are on a shared disk.
#SBATCH --job-name=tailmix
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@120

# The number of threads decides the last bits of a run.
export TAILMIX_THREADS=$SLURM_CPUS_PER_TASK
# Since Slurm 22.05, srun does not take it from the batch script by itself.
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK

# The time limit is near (USR1): all processes end after the same step. A job that was cancelled (TERM) stays so.
again=0
trap 'again=1; end' USR1
trap 'cancelled=1; end' TERM
end() { [ -z "$step" ] || kill -TERM "$step" 2>/dev/null; }

srun --kill-on-bad-exit=0 --wait=120 tailmix train "$1" --out "$2" --cluster --take-over &
step=$!
# A signal may have come before there was anything to end.
[ "$again$cancelled" = 0 ] || end

wait $step
code=$?
while kill -0 $step 2>/dev/null; do
  wait $step
  code=$?
done
# 0: finished; 1, 2: a fault of the run or its config; 75 and signals: a process was lost, and the same command goes on.
case $code in 0 | 1 | 2 | 130) ;; *) again=1 ;; esac
if [ "$again" = 1 ] && [ -z "$cancelled" ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 20 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
