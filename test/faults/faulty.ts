import { fork, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { bringBuildUpToDate } from '../support/build.ts';

/** A run of a second, with MLflow's spool. */
export const faultyConfig = ({
  name,
  workers = 0,
  epochs = 2,
  plugins = '{ use: mixup }, { use: mlflow, every: 1 }',
}: {
  name: string;
  workers?: number;
  epochs?: number;
  plugins?: string;
}): string => `name: ${name}
data: { name: blobs, ratio: 4, options: { samples: 40 }, workers: ${workers} }
model: { name: mlp, width: 2 }
train: { epochs: ${epochs}, batchSize: 32, step: eager }
plugins: [${plugins}]
`;

/** Calls that change a disk, and those that read it, as bits of the shim. */
const KINDS = {
  open: 1,
  write: 2,
  sync: 4,
  rename: 8,
  link: 16,
  mkdir: 32,
  read: 64,
  openToRead: 128,
  remove: 256,
  openToWrite: 512,
};
const CHANGES = KINDS.open | KINDS.write | KINDS.sync | KINDS.rename | KINDS.link | KINDS.mkdir;
const READS = KINDS.read | KINDS.openToRead;
/** What a folder refuses that is read-only: opening, not writing to what is open. */
const BY_NAME = CHANGES | KINDS.remove | KINDS.openToWrite;
const MASKS = { changes: CHANGES, reads: READS, byName: BY_NAME & ~(KINDS.write | KINDS.sync), all: BY_NAME | READS };

/** What fails in a command. */
export interface Fault {
  /** Absolute; calls on files below it count. */
  folder: string;
  /** Number of the call that fails, from 1; 0: none. */
  at: number;
  /** `vanish`: the folder is moved to `<folder>.gone` before the call, and nothing else fails. */
  error: 'ENOSPC' | 'EIO' | 'EROFS' | 'EACCES' | 'vanish';
  /** All that follow fail too. Default: true. */
  lasting?: boolean;
  /** Default: `changes`. */
  calls?: keyof typeof MASKS;
}

/** What became of a command. */
export interface Outcome {
  code: number;
  stderr: string;
  stdout: string;
  /** Calls that counted. */
  seen: number;
  failed: number;
  /** What failed first, as `write /metrics.jsonl`. */
  first: string;
}

/** A process whose system calls fail when a test wants them to. */
export interface Faulty {
  /** Runs a command of tailmix, with a fault or none. */
  run(args: readonly string[], fault?: Fault): Promise<Outcome>;
  /** Sets the clock of the process back, by seconds of the true time. */
  setBack(seconds: number): void;
  stop(): void;
}

/** The compiled shim; null, with a line on the console, where there is none. */
export function compileShim(what: string): string | null {
  const source = resolve('test/faults/shim.c');
  const folder = resolve('node_modules/.cache');
  const hash = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16);
  const shim = join(folder, `faults-${hash}.so`);
  if (existsSync(shim)) return shim;
  const made = `${shim}.${process.pid}`;
  mkdirSync(folder, { recursive: true });
  const flags = ['-shared', '-fPIC', '-O1', '-o', made, source, '-ldl'];
  if (process.platform === 'linux' && spawnSync(process.env.CC || 'cc', flags, { stdio: 'inherit' }).status === 0) {
    renameSync(made, shim);
    return shim;
  }
  console.warn(`SKIPPED: ${what}; that takes Linux and a C compiler.`);
  return null;
}

const FOLDER_AT = 32;
const FIRST_AT = FOLDER_AT + 992;
const BYTES = FIRST_AT + 1024;

/** Starts a process in a folder, below a shim. */
export async function startFaulty(folder: string, shim: string, env: NodeJS.ProcessEnv = {}): Promise<Faulty> {
  const path = join(folder, 'faults');
  const file = openSync(path, 'w+');
  ftruncateSync(file, BYTES);
  bringBuildUpToDate();
  const child = fork(resolve('test/faults/process.mjs'), [resolve('dist/src/cli/index.js')], {
    cwd: folder,
    env: { ...process.env, TAILMIX_BACKEND: 'wasm', LD_PRELOAD: shim, FAULT_CONTROL: path, ...env },
    execArgv: [],
  });
  await once(child, 'message');

  const write = (bytes: Buffer, at: number): unknown => writeSync(file, bytes, 0, bytes.length, at);
  const arm = ({ folder, at, error, lasting = true, calls = 'changes' }: Fault): void => {
    const head = Buffer.alloc(24);
    const number = error === 'vanish' ? -1 : constants.errno[error];
    for (const [i, value] of [at, Number(lasting), number, MASKS[calls]].entries()) head.writeInt32LE(value, 4 * i);
    const names = Buffer.alloc(BYTES - FOLDER_AT);
    names.write(`${folder}/`);
    write(names, FOLDER_AT);
    write(head, 0);
  };
  const disarm = (): Omit<Outcome, 'code' | 'stderr' | 'stdout'> => {
    const all = Buffer.alloc(BYTES);
    readSync(file, all, 0, BYTES, 0);
    write(Buffer.alloc(24), 0);
    const end = all.indexOf(0, FIRST_AT);
    return { seen: all.readInt32LE(16), failed: all.readInt32LE(20), first: all.toString('utf8', FIRST_AT, end) };
  };
  return {
    run(args, fault) {
      if (fault) arm(fault);
      return new Promise((done, fail) => {
        const died = (code: number | null, signal: string | null): void =>
          fail(new Error(`the process ended with ${code ?? signal}`));
        child.once('exit', died);
        child.once('message', (answer: Pick<Outcome, 'code' | 'stderr' | 'stdout'>) => {
          child.off('exit', died);
          done({ ...answer, ...disarm() });
        });
        child.send(args);
      });
    },
    setBack(seconds) {
      const back = Buffer.alloc(8);
      back.writeBigInt64LE(BigInt(seconds));
      write(back, 24);
    },
    stop() {
      child.kill();
      closeSync(file);
    },
  };
}
