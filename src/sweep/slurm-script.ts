import { shellWord } from '../util/shell-word.ts';

/** What the jobs of a sweep have in common. */
export interface SlurmSettings {
  /** Of the sweep. */
  name: string;
  /** Words that start tailmix. */
  command: readonly string[];
  /** Folder of the runs, absolute. */
  out: string;
  /** Folder of the logs, absolute. */
  logs: string;
  /** Threads of a run, and cores of its job. */
  threads: number;
  partition?: string | undefined;
  time?: string | undefined;
  /** Nodes of a run: a process on each. */
  nodes: number;
  /** Words behind the command of a run. */
  flags: readonly string[];
  /** Jobs at once. */
  max?: number | undefined;
  /** Further options of `sbatch`, as on its command line. */
  sbatch?: string | undefined;
}

/** How often a run is begun or resumed before somebody has to look at it. */
const LIVES = 20;

/** Seconds before the time limit at which a run is asked to stop. */
const NOTICE = 120;

/** Of a run on several nodes: a process or a node is gone, and the others have ended. */
const LOST = `# 0: finished; 1, 2: a fault of the run or its config; 130, 143: it was stopped. Else a process was lost, and all begin again.
lost=
case "$code" in 0 | 1 | 2 | 130 | 143) ;; *) [ -n "$cancelled" ] || { lost=1 again=1; } ;; esac

`;

const directives = (lines: readonly (string | null)[]): string =>
  lines.flatMap((line) => (line === null ? [] : [`#SBATCH ${line}`])).join('\n');

const shared = ({ threads, partition, time, sbatch }: SlurmSettings): (string | null)[] => [
  `--cpus-per-task=${threads}`,
  partition === undefined ? null : `--partition=${partition}`,
  time === undefined ? null : `--time=${time}`,
  sbatch || null,
];

/** The batch script of a job array with a task for each run. */
export function arrayScript(settings: SlurmSettings, ids: readonly string[]): string {
  const { name, command, out, logs, max, nodes, flags, threads } = settings;
  const limit = max === undefined ? '' : `%${max}`;
  return `#!/bin/bash
${directives([
  `--job-name=tailmix-${name}`,
  `--array=0-${ids.length - 1}${limit}`,
  ...shared(settings),
  ...(nodes > 1 ? [`--nodes=${nodes}`, '--ntasks-per-node=1'] : []),
  `--signal=B:USR1@${NOTICE}`,
  '--requeue',
  '--open-mode=append',
  `--output="${logs}/%A_%a.log"`,
])}
runs=(
${ids.map((id) => `  ${shellWord(id)}`).join('\n')}
)
run=\${runs[SLURM_ARRAY_TASK_ID]}
life=$((\${SLURM_RESTART_COUNT:-0} + 1))
echo "$run: life $life of ${LIVES}, job \${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID on $SLURMD_NODENAME"

# Slurm sends USR1 to this script alone, before the time limit: the run stops after a step, and the job is queued again.
# It sends TERM to every process of a job that is cancelled: that job is not queued again.
child= again= heard=${nodes > 1 ? ' cancelled=' : ''}
trap 'heard=1 again=1; [ -z "$child" ] || kill -TERM "$child"' USR1
trap 'heard=1 again=${nodes > 1 ? ' cancelled=1' : ''}' TERM

${nodes > 1 ? `srun --cpus-per-task=${threads} --kill-on-bad-exit=0 --wait=120 ` : ''}${[...command, 'sweep', '--out', out].map(shellWord).join(' ')} --run "$run"${flags.map((flag) => ` ${flag}`).join('')} &
child=$!
[ -z "$again" ] || kill -TERM "$child"
code=1
while :; do
  heard=
  wait "$child"
  now=$?
  # 127: the last turn has its exit code.
  [ "$now" = 127 ] || code=$now
  [ -n "$heard" ] || break
done

${nodes > 1 ? LOST : ''}if [ -n "$again" ] && { [ "$code" = 130 ] || [ "$code" = 143 ]${nodes > 1 ? ' || [ -n "$lost" ]' : ''}; }; then
  if [ "$life" -ge ${LIVES} ]; then
    echo "$run: not finished in ${LIVES} lives. The same tailmix command submits it again."
    exit 1
  fi
  if scontrol requeue "\${SLURM_ARRAY_JOB_ID}_\${SLURM_ARRAY_TASK_ID}"; then
    # Slurm ends this life.
    sleep 60
    exit 0
  fi
  echo "$run: Slurm does not queue the job again. The same tailmix command submits it again."
  exit 75
fi
exit "$code"
`;
}

/** The batch script of the job that writes the report in the end. */
export function reportScript(settings: SlurmSettings): string {
  const { name, command, out, logs } = settings;
  return `#!/bin/bash
${directives([`--job-name=tailmix-${name}-report`, ...shared(settings), `--output="${logs}/report-%j.log"`])}
exec ${command.map(shellWord).join(' ')} sweep --out ${shellWord(out)} --status --report
`;
}
