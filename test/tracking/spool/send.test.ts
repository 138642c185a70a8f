import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createMlflowClient } from '../../../src/tracking/mlflow/client.ts';
import { resolveSettings } from '../../../src/tracking/mlflow/settings.ts';
import { spoolFiles } from '../../../src/tracking/spool/records.ts';
import { createSender } from '../../../src/tracking/spool/send.ts';
import { type FakeMlflow, type Fault, startFakeMlflow } from '../../support/fake-mlflow.ts';
import { spooledRun, spoolOf, writeRunFile } from '../../support/spooled-run.ts';
import { temporaryFolder } from '../../support/temporary.ts';

async function started() {
  const fake = await startFakeMlflow();
  const settings = { ...resolveSettings(fake.url, {}, '/nowhere'), retries: 0, timeout: 300 };
  const client = createMlflowClient(settings);
  onTestFinished(async () => {
    await client.close();
    await fake.stop();
  });
  const directory = await temporaryFolder();
  const remarks: string[] = [];
  const sender = () => createSender(directory, { client, onRemark: (remark) => remarks.push(remark) });
  return { fake, client, directory, remarks, sender };
}

const onlyRun = ({ store }: FakeMlflow) => {
  expect(store.runs.size).toBe(1);
  return [...store.runs.values()][0]!;
};

/** What the server has of a run, without the ids that it chose. */
function stored(fake: FakeMlflow) {
  const { runId, startTime, endTime, status, name, points, params, tags, inputs, outputs } = onlyRun(fake);
  const ids = new RegExp([runId, ...fake.store.models.keys()].join('|'), 'g');
  const found = {
    run: { name, status, startTime, endTime },
    points,
    params: Object.fromEntries([...params].map(([key, value]) => [key, value.length > 20 ? value.length : value])),
    tags: Object.fromEntries(tags),
    inputs,
    outputs,
    models: [...fake.store.models.values()],
    artifacts: Object.fromEntries([...fake.store.artifacts].map(([path, bytes]) => [path, bytes.toString()])),
  };
  return JSON.parse(JSON.stringify(found).replace(ids, 'ID'));
}

/** Faults of the first calls whose name matches. */
function faults(fake: FakeMlflow, name: RegExp, ...list: Fault[]): void {
  fake.fault = (call) => (name.test(call.name) ? list.shift() : undefined);
}

async function sendUntilDone(send: () => Promise<unknown>): Promise<number> {
  for (let tries = 1; ; tries++) {
    try {
      await send();
      return tries;
    } catch (error) {
      if (tries > 60) throw error;
    }
  }
}

describe('a spool', () => {
  it('becomes a run with everything that it holds', async () => {
    const { fake, directory, sender, remarks } = await started();
    await spooledRun(directory);
    await sender().send();
    expect(remarks).toEqual([]);
    expect(stored(fake)).toMatchSnapshot();
    expect(fake.store.experiments).toMatchObject([{ name: 'digits' }]);
  });

  it('sent again, by the same sender or another, changes nothing; without sent.json neither', async () => {
    const { fake, directory, sender } = await started();
    await spooledRun(directory);
    const first = sender();
    await first.send();
    const before = stored(fake);
    const calls = fake.calls.length;
    await first.send();
    expect(fake.calls).toHaveLength(calls);
    await sender().send();
    expect(fake.calls.slice(calls).map(({ name }) => name)).toEqual(['GET runs/get']);
    await rm(join(directory, spoolFiles.sent));
    await sender().send();
    expect(stored(fake)).toEqual(before);
  });

  it('is sent as it grows', async () => {
    const { fake, directory, sender } = await started();
    const spool = spoolOf(directory);
    onTestFinished(() => spool.close());
    const one = sender();
    await one.send();
    expect(onlyRun(fake).points).toEqual([]);
    for (const step of [1, 2]) {
      spool.metrics(step, { loss: step }, 10 * step);
      await one.send();
      expect(onlyRun(fake).points.at(-1)).toMatchObject({ step, value: step, timestamp: 10 * step });
    }
    const batches = fake.calls.filter(({ name }) => name === 'POST runs/log-batch');
    expect(batches.map(({ body }) => (body.metrics as unknown[]).length)).toEqual([1, 1]);
  });

  it('goes in calls of 1,000 items and 900 KB at most', async () => {
    const { fake, directory, sender } = await started();
    const spool = spoolOf(directory);
    for (let step = 1; step <= 700; step++) spool.metrics(step, { a: step, b: -step, c: 0 });
    spool.params(Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`p${i}`, 'x'.repeat(6000)])));
    spool.close();
    await sender().send();
    const sizes = fake.calls
      .filter(({ name }) => name === 'POST runs/log-batch')
      .map(({ body }) => [body.metrics, body.params].map((list) => (list as unknown[]).length));
    expect(onlyRun(fake).points).toHaveLength(2100);
    expect(onlyRun(fake).params.size).toBe(250);
    for (const [metrics, params] of sizes)
      expect(metrics! <= 1000 && params! <= 100, `${metrics} ${params}`).toBe(true);
    for (const { body } of fake.calls) expect(JSON.stringify(body).length).toBeLessThan(1_000_000);
  });
});

