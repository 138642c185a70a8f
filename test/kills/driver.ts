import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import sharp from 'sharp';
import { type Random, randomField, randomStream } from '../../src/random.ts';
import { isRun } from '../../src/tracking/run-directory.ts';
import { bringBuildUpToDate } from '../support/build.ts';
import { cifar10Folders } from '../support/cifar10.ts';
import { differences, type Left, leftBy } from './left.ts';
import { type KillSetting, settings } from './settings.ts';

/** When a run is killed. */
export const moments = ['start', 'random', 'checkpoint', 'metrics', 'spool', 'again'] as const;
type Moment = (typeof moments)[number];

/** What became of one run that was killed until it ended. */
export interface Trial {
  setting: string;
  seed: number;
  /** Which run of the setting and seed it is; its kills are drawn from these. */
  run: number;
  kills: readonly Moment[];
  /** What differs from the run that nobody killed. */
  differences: readonly string[];
}

export interface KillOptions {
  /** How many kills, at least. */
  kills: number;
  seed: number;
  /** The first run, 0 unless some were killed before. */
  from?: number;
}

/** A run is killed up to so many times before it is left to end. */
const MOST_KILLS = 8;

/** Kills runs of a setting until it has killed `kills` times; each run is resumed until it ends. */
export async function* killRuns(
  folder: string,
  name: string,
  { kills, seed, from = 0 }: KillOptions,
): AsyncGenerator<Trial> {
  const setting = settings[name];
  if (!setting) throw new Error(`${name} is not a setting; there are ${Object.keys(settings).join(', ')}`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'run.yaml'), `name: ${name}\n${setting.yaml}`);
  if (setting.yaml.includes('root: images') && !existsSync(join(folder, 'images')))
    await makeImages(join(folder, 'images'));
  // The runs take the build as it is.
  bringBuildUpToDate();
  const began = performance.now();
  await finish(folder, setting, 'whole', false);
  const whole = await leftBy(join(folder, 'whole'));
  const seconds = (performance.now() - began) / 1000;
  for (let run = from, done = 0; done < kills; run++) {
    const about = { setting, whole, seconds, atMost: Math.min(MOST_KILLS, kills - done) };
    const killed = await killedRun(folder, about, randomStream(seed, 'kills', name, run));
    yield { setting: name, seed, run, ...killed };
    done += Math.max(1, killed.kills.length);
  }
}

interface Case {
  setting: KillSetting;
  whole: Left;
  /** How long the run takes when it is left alone. */
  seconds: number;
  /** Kills. */
  atMost: number;
}

async function killedRun(
  folder: string,
  { setting, whole, seconds, atMost }: Case,
  random: Random,
): Promise<Pick<Trial, 'kills' | 'differences'>> {
  const directory = join(folder, 'killed');
  await rm(directory, { recursive: true, force: true });
  const kills: Moment[] = [];
  for (let left = Math.min(atMost, 1 + random.integer(MOST_KILLS)); left > 0; left--) {
    const moment = moments[random.integer(moments.length)]!;
    const child = start(folder, setting, 'killed', isRun(directory));
    const ended = endOf(child);
    await Promise.race([ended, comes(moment, directory, seconds, random, () => child.exitCode !== null)]);
    const wasKilled = child.exitCode === null && child.kill('SIGKILL');
    await ended;
    if (!wasKilled || child.signalCode !== 'SIGKILL') break;
    kills.push(moment);
  }
  await finish(folder, setting, 'killed', isRun(directory));
  return { kills, differences: differences(whole, await leftBy(directory)) };
}

/** Resolves at the moment. Files are looked at every millisecond. */
async function comes(
  moment: Moment,
  directory: string,
  seconds: number,
  random: Random,
  isOver: () => boolean,
): Promise<void> {
  if (moment === 'start') return delay(600 * seconds * random.uniform());
  if (moment === 'random') return delay(1000 * seconds * random.uniform());
  if (moment === 'again') return delay(300 * random.uniform());
  const isThere = {
    checkpoint: () => namesIn(join(directory, 'checkpoints')).some((file) => file.endsWith('.unfinished')),
    metrics: changesOf(join(directory, 'metrics.jsonl')),
    spool: changesOf(join(directory, 'mlflow/spool.jsonl')),
  }[moment];
  for (let wanted = 1 + random.integer(3); wanted > 0; wanted--) {
    while (!isThere() && !isOver()) await delay(1);
    if (moment === 'checkpoint' && wanted > 1) while (isThere() && !isOver()) await delay(1);
  }
}

const namesIn = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);

/** Whether a file's size differs from the last time it was asked. */
function changesOf(file: string): () => boolean {
  const sizeNow = (): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  let size = sizeNow();
  return () => {
    const before = size;
    size = sizeNow();
    return size !== before;
  };
}

async function finish(folder: string, setting: KillSetting, out: string, isResumed: boolean): Promise<void> {
  const child = start(folder, setting, out, isResumed);
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const code = await endOf(child);
  if (code !== 0) throw new Error(`${out} of ${folder} ended with ${code}:\n${said}`);
}

const launcher = resolve('bin/tailmix.mjs');

/** A run that is recorded for a server where nobody listens, so that its spool has every point. */
function start(folder: string, { backend }: KillSetting, out: string, isResumed: boolean): ChildProcess {
  const sending = ['plugins.mlflow.every=1', 'plugins.mlflow.patience=0'].flatMap((value) => ['--set', value]);
  const what = isResumed ? ['--resume', out] : ['run.yaml', '--out', out, ...sending];
  return spawn(process.execPath, [launcher, 'train', ...what], {
    cwd: folder,
    env: {
      ...process.env,
      TAILMIX_PREPARED: resolve('.'),
      TAILMIX_BACKEND: backend ?? 'auto',
      MLFLOW_TRACKING_URI: 'http://127.0.0.1:1',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

const endOf = (child: ChildProcess): Promise<number | null> =>
  new Promise((done, fail) => {
    child.once('error', fail);
    child.once('close', (code) => done(code));
  });

/** Two classes of 160 and 32 images for training, 32 each for the test: of CIFAR-10 where it is there, else of noise. */
async function makeImages(folder: string): Promise<void> {
  const cifar = await cifar10Folders();
  for (const [split, counts] of Object.entries({ train: [160, 32], test: [32, 32] }))
    for (const [label, count] of counts.entries()) {
      const own = join(folder, split, `class-${label}`);
      await mkdir(own, { recursive: true });
      if (cifar !== null) {
        const from = join(cifar, split, ['airplane', 'automobile'][label]!);
        for (const name of (await readdir(from)).sort().slice(0, count)) await cp(join(from, name), join(own, name));
        continue;
      }
      const noise = randomField('kills', split, label);
      for (let image = 0; image < count; image++) {
        const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (256 - 64 * label) * noise(image, i));
        await sharp(pixels, { raw: { width: 32, height: 32, channels: 3 } })
          .png()
          .toFile(join(own, `${image}.png`));
      }
    }
}
