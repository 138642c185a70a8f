import { join } from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { killRuns, type Trial } from './driver.ts';
import { settings } from './settings.ts';

const names = Object.keys(settings);
/** Kills in all; `TAILMIX_KILLS=1000` for more. */
const kills = Number(process.env.TAILMIX_KILLS || 150);

test.each(names)(
  'runs of %s that were killed end as the one that nobody killed',
  { timeout: 3_600_000 },
  async (name) => {
    const trials: Trial[] = [];
    const options = { kills: Math.ceil(kills / names.length), seed: 0 };
    for await (const trial of killRuns(join(await temporaryFolder(), name), name, options)) trials.push(trial);
    for (const trial of trials) console.log(`${name}: killed ${trial.kills.join(', ') || 'never'}`);
    expect(trials.flatMap(({ kills }) => kills).length).toBeGreaterThanOrEqual(Math.ceil(kills / names.length) / 2);
    expect(trials.filter(({ differences }) => differences.length > 0)).toEqual([]);
  },
);
