import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { expect, test, vi } from 'vitest';
import { randomStream } from '../../src/random.ts';
import { ended } from '../cli/run.ts';
import { digits, local, resultOf, train, whenSaid, whyNoCluster } from './support.ts';

/** How many ranks are killed, stopped or asked to end, at random moments. */
const COUNT = Number(process.env.TAILMIX_CLUSTER_KILLS ?? 0);
const PROCESSES = 4;
const EPOCHS = 12;

vi.setConfig({ testTimeout: 600_000 + 300_000 * COUNT });

if (whyNoCluster !== null) console.warn(`SKIPPED: random kills of ranks, ${whyNoCluster}`);
else if (COUNT === 0) console.warn('SKIPPED: random kills of ranks, they take minutes: set TAILMIX_CLUSTER_KILLS=20');

/** What a rank meets, and how all end: exit code, and what is said of the others. */
const FAULTS = [
  ['SIGKILL', 75, (rank: number) => `rank ${rank} \\(\\S+\\) is gone`],
  ['SIGSTOP', 75, (rank: number) => `rank ${rank} \\(\\S+\\) does not answer`],
  ['SIGTERM', 130, () => ''],
] as const;

test.skipIf(whyNoCluster !== null || COUNT === 0)(
  `${COUNT} times a rank of four fails: all end with the message, go on, and leave the run that nobody disturbed`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tailmix-kills-'));
    await writeFile(join(folder, 'run.yaml'), digits(EPOCHS, PROCESSES));
    expect((await ended(train(folder, 'run.yaml', '--out', 'one'))).code).toBe(0);
    const undisturbed = await resultOf(join(folder, 'one'));
    const random = randomStream('kills of ranks', Number(process.env.TAILMIX_CLUSTER_SEED ?? 0));
    const once = (out: string) => train(folder, 'run.yaml', '--out', out, ...local(PROCESSES));
    let runs = 1;
    for (let done = 0; done < COUNT; ) {
      const [signal, code, said] = FAULTS[done % FAULTS.length]!;
      const rank = random.integer(PROCESSES);
      const pause = 3000 * random.uniform();
      const child = once(`run-${runs}`);
      let isMet = false;
      whenSaid(child, /epoch \d+\//, (pid) => {
        const victim = pid(rank);
        setTimeout(() => {
          if (child.exitCode !== null) return;
          isMet = true;
          process.kill(victim, signal);
        }, pause);
      });
      const result = await ended(child);
      const what = `${done + 1}: ${signal} of rank ${rank} after ${Math.round(pause)} ms`;
      if (result.code === 0) {
        // The run was over first: the next one is disturbed.
        expect(await resultOf(join(folder, `run-${runs}`)), what).toEqual(undisturbed);
        runs++;
        continue;
      }
      expect(isMet, `${what}: ${result.stderr}`).toBe(true);
      expect(result.code, `${what}: ${result.stderr}`).toBe(code);
      expect(result.stderr, what).toMatch(new RegExp(said(rank)));
      if (code === 130) {
        const summary = JSON.parse(await readFile(join(folder, `run-${runs}`, 'summary.json'), 'utf8')) as object;
        expect(summary, what).toMatchObject({ status: 'stopped' });
      }
      console.info(what);
      done++;
    }
    const last = await ended(once(`run-${runs}`));
    expect(last.code, last.stderr).toBe(0);
    expect(await resultOf(join(folder, `run-${runs}`))).toEqual(undisturbed);
    console.info(
      `${COUNT} of ${COUNT} ended with the message; ${runs} of ${runs} runs are the undisturbed one to the bit`,
    );
    await rm(folder, { recursive: true, force: true });
  },
);
