import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

/** Why no Slurm can be started here; null where one can. */
export const whyNoSlurm: string | null =
  process.getuid?.() !== 0
    ? 'it is started as root'
    : ['slurmctld', 'slurmd', 'munged', 'sbatch'].every(has)
      ? null
      : 'Debian’s slurm-wlm and munge are not installed';

/** A Slurm of two nodes of two cores, all on this machine. */
export interface SlurmOfTest {
  /** For commands. */
  env: NodeJS.ProcessEnv;
  command(program: string, ...args: string[]): string;
  startNode(name: string): void;
  /** Ends a node as a power cut does: its slurmd and all that runs there. */
  cutNode(name: string): void;
  stop(): void;
}

/** Starts it in a folder of its own, without systemd and accounting. A requeued job begins again after seconds, not after two minutes. */
export function startSlurm(folder: string, variables: NodeJS.ProcessEnv = process.env): SlurmOfTest {
  for (const name of ['state', 'spool-n1', 'spool-n2', 'log', 'munge']) mkdirSync(join(folder, name), { mode: 0o700 });
  const inMunge = (name: string): string => join(folder, 'munge', name);
  writeFileSync(inMunge('key'), randomBytes(1024), { mode: 0o400 });
  const pids = ['key', 'pid', 'log', 'seed'].map((name) => `--${name}-file=${inMunge(name)}`);
  execFileSync('munged', ['--force', `--socket=${inMunge('socket')}`, ...pids]);
  const host = hostname().split('.')[0]!;
  const port = randomInt(20_000, 30_000);
  const path = join(folder, 'slurm.conf');
  const nodes = ['n1', 'n2'].map(
    (name, i) => `NodeName=${name} NodeHostname=${host} NodeAddr=127.0.0.1 Port=${port + 1 + i} CPUs=2 RealMemory=2000`,
  );
  writeFileSync(
    path,
    `${configOf({ folder, host, port })}\n${nodes.join('\n')}\nPartitionName=main Nodes=n1,n2 Default=YES\n`,
  );
  const env = { ...variables, SLURM_CONF: path };
  const command = (program: string, ...args: string[]): string =>
    execFileSync(program, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const startNode = (name: string): void => void execFileSync('slurmd', ['-N', name], { env, stdio: 'ignore' });
  execFileSync('slurmctld', [], { env, stdio: 'ignore' });
  for (const name of ['n1', 'n2']) startNode(name);
  const pidIn = (name: string): number => Number(readFileSync(join(folder, name), 'utf8'));
  return {
    env,
    command,
    startNode,
    cutNode(name) {
      kill(pidIn(`slurmd-${name}.pid`));
      // What one of them had just started is found the next time.
      for (let turn = 0; ; turn++) {
        const left = processesOf(path, name);
        if (left.length === 0) return;
        if (turn === 100) throw new Error(`node ${name}: processes ${left} do not end`);
        for (const pid of left) kill(pid);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
      }
    },
    stop() {
      for (const name of ['n1', 'n2']) for (const pid of processesOf(path, name)) kill(pid);
      for (const name of ['slurmd-n1.pid', 'slurmd-n2.pid', 'slurmctld.pid', 'munge/pid']) {
        try {
          kill(pidIn(name));
        } catch {}
      }
    },
  };
}

const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {}
};

/** Processes of jobs on a node, and those that watch them. */
function processesOf(config: string, node: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const own = pids.filter((pid) => {
    const variables = read(`/proc/${pid}/environ`).split('\0');
    return variables.includes(`SLURM_CONF=${config}`) && variables.includes(`SLURMD_NODENAME=${node}`);
  });
  const parents = own.map((pid) => /^PPid:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? '0');
  const watchers = parents.filter((pid) => read(`/proc/${pid}/cmdline`).startsWith('slurmstepd'));
  return [...watchers, ...own].map(Number);
}

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

const configOf = ({ folder, host, port }: { folder: string; host: string; port: number }): string =>
  `ClusterName=tailmix-test
SlurmctldHost=${host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=${folder}/munge/socket,cred_expire=5
CredType=cred/munge
SlurmctldPort=${port}
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool-%n
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd-%n.pid
SlurmctldLogFile=${folder}/log/slurmctld.log
SlurmdLogFile=${folder}/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,sched_min_interval=500000
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
KillWait=10
MinJobAge=600
ReturnToService=2
SlurmdTimeout=10
SlurmdParameters=config_overrides
PropagateResourceLimits=NONE`;
