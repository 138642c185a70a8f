import { join } from 'node:path';
import process from 'node:process';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { diagnose } from '../../src/backend/doctor.ts';
import { wantedThreads } from '../../src/backend/environment.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { whyNotNative } from '../../src/backend/native.ts';
import { currentPlatform, whyUnsupported } from '../../src/backend/platform.ts';
import { plan } from '../../src/cli/plan.ts';
import { sweep } from '../../src/cli/sweep.ts';
import { train } from '../../src/cli/train.ts';
import { tf } from '../../src/tf.ts';
import { messageOfError } from '../support/message.ts';

const unsupported = whyUnsupported(currentPlatform());
const why = unsupported ?? 'it is not set up; run `tailmix setup`.';

beforeEach(() => {
  vi.stubEnv('TAILMIX_CACHE', '/nowhere/tailmix');
  vi.stubEnv('TAILMIX_BACKEND', undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

test('WASM serves, and says why', async () => {
  const backend = await loadBackend();
  expect(backend).toEqual({ name: 'wasm', tensorflow: null, threads: 1, reason: `native is not available: ${why}` });
  expect(tf.getBackend()).toBe('wasm');
  expect([...tf.matMul(tf.ones([2, 3]), tf.ones([3, 2])).dataSync()]).toEqual([3, 3, 3, 3]);
  expect(await loadBackend('wasm')).toBe(await loadBackend('wasm'));
});

test('a backend that was asked for by name is not replaced silently', async () => {
  const message = `Backend native was requested and is not available: ${why}`;
  expect(await messageOfError(() => loadBackend('native'))).toBe(message);
  vi.stubEnv('TAILMIX_BACKEND', 'native');
  expect(await messageOfError(() => loadBackend())).toBe(message);
});

test('a backend that does not exist', async () => {
  vi.stubEnv('TAILMIX_BACKEND', 'cuda');
  expect(await messageOfError(() => loadBackend())).toMatchInlineSnapshot(
    `"TAILMIX_BACKEND: expected auto, native, native-gpu or wasm, got "cuda"."`,
  );
  expect(await messageOfError(() => loadBackend('gpu' as 'wasm'))).toMatchInlineSnapshot(
    `"backend: expected auto, native, native-gpu or wasm, got "gpu"."`,
  );
});

test('threads', async () => {
  expect(wantedThreads({ TAILMIX_THREADS: '3', TF_NUM_INTRAOP_THREADS: '5' })).toBe(3);
  expect(wantedThreads({ TF_NUM_INTRAOP_THREADS: '5' })).toBe(5);
  expect(wantedThreads({})).toBeGreaterThan(0);
  expect(wantedThreads({ TAILMIX_THREADS: '1024' })).toBe(1024);
  for (const refused of ['0', '-1', '1.5', '1025', '99999999999999999999'])
    expect(() => wantedThreads({ TAILMIX_THREADS: refused })).toThrow(`from 1 to 1024, got "${refused}"`);
  expect(await messageOfError(() => wantedThreads({ TAILMIX_THREADS: 'all' }))).toMatchInlineSnapshot(
    `"TAILMIX_THREADS (or TF_NUM_INTRAOP_THREADS): expected a whole number from 1 to 1024, got "all"."`,
  );
});

test.each(['auto', 'native', 'wasm'] as const)('threads that are no number are refused by %s too', async (backend) => {
  vi.stubEnv('TAILMIX_THREADS', 'abc');
  expect(await messageOfError(() => loadBackend(backend))).toBe(
    'TAILMIX_THREADS (or TF_NUM_INTRAOP_THREADS): expected a whole number from 1 to 1024, got "abc".',
  );
});

test.each(['auto', 'wasm'] as const)('an unknown TAILMIX_OPS is refused by %s', async (backend) => {
  vi.stubEnv('TAILMIX_OPS', 'avx-512');
  expect(await messageOfError(() => loadBackend(backend))).toBe(
    'TAILMIX_OPS: expected 0, avx2, avx512 or neon, got "avx-512".',
  );
});

test('a plan refuses what the environment says wrong, before anything is read', async () => {
  vi.stubEnv('TAILMIX_THREADS', 'abc');
  for (const command of [plan, train, sweep]) {
    await expect(command(['nothing.yaml'], {})).rejects.toMatchObject({ code: 'THREADS', exitCode: 2 });
  }
});

test('doctor reports WASM with the cure for each problem', async () => {
  vi.stubEnv('PATH', '/nowhere');
  vi.stubEnv('npm_execpath', undefined);
  vi.stubEnv('CXX', undefined);
  vi.stubEnv('MLFLOW_TRACKING_PASSWORD', 'secret');
  const { findings, backend, versions, machine, environment } = await diagnose();
  expect(versions).toMatchObject({
    tailmix: '0.1.0',
    node: process.versions.node,
    sharp: expect.stringMatching(/^\d/),
  });
  expect(versions['@tensorflow/tfjs']).toBe('4.22.0');
  expect(machine.memory).toBeGreaterThan(machine.freeMemory);
  expect(environment).toMatchObject({ TAILMIX_CACHE: '/nowhere/tailmix' });
  expect(JSON.stringify(environment)).not.toContain('secret');
  expect(backend?.name).toBe('wasm');
  const notes = findings.filter(({ status }) => status !== 'ok').map(({ name, value, cure }) => [name, value, cure]);
  expect(notes).toEqual([
    ['npm', 'not found', 'install npm; `tailmix setup` needs it'],
    ['backend', `wasm, 1 thread (native is not available: ${why})`, 'see the line "native build"'],
    ['native build', `not available: ${why}`, undefined],
    ['compiler', expect.stringContaining('no C++ compiler was found'), undefined],
  ]);
});

test('in a worker thread, TensorFlow is not tried', async () => {
  expect(whyNotNative('native')).toBe(why);
  const jiti = join(import.meta.dirname, '../../node_modules/jiti/lib/jiti.mjs');
  const module = join(import.meta.dirname, '../../src/backend/native.ts');
  const code = `import(${JSON.stringify(jiti)}).then(async ({ createJiti }) => {
    const { whyNotNative } = await createJiti(${JSON.stringify(module)}).import(${JSON.stringify(module)});
    require('node:worker_threads').parentPort.postMessage(whyNotNative('native'));
  })`;
  const worker = new Worker(code, { eval: true });
  const answer = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  expect(answer).toMatchInlineSnapshot(`"TensorFlow loads in the main thread only."`);
  await worker.terminate();
});
