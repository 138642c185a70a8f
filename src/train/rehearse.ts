import type { Composition } from '../compose/compose.ts';
import type { RunInfo } from '../run.ts';
import { createBatch, createTargets } from '../step/batch.ts';

/**
 * Calls every hook that decides something on the host, for a batch, an epoch and a step of its own, so that whatever a
 * `build…` function wrongly closes over has changed when it is called again. Plugin state is put back afterwards.
 */
export function rehearse({ hooks, variants, draws, states }: Composition, info: RunInfo): void {
  const saved = Object.entries(states).map(([name, state]) => [name, structuredClone(state.save())] as const);
  const epoch = info.epochs + 1;
  const ctx = { epoch, step: info.epochs * info.stepsPerEpoch + 1, stepInEpoch: 1 };
  hooks.computeSamplingWeights.call(null, epoch);
  hooks.computeClassWeights.call(new Float64Array(info.classes.length).fill(1), epoch);
  hooks.computeLearningRate.call(1, ctx);
  const size = Math.min(info.batchSize, info.trainCount);
  const pool = size * (1 + Object.keys(draws).length);
  const rows = Int32Array.from({ length: pool }, (_, i) => (i * 7) % info.trainCount);
  const labels = rows.map((row) => row % info.classes.length);
  const ranges = Object.fromEntries(Object.keys(draws).map((name, k) => [name, { start: size * (k + 1), size }]));
  const batch = hooks.onBatch.call(createBatch({ size, indices: rows, labels, draws: ranges }, variants), ctx);
  hooks.computeTargets.call(createTargets(batch), ctx);
  for (const [name, state] of saved) states[name]!.load(state);
}