it('tells of its progress within a large file', async () => {
  const { fake, client, directory } = await started();
  await writeRunFile(directory, 'large.bin', 'x'.repeat(3_000_000));
  const spool = spoolOf(directory);
  spool.write({ type: 'artifact', path: 'large.bin', file: 'large.bin' });
  spool.close();
  let told = 0;
  await createSender(directory, { client, onProgress: () => told++ }).send();
  expect(told).toBeGreaterThan(10);
  expect([...fake.store.artifacts.values()].map(({ length }) => length)).toEqual([3_000_000]);
});

describe('whatever fails in passing', () => {
  it.each<[string, Fault]>([
    ['an answer is lost', 'lost'],
    ['a connection breaks', 'reset'],
    ['no answer comes', 'hang'],
    ['it is busy', { status: 503, text: 'no' }],
    ['it sends us away', { status: 429 }],
  ])('each call once: %s. In the end everything is there once', async (_, fault) => {
    const whole = await started();
    await spooledRun(whole.directory);
    await whole.sender().send();

    const { fake, directory, sender } = await started();
    await spooledRun(directory);
    const failed = new Set<string>();
    fake.fault = ({ name, body }) => {
      const call = name + JSON.stringify(body);
      if (failed.has(call)) return undefined;
      failed.add(call);
      return fault;
    };
    const one = sender();
    expect(await sendUntilDone(() => one.send())).toBeGreaterThan(5);
    expect(stored(fake)).toEqual(stored(whole.fake));
  });

  it('a run that a slow server made after all goes away', async () => {
    const { fake, directory, sender } = await started();
    await spooledRun(directory);
    let late = async (): Promise<void> => {};
    fake.fault = (call) => {
      if (call.name !== 'POST runs/create') return undefined;
      fake.fault = () => undefined;
      late = async () => {
        const headers = { 'content-type': 'application/json' };
        await fetch(`${fake.url}/api/2.0/mlflow/runs/create`, {
          method: 'POST',
          headers,
          body: JSON.stringify(call.body),
        });
      };
      return 'hang';
    };
    const one = sender();
    await expect(one.send()).rejects.toMatchObject({ failure: 'unreachable' });
    fake.fault = ({ name }) => {
      if (name !== 'POST runs/log-batch') return undefined;
      fake.fault = () => undefined;
      void late();
      return undefined;
    };
    await one.send();
    const runs = [...fake.store.runs.values()];
    expect(runs.map(({ stage, points }) => [stage, points.length])).toEqual([
      ['active', 5],
      ['deleted', 0],
    ]);
  });

  it('a file that cannot be sent now holds up nothing behind it, and comes later', async () => {
    const { fake, directory, sender } = await started();
    await spooledRun(directory);
    faults(fake, /^PUT .*\d\/\w{32}\/artifacts\/config\.yaml$/, { status: 500 }, { status: 403, text: 'not yours' });
    const one = sender();
    await expect(one.send()).rejects.toMatchObject({ failure: 'auth' });
    expect(stored(fake).artifacts).not.toHaveProperty('1/ID/artifacts/config.yaml');
    expect(onlyRun(fake).status).toBe('FINISHED');
    await one.send();
    expect(stored(fake).artifacts).toMatchObject({ '1/ID/artifacts/config.yaml': 'name: small\n' });
    expect(onlyRun(fake).status).toBe('FINISHED');
  });
});

