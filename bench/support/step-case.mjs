// One network of bench/step.mjs and bench/device.mjs: tailmix and PyTorch in processes of their own, which take turns.
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { openPeer } from './peer.mjs';
import { median } from './report.mjs';

const here = (file) => fileURLToPath(new URL(`../${file}`, import.meta.url));

async function open(name, command, args, { threads, cpu }) {
  const variables = { TAILMIX_THREADS: threads, OMP_NUM_THREADS: threads };
  const { said, ask, close } = await openPeer(name, command, args, variables);
  const { version, compileMs, without = [] } = said;
  const rates = { train: [], predict: [] };
  let peakMemoryBytes = 0;
  return {
    name,
    version,
    compileMs,
    without,
    rates,
    steps: {},
    async time(work, steps) {
      const answer = await ask(`${work} ${steps}`);
      peakMemoryBytes = Math.max(peakMemoryBytes, answer.peakMemoryBytes);
      return cpu ? answer.imagesPerCpuSecond : answer.imagesPerSecond;
    },
    memory: () => peakMemoryBytes,
    close,
  };
}

/** Whether PyTorch of a Python finds a GPU. */
const seesGpu = (python) =>
  spawnSync(python, ['-c', 'import sys, torch; sys.exit(not torch.cuda.is_available())']).status === 0;

/**
 * Times a case in turns.
 *
 * @param {{ name: string, model: string, batch: number, size: number, precision: string, classes?: number, plain?: boolean, adapters?: boolean, frozen?: boolean }} case_
 * @param {{ batch?: string, rounds: string, seconds: string, python: string, threads: string, device: string, 'no-compile'?: boolean, jax?: boolean, cpu?: boolean }} options - no `python`: tailmix alone
 * @param {string} [recording] - file of the case's recordings, for a machine without TensorFlow
 */
export async function measureCase(
  { name, model, batch: usual, size, precision, plain, adapters, classes = 10, frozen },
  options,
  recording,
) {
  const { threads, device, python } = options;
  const batch = Number(options.batch ?? usual);
  const shared = ['--model', model, '--batch', String(batch), '--size', String(size), '--precision', precision];
  shared.push('--classes', String(classes));
  if (adapters) shared.push('--adapters');
  if (frozen) shared.push('--frozen');
  const where = ['--device', device, ...(recording ? ['--recording', recording] : [])];
  const peers = [await open('tailmix', process.execPath, [here('tailmix-step.mjs'), ...shared, ...where], options)];
  /** Where another program fails, tailmix's own figures are worth having still. */
  const missing = [];
  const miss = (peer, { message }) => {
    missing.push({ name: peer, why: message });
    console.error(`SKIPPED ${peer} beside ${name}: ${message}`);
  };
  const beside = async (peer, ...how) => {
    try {
      peers.push(await open(peer, ...how));
    } catch (error) {
      miss(peer, error);
    }
  };
  if (python) {
    const gpu = device !== 'cpu' && seesGpu(python);
    const torch = (mode) =>
      beside(
        `pytorch ${mode}`,
        python,
        [here('pytorch_step.py'), ...shared, '--threads', threads, '--mode', mode, '--device', gpu ? 'cuda' : 'cpu'],
        options,
      );
    await torch('eager');
    if (!options['no-compile']) await torch('compile');
    if (!options['no-compile'] && gpu) await torch('graphs');
  }
  if (python && options.jax && device !== 'cpu') {
    const own = shared.filter((word) => !['--adapters', '--frozen'].includes(word));
    await beside('jax', python, [here('jax_step.py'), ...own], options);
  }
  if (plain && !options.cpu && device === 'cpu')
    await beside('plain tfjs-node', process.execPath, [here('plain-tfjs.mjs'), '--batch', String(batch)], options);
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const peer of [...peers]) {
      try {
        for (const work of ['train', 'predict']) {
          peer.steps[work] ??= Math.max(1, Math.round(((await peer.time(work, 2)) * Number(options.seconds)) / batch));
          peer.rates[work].push(await peer.time(work, peer.steps[work]));
        }
      } catch (error) {
        peer.close();
        if (peer === peers[0]) {
          for (const other of peers.slice(1)) other.close();
          throw error;
        }
        peers.splice(peers.indexOf(peer), 1);
        miss(peer.name, error);
      }
    }
  }
  for (const peer of peers) peer.close();
  const [own, ...others] = peers;
  const torches = others.filter((other) => other.name.startsWith('pytorch'));
  const against = (ownFigure, figures, choose) => (figures.length === 0 ? null : ownFigure / choose(...figures));
  const rate = (work) => (peer) => median(peer.rates[work]);
  const jax = others.find((other) => other.name === 'jax');
  const plainPeer = others.find((other) => other.name.startsWith('plain'));
  return {
    case: name,
    batch,
    peers: peers.map((peer) => ({
      name: peer.name,
      version: peer.version,
      train: median(peer.rates.train),
      predict: median(peer.rates.predict),
      trainRounds: peer.rates.train,
      peakMemoryBytes: peer.memory(),
      ...(peer.compileMs && { compileMs: peer.compileMs }),
      ...(peer.without.length > 0 && { without: peer.without }),
    })),
    trainAgainstPytorch: against(rate('train')(own), torches.map(rate('train')), Math.max),
    predictAgainstPytorch: against(rate('predict')(own), torches.map(rate('predict')), Math.max),
    memoryAgainstPytorch: against(
      own.memory(),
      torches.map((torch) => torch.memory()),
      Math.min,
    ),
    ...(missing.length > 0 && { missing }),
    trainAgainstJax: jax ? median(own.rates.train) / median(jax.rates.train) : null,
    trainAgainstPlainTfjs: plainPeer ? median(own.rates.train) / median(plainPeer.rates.train) : null,
  };
}

/** Prints what {@link measureCase} gave, on standard error. */
export function printCase(result) {
  console.error(`\n${result.case}, batch ${result.batch}`);
  for (const { name, version, train, predict, peakMemoryBytes } of result.peers) {
    console.error(
      `  ${`${name} ${version}`.padEnd(30)}train ${train.toFixed(0).padStart(6)} img/s   predict ${predict.toFixed(0).padStart(6)} img/s   peak ${(peakMemoryBytes / 2 ** 20).toFixed(0).padStart(6)} MiB`,
    );
  }
  const { trainAgainstPytorch, predictAgainstPytorch, memoryAgainstPytorch, trainAgainstPlainTfjs } = result;
  if (result.trainAgainstJax !== null) console.error(`  against JAX: train ${result.trainAgainstJax.toFixed(2)}×`);
  if (trainAgainstPytorch === null) return;
  console.error(
    `  against PyTorch: train ${trainAgainstPytorch.toFixed(2)}×, predict ${predictAgainstPytorch.toFixed(2)}×, memory ${memoryAgainstPytorch.toFixed(2)}×${trainAgainstPlainTfjs ? `; against plain tfjs-node ${trainAgainstPlainTfjs.toFixed(2)}×` : ''}`,
  );
}
