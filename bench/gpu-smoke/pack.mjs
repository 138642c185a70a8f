// npm run build && node bench/gpu-smoke/pack.mjs FOLDER: a folder below 60 MB that `gpu-smoke.sh` runs in, on a machine with a GPU and Node
// and without TensorFlow, compiler and network. It holds tailmix as it is built, its dependencies but those of reports, the module that opens
// plugins, recordings, and what TensorFlow computes of them on this machine's processor.
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { createJiti } from 'jiti';
import { DEVICE_CASES, STEADY_CASE, TRAINING } from '../support/device-cases.mjs';

// Sources, as tests have them: the cases of ops are part of those.
const source = (file) => createJiti(import.meta.url).import(`../../${file}`);
const [{ registry }, { loadBackend }, { nativeFolder }, { pjrtModulePath }] = await Promise.all(
  ['plugins/index.ts', 'src/backend/load.ts', 'src/backend/paths.ts', 'src/backend/pjrt-module.ts'].map(source),
);
const [{ recordStepBench }, { writeRecordings }, { createRecordedCalls }, { createEagerEngine }] = await Promise.all(
  ['src/bench/step.ts', 'src/graph/index.ts', 'src/graph/recorded-calls.ts', 'src/step/eager.ts'].map(source),
);
const [{ cases }, { programOfCase, values }] = await Promise.all(
  ['test/graph/op-cases.ts', 'test/graph/op-program.ts'].map(source),
);

const root = fileURLToPath(new URL('../..', import.meta.url));
const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('pack.mjs: expected the folder to make');
if (existsSync(folder)) throw new Error(`pack.mjs: ${folder} is there already: remove it, or name another`);

/** What the folder has of this checkout. */
const FILES = [
  ...['assets', 'bin', 'dist', 'native', 'configs/digits', 'configs/schema.json', 'LICENSE', 'NOTICE', 'package.json'],
  ...['bench/device.mjs', 'bench/tailmix-step.mjs', 'bench/pytorch_step.py', 'bench/jax_step.py'],
  ...['test/reference/models.py', 'test/reference/noise.py'],
  ...['bench/gpu-smoke/run.mjs', 'bench/gpu-smoke/ops.mjs', 'bench/gpu-smoke/steady.mjs'],
  ...['peer', 'report', 'step-case', 'device-cases'].map((name) => `bench/support/${name}.mjs`),
];
/** Dependencies that only draw reports. */
const REPORTS = new Set(['vega', 'vega-lite']);
/** What no process reads: types, maps, pages. */
const isUsed = (file) => !/\.(map|d\.[cm]?ts|md)$/.test(file);

for (const file of FILES) cpSync(join(root, file), join(folder, file), { recursive: true, filter: isUsed });
copyFileSync(join(root, 'bench/gpu-smoke.sh'), join(folder, 'gpu-smoke.sh'));
for (const at of dependenciesOf(root))
  cpSync(at, join(folder, at.slice(root.length)), { recursive: true, filter: isUsed });
const module = pjrtModulePath();
const cache = join(folder, 'cache', basename(nativeFolder('native')), 'lib');
mkdirSync(cache, { recursive: true });
copyFileSync(module, join(cache, basename(module)));

const recordings = join(folder, 'recordings');
mkdirSync(recordings);
const backend = await loadBackend('native');
const plugins = await Promise.all(['mixup', 'remix'].map(async (name) => (await registry[name]()).default()));
for (const { name, model, batch, size, precision, classes = 10 } of [...DEVICE_CASES, STEADY_CASE]) {
  const bench = { model, batch, imageSize: size, classes, precision, step: 'captured', plugins };
  const kept = await recordStepBench(bench);
  writeFileSync(join(recordings, `${name}.recording`), writeRecordings(kept));
}

const calls = [];
const ops = [];
for (const [name, op] of Object.entries(cases)) {
  const program = programOfCase(op);
  const [signature] = program.signatures;
  const expected = createEagerEngine(program).run(signature, values);
  const { recorded } = createRecordedCalls(program, backend.binding, {}).add(signature);
  calls.push([{ signature: signature, recording: recorded }]);
  ops.push({ name, expected: Object.fromEntries(Object.entries(expected).map(([key, array]) => [key, [...array]])) });
}
writeFileSync(join(recordings, 'ops.recording'), writeRecordings({ facts: {}, programs: calls }));
// NaN and infinity have no number in JSON.
const text = (_, value) => (typeof value === 'number' && !Number.isFinite(value) ? String(value) : value);
const inputs = Object.fromEntries(Object.entries(values).map(([name, array]) => [name, [...array]]));
writeFileSync(join(recordings, 'ops.json'), JSON.stringify({ inputs, ops }, text));

const tailmix = (...args) =>
  void execFileSync(process.execPath, [join(root, 'bin/tailmix.mjs'), ...args], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, TAILMIX_PROGRESS: 'none' },
  });
tailmix('record', ...TRAINING, '--out', join(recordings, 'training.recording'));
const whole = join(folder, 'expected');
tailmix('train', ...TRAINING, '--device', 'cpu', '--out', whole);
copyFileSync(join(whole, 'metrics.jsonl'), join(recordings, 'training.jsonl'));
rmSync(whole, { recursive: true });

/** Folders of the packages that a package needs, one below the other where npm has put them so. */
function dependenciesOf(from, found = new Set()) {
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8'));
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    if (REPORTS.has(name)) continue;
    let at = from;
    while (!existsSync(join(at, 'node_modules', name)) && dirname(at) !== at) at = dirname(at);
    const own = join(at, 'node_modules', name);
    // Optional ones of other platforms are not there.
    if (!existsSync(own) || found.has(own)) continue;
    found.add(own);
    dependenciesOf(own, found);
  }
  return found;
}