describe('what a server refuses', () => {
  it('is left out alone, and told', async () => {
    const { fake, directory, sender, remarks } = await started();
    const spool = spoolOf(directory);
    spool.params({ lr: '0.1', batch: '64' });
    spool.metrics(1, { loss: 1 });
    spool.close();
    await sender().send();
    onlyRun(fake).params.set('lr', '0.2');
    await rm(join(directory, spoolFiles.sent));
    await sender().send();
    expect(Object.fromEntries(onlyRun(fake).params)).toEqual({ lr: '0.2', batch: '64' });
    expect(remarks).toHaveLength(1);
    expect(remarks[0]).toMatch(/^param lr was not taken: .*Changing param values is not allowed/);
  });

  it('a file that is gone, a line that cannot be read', async () => {
    const { fake, directory, sender, remarks } = await started();
    await writeRunFile(directory, 'a.txt', 'a');
    const spool = spoolOf(directory);
    spool.write({ type: 'artifact', path: 'a.txt', file: 'a.txt' });
    spool.metrics(1, { loss: 1 });
    spool.close();
    await rm(join(directory, 'a.txt'));
    const path = join(directory, spoolFiles.spool);
    await writeRunFile(directory, spoolFiles.spool, `${await readFile(path, 'utf8')}{"type":"what"}\n`);
    await sender().send();
    expect(onlyRun(fake).points).toHaveLength(1);
    expect(remarks).toMatchObject([
      'a.txt: it is not in the run directory any more, and was not sent.',
      expect.stringMatching(/^a line of the spool cannot be read, and was left out/),
    ]);
  });

  it('a run that was deleted is not made again by itself; one that is unknown is', async () => {
    const { fake, directory, sender } = await started();
    await spooledRun(directory);
    await sender().send();
    const run = onlyRun(fake);
    run.stage = 'deleted';
    await expect(sender().send()).rejects.toMatchObject({ code: 'MLFLOW_RUN_DELETED' });
    fake.store.runs.delete(run.runId);
    await sender().send();
    expect(onlyRun(fake)).toMatchObject({ status: 'FINISHED', points: { length: 5 } });
  });

  it('a run that is deleted meanwhile is noticed', async () => {
    const { fake, directory, sender } = await started();
    const spool = spoolOf(directory);
    onTestFinished(() => spool.close());
    const one = sender();
    await one.send();
    onlyRun(fake).stage = 'deleted';
    spool.metrics(1, { loss: 1 });
    await expect(one.send()).rejects.toMatchObject({ code: 'MLFLOW_RUN_GONE' });
    await expect(one.send()).rejects.toMatchObject({ code: 'MLFLOW_RUN_DELETED' });
    onlyRun(fake).stage = 'active';
    await one.send();
    expect(onlyRun(fake).points).toHaveLength(1);
  });
});

describe('a run that is a part of another', () => {
  it('stands below it, whichever is sent first', async () => {
    const { fake, client, directory } = await started();
    const parent = join(directory, 'sweep');
    spoolOf(parent, { uid: 'whole', name: 'sweep' }).close();
    for (const uid of ['a', 'b']) {
      const child = join(parent, uid);
      spoolOf(child, { uid, parent: { uid: 'whole', directory: '..' } }).close();
      await createSender(child, { client }).send();
    }
    await createSender(parent, { client }).send();
    const runs = [...fake.store.runs.values()];
    const whole = runs.find(({ name }) => name === 'sweep')!;
    expect(runs.map(({ tags }) => [tags.get('tailmix.uid'), tags.get('mlflow.parentRunId')])).toEqual([
      ['whole', undefined],
      ['a', whole.runId],
      ['b', whole.runId],
    ]);
  });
});
