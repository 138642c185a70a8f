// npm run parity -- --python PYTHON [--only TEXT]: every published network in full width and depth against timm and torchvision,
// and ten steps of fine-tuning against PyTorch. PYTHON has torch, timm, torchvision, safetensors and numpy. Exits with 1 on a miss.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { softmaxCrossEntropy } from '../../src/backend/kernels/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { createModel, type ModelOptions, modelOptions } from '../../src/models/index.ts';
import type { PublishedName } from '../../src/models/model-names.ts';
import { withForm } from '../../src/models/published/form.ts';
import { readPublished } from '../../src/models/published/read.ts';
import type { Pass } from '../../src/models/types.ts';
import { type NamedTensors, tf } from '../../src/tf.ts';
import { noise } from '../models/reference.ts';
import { differencesAfterSteps, type TuningReference } from '../models/tuning-steps.ts';

/** A line of networks.py. */
interface Line {
  case: string;
  name: PublishedName;
  file: string;
  /** Smallest distance of a ReLU's input from where it bends. */
  nearest: number | null;
  /** How far the gradients of PyTorch's own float32 are from those of its float64. */
  float32: number;
  evaluated: number[];
  logits: number[];
  loss: number;
  torch: string;
  timm: string;
  torchvision: string;
}

const [CLASSES, BATCH, SIDE] = [10, 2, 112];
/** Largest relative distance of logits, loss and all gradients taken together; and of losses and weights after ten steps. */
const [MOST, MOST_AFTER_STEPS] = [1e-5, 1e-4];

const { values } = parseArgs({ options: { python: { type: 'string' }, only: { type: 'string', default: '' } } });
if (values.python === undefined) {
  console.error('--python: expected a Python with torch, timm, torchvision, safetensors and numpy; it is missing.');
  process.exit(2);
}
const { python, only } = values;
const folder = await mkdtemp(join(tmpdir(), 'tailmix-parity-'));
const backend = await loadBackend('native');
const script = (name: string): string => new URL(name, import.meta.url).pathname;
let misses = 0;
let rows = 0;

