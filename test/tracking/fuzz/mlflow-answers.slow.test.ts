import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { createMlflowClient } from '../../../src/tracking/mlflow/client.ts';
import { resolveSettings } from '../../../src/tracking/mlflow/settings.ts';
import { createSender } from '../../../src/tracking/spool/send.ts';
import { type Fault, startFakeMlflow } from '../../support/fake-mlflow.ts';
import { emptyStore, type FakeStore } from '../../support/fake-mlflow-store.ts';
import { spooledRun } from '../../support/spooled-run.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { countVerdicts, fuzzRuns } from '../../support/verdicts.ts';

const COUNT = fuzzRuns(150);

/** What no MLflow says: a proxy's pages, JSON of another kind, bytes. */
const texts = fc.oneof(
  fc.constantFrom(
    '',
    '<html>Bad gateway</html>',
    'null',
    '[]',
    '"ok"',
    '{',
    '{"error_code": 5}',
    '\0\xff',
    '{"message":{}}',
  ),
  fc.string({ maxLength: 40 }),
);
const types = fc.constantFrom('application/json', 'text/html', 'application/octet-stream', '');
/** Statuses of servers and proxies that are busy, away, or let nobody in; with an answer that is not MLflow's. */
const statuses = fc.constantFrom(200, 201, 204, 206, 302, 401, 403, 404, 408, 409, 418, 429, 500, 502, 503, 504, 599);
const faults: fc.Arbitrary<Fault | undefined> = fc.oneof(
  { weight: 8, arbitrary: fc.constant(undefined) },
  { weight: 3, arbitrary: fc.constantFrom<Fault>('lost', 'reset', 'cut') },
  { weight: 4, arbitrary: fc.record({ status: statuses, text: texts, type: types }) },
  { weight: 2, arbitrary: fc.record({ instead: fc.record({ status: statuses, text: texts, type: types }) }) },
  { weight: 1, arbitrary: fc.record({ slowMs: fc.constantFrom(1, 20) }) },
);

/** Whether a call that was not carried out would be answered as one that was: nobody could tell. */
function isLie(name: string, fault: Fault | undefined): boolean {
  if (typeof fault !== 'object' || !('status' in fault) || fault.status >= 300) return false;
  const { status, text = '' } = fault;
  return /^\s*\{/.test(text) || (name.startsWith('PUT') && (text === '' || status === 204));
}

/** What the server has, without the ids that it chose. */
function stored({ experiments, runs, models, artifacts }: FakeStore) {
  const ids = [...runs.keys(), ...models.keys()];
  const content = {
    experiments: experiments.map(({ name }) => name),
    runs: [...runs.values()]
      .filter(({ stage }) => stage === 'active')
      .map(({ params, tags, inputs, outputs, ...run }) => ({ ...run, params: [...params], tags: [...tags] })),
    /** Which a server that is none may be spared, and that is told. */
    optional: { models: models.size, artifacts: [...artifacts.keys()].sort() },
  };
  return JSON.parse(ids.reduce((text, id) => text.replaceAll(id, 'ID'), JSON.stringify(content))) as {
    runs: { points: unknown[]; status: string; endTime: number }[];
    optional: { models: number; artifacts: string[] };
  };
}

it(`${COUNT} times, a server that answers at random in its first calls has each point once, and the run's end`, {
  timeout: 600_000,
}, async () => {
  const fake = await startFakeMlflow();
  const settings = { ...resolveSettings(fake.url, {}, '/nowhere'), retries: 0, timeout: 2000 };
  const client = createMlflowClient(settings);
  onTestFinished(async () => {
    await client.close();
    await fake.stop();
  });
  const send = async (list: (Fault | undefined)[]) => {
    const directory = await temporaryFolder();
    await spooledRun(directory);
    fake.store = emptyStore();
    let calls = 0;
    fake.fault = ({ name }) => {
      const fault = list[calls++];
      return isLie(name, fault) ? undefined : fault;
    };
    const remarks: string[] = [];
    const errors: unknown[] = [];
    // A sender of its own each time, as after a kill.
    for (let tries = 0; tries <= list.length; tries++) {
      const sender = createSender(directory, { client, onRemark: (remark) => remarks.push(remark) });
      const error = await sender.send().then(
        () => null,
        (reason: unknown) => reason,
      );
      if (error === null) return { errors, remarks, after: stored(fake.store) };
      errors.push(error);
    }
    throw errors.at(-1);
  };
  const { after: whole } = await send([]);
  expect(whole.runs).toMatchObject([{ status: 'FINISHED', endTime: 9000 }]);
  expect(whole.runs[0]!.points).toHaveLength(5);
  const verdicts = countVerdicts('answers at random');
  await fc.assert(
    fc.asyncProperty(fc.array(faults, { minLength: 1, maxLength: 25 }), async (list) => {
      const { errors, remarks, after } = await send(list);
      for (const error of errors)
        await verdicts.of('call', () => {
          throw error;
        });
      const { optional, ...told } = after;
      const { optional: all, ...due } = whole;
      expect(told).toEqual(due);
      const isLess = optional.models < all.models || optional.artifacts.length < all.artifacts.length;
      if (isLess) expect(remarks).not.toEqual([]);
      await verdicts.of(isLess ? 'run with a remark' : 'run', () => {});
    }),
    { numRuns: COUNT, seed: 19 },
  );
  verdicts.tell();
});
