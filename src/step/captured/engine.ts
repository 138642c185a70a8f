import type { Backend } from '../../backend/load.ts';
import {
  foldNorm,
  type GraphOptions,
  type GraphProgram,
  mergeEqual,
  type OpenGraph,
  type OpTrial,
  openGraph,
  type Recording,
  toStandardConvolutions,
} from '../../graph/index.ts';
import type { Engine } from '../types.ts';
import { joinReplicas } from './across.ts';
import { toBfloat16 } from './bf16.ts';
import { fuseNeighbours } from './fuse.ts';
import { toHalfConvolutions } from './half-convolutions.ts';

/** How a step is captured. */
export interface CaptureOptions extends Pick<GraphOptions, 'owner' | 'rehearse' | 'openSession'> {
  /** `bf16`: convolutions and what lies between them in bfloat16; weights, loss and update stay float32. Default `fp32`. */
  precision?: Engine['precision'];
  /** Why not the precision that was asked for. */
  precisionReason?: Engine['precisionReason'];
}

/** An {@link Engine} that replays a recorded graph. */
export interface CapturedEngine extends Engine, Pick<OpenGraph, 'stats' | 'verify' | 'replacedBy' | 'macs'> {
  readonly mode: 'captured';
}

/**
 * A step as one TensorFlow graph, rewritten with tailmix's custom ops where this machine has them.
 *
 * @throws {CaptureError} if the program cannot become a graph; nothing is left behind.
 */
export function createCapturedEngine(
  program: GraphProgram,
  backend: Backend,
  { precision = 'fp32', precisionReason = null, ...options }: CaptureOptions = {},
): CapturedEngine {
  const faster = precision === 'bf16' ? toFasterHalf : toFaster;
  const rewrite: typeof faster = (recording, canRun) => faster(joinReplicas(recording), canRun);
  const { stats, ...graph } = openGraph(program, backend, { ...options, rewrite, copyOp: 'TailmixLastingCopy' });
  return {
    ...graph,
    stats,
    mode: 'captured',
    reason: null,
    precision,
    precisionReason,
    get compileMs() {
      return stats.compileMs;
    },
  };
}

const toFaster = (recording: Recording): Recording => fuseNeighbours(mergeEqual(foldNorm(recording)));

function toFasterHalf(recording: Recording, canRun: OpTrial): Recording {
  const convolved = toHalfConvolutions(toStandardConvolutions(recording), canRun);
  return fuseNeighbours(toBfloat16(mergeEqual(foldNorm(convolved)), canRun));
}