try {
  const cases = (await readFile(script('networks.py'), 'utf8')).matchAll(/^ {4}"((?:timm|torchvision)-\w+)":/gm);
  const names = [...cases].map(([, name]) => name!).filter((name) => name.includes(only));
  row('network', 'evaluated', 'logits', 'loss', 'gradients', 'PyTorch fp32', 'largest');
  if (names.length > 0)
    await linesOf([script('networks.py'), folder, ...names], async (line) => {
      if (rows++ === 0) console.error(`torch ${line.torch}, timm ${line.timm}, torchvision ${line.torchvision}`);
      const found = await compareNetwork(line);
      // Gradients jump, where a maximum changes place: float32 cannot be nearer to float64 there than PyTorch's own is.
      const most = Math.max(MOST, 2 * line.float32);
      const isMissed = !(Math.max(found.evaluated, found.logits, found.loss) <= MOST && found.gradients <= most);
      tell(line.case, isMissed, [
        found.evaluated,
        found.logits,
        found.loss,
        found.gradients,
        line.float32,
        found.largest,
      ]);
      await rm(join(folder, line.file));
      await rm(join(folder, `${line.case}-gradients.safetensors`));
    });
  if ('ten-steps'.includes(only)) {
    const out = join(folder, 'tuning.json');
    await linesOf([script('../reference/tuning.py'), '--width', '192', '--depth', '12', '--out', out], async () => {});
    const reference = JSON.parse(await readFile(out, 'utf8')) as TuningReference;
    row('ten steps', 'losses', 'weights');
    for (const one of reference.cases) {
      rows++;
      const { captured } = differencesAfterSteps(reference, one, backend);
      const found = [captured.losses, captured.weights];
      tell(
        `vit-tiny-16, ${one.method}`,
        found.some((far) => !(far <= MOST_AFTER_STEPS)),
        found,
      );
    }
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
console.log(`${rows - misses} of ${rows} hold`);
process.exitCode = rows > 0 && misses === 0 ? 0 : 1;

/** Logits, loss and gradients here against PyTorch's, as ‖here − there‖ / ‖there‖; the loss relative to itself. */
async function compareNetwork(
  line: Line,
): Promise<Record<'evaluated' | 'logits' | 'loss' | 'gradients' | 'largest', number>> {
  const file = join(folder, line.file);
  const isQuick = line.case.includes('quickgelu');
  const section = modelOptions.parse({ name: line.name, weights: file, ...(isQuick && { activation: 'quick-gelu' }) });
  const model = createModel((await withForm(section)) as ModelOptions, {
    classes: CLASSES,
    imageShape: [SIDE, SIDE, 3],
  });
  const weights = await readPublished({ name: line.name, file }, model, () => true);
  const gradients = await readPublished(
    { name: line.name, file: join(folder, `${line.case}-gradients.safetensors`) },
    model,
    () => true,
  );
  return tf.tidy(() => {
    const images = tf.tensor4d(noise('parity', BATCH * SIDE * SIDE * 3), [BATCH, SIDE, SIDE, 3]);
    const labels = tf.tensor1d(
      Array.from({ length: BATCH }, (_, i) => (7 * i + 3) % CLASSES),
      'int32',
    );
    const pass = (training: boolean): Pass => ({
      training,
      inputs: {},
      variants: {},
      atStage: (_, features) => features,
    });
    const tensors: NamedTensors = Object.fromEntries(
      model.weights.map(({ name, shape }) => [name, tf.tensor(weights[name]!, [...shape])]),
    );
    const evaluated = distance(model.forward(tensors, images, pass(false)).logits.dataSync(), line.evaluated);
    const trained = model.weights.filter(({ kind }) => kind !== 'statistic').map(({ name }) => name);
    let logits = 0;
    const { value, grads } = tf.valueAndGrads((...given: tf.Tensor[]) => {
      const all = { ...tensors, ...Object.fromEntries(trained.map((name, i) => [name, given[i]!])) };
      const out = model.forward(all, images, pass(true)).logits;
      logits = distance(out.dataSync(), line.logits);
      return softmaxCrossEntropy(out as tf.Tensor2D, labels).mean();
    })(trained.map((name) => tensors[name]!));
    let [far, norm, largest] = [0, 0, 0];
    const parts = trained.map((name, i) => squares(grads[i]!.dataSync(), gradients[name]!));
    for (const part of parts) [far, norm] = [far + part.far, norm + part.norm];
    // Of each array, at least a thousandth of the whole: the bias of keys has no gradient.
    for (const part of parts) largest = Math.max(largest, Math.sqrt(part.far / Math.max(part.norm, norm / 1e6)));
    const loss = Math.abs(value.dataSync()[0]! / line.loss - 1);
    return { evaluated, logits, loss, gradients: Math.sqrt(far / norm), largest };
  });
}

function squares(found: ArrayLike<number>, expected: ArrayLike<number>): { far: number; norm: number } {
  let [far, norm] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    far += (found[i]! - expected[i]!) ** 2;
    norm += expected[i]! ** 2;
  }
  return { far, norm };
}

function distance(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  const { far, norm } = squares(found, expected);
  return Math.sqrt(far / norm);
}

/** Runs a script of Python and gives each line of JSON that it prints to `use`, one after the other. */
async function linesOf(args: readonly string[], use: (line: Line) => Promise<void>): Promise<void> {
  const child = spawn(python!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  for await (const text of createInterface({ input: child.stdout }))
    if (text.startsWith('{')) await use(JSON.parse(text) as Line);
  const code = await ended;
  if (code !== 0) throw new Error(`${args[0]} ended with ${code}`);
}

function tell(name: string, isMissed: boolean, distances: readonly number[]): void {
  if (isMissed) misses++;
  row(isMissed ? `${name} MISSED` : name, ...distances.map((one) => one.toExponential(1)));
}

function row(name: string, ...cells: readonly string[]): void {
  console.log(name.padEnd(44) + cells.map((cell) => cell.padStart(13)).join(''));
}
