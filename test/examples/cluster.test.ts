import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { createProgram } from '../../src/cli/program/program.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** Starts an example with commands of ours in the place of a launcher's; what they are called with is in `calls`. */
async function startWith(
  commands: Readonly<Record<string, string>>,
  [script, ...args]: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ child: ChildProcess; calls(): Promise<string[]> }> {
  const folder = await temporaryFolder();
  for (const [name, code] of Object.entries(commands)) {
    await writeFile(join(folder, name), `#!/bin/bash\necho "${name} $*" >> ${folder}/calls\n${code}\n`);
    await chmod(join(folder, name), 0o755);
  }
  const child = spawn(resolve('examples/cluster', script!), args, {
    env: { ...process.env, PATH: `${folder}:${process.env.PATH}`, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return { child, calls: async () => (await readFile(join(folder, 'calls'), 'utf8')).trim().split('\n') };
}

const TRAIN = 'tailmix train run.yaml --out runs/shared --cluster';
const slurm = { SLURM_JOB_ID: '7', SLURM_CPUS_PER_TASK: '8' };

async function batch(srun: string, env: NodeJS.ProcessEnv = {}, signal?: NodeJS.Signals) {
  const commands = { srun, scontrol: '' };
  const { child, calls } = await startWith(commands, ['slurm.sh', 'run.yaml', 'runs/shared'], { ...slurm, ...env });
  if (signal) child.stdout!.once('data', () => child.kill(signal));
  const [code] = (await once(child, 'close')) as [number];
  return [code, ...(await calls())];
}

test('slurm.sh: a lost process and the time limit are requeued; faults, a cancelled job and the 21st life are not', async () => {
  const step = `srun --kill-on-bad-exit=0 --wait=120 ${TRAIN} --take-over`;
  const untilTerm = 'trap "exit 130" TERM; echo ready; while true; do sleep 0.05; done';
  expect(await batch('exit 0')).toEqual([0, step]);
  expect(await batch('exit 2')).toEqual([2, step]);
  expect(await batch('exit 75')).toEqual([75, step, 'scontrol requeue 7']);
  expect(await batch('exit 137')).toEqual([137, step, 'scontrol requeue 7']);
  expect(await batch('exit 75', { SLURM_RESTART_COUNT: '20' })).toEqual([75, step]);
  expect(await batch(untilTerm, {}, 'SIGUSR1')).toEqual([130, step, 'scontrol requeue 7']);
  expect(await batch(untilTerm, {}, 'SIGTERM')).toEqual([130, step]);
});

test('mpirun.sh starts all again when one is lost', async () => {
  const run = async (mpirun: string) => {
    const { child, calls } = await startWith({ mpirun }, ['mpirun.sh', '2', 'run.yaml', 'runs/shared']);
    const [code] = (await once(child, 'close')) as [number];
    return [code, (await calls()).length, (await calls())[0]];
  };
  const line = `mpirun -n 2 --bind-to none ${TRAIN}`;
  expect(await run('exit 0')).toEqual([0, 1, line]);
  expect(await run('exit 2')).toEqual([2, 1, line]);
  expect(await run('exit 75')).toEqual([75, 5, line]);
});

test('the TFJob’s container is the one that gets TF_CONFIG, and its flags are known', () => {
  const [job, policy] = parseAllDocuments(readFileSync('examples/cluster/kubernetes-tfjob.yaml', 'utf8')).map(
    (document) => document.toJS(),
  );
  const [container] = job.spec.tfReplicaSpecs.Worker.template.spec.containers;
  expect([container.name, container.ports[0].name]).toEqual(['tensorflow', 'tfjob-port']);
  expect(policy.spec.podSelector.matchLabels['training.kubeflow.org/job-name']).toBe(job.metadata.name);
  const train = createProgram(() => {}).commands.find((command) => command.name() === container.command[1])!;
  const known = train.options.map(({ long }) => long);
  for (const flag of container.command.filter((part: string) => part.startsWith('--'))) expect(known).toContain(flag);
});
