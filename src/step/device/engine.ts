import type { Backend } from '../../backend/load.ts';
import {
  foldNorm,
  type GraphOptions,
  type GraphProgram,
  mergeEqual,
  type Recording,
  toStandardConvolutions,
} from '../../graph/index.ts';
import { type Device, deviceSetting, openProgram } from '../../pjrt/index.ts';
import { joinReplicas } from '../captured/across.ts';
import { toBfloat16 } from '../captured/bf16.ts';
import type { EngineOptions } from '../index.ts';
import type { Engine } from '../types.ts';

/**
 * A step that TensorFlow records and a PJRT device computes. It falls back to nothing: who asked for a device does not want
 * a run on the CPU that takes a hundred times as long.
 *
 * @throws {CaptureError} if the program cannot be recorded, lowered or compiled, naming op and plugin.
 * @throws {TailmixError} DEVICE_SETTING
 */
export function createDeviceEngine(
  program: GraphProgram,
  backend: Backend,
  device: Device,
  { step, precision, matmul, link, rehearse, recorded, owner }: EngineOptions & Pick<GraphOptions, 'owner'>,
): Engine {
  if (step === 'eager') throw deviceSetting('train.step', 'auto or captured', 'eager');
  if (link) throw deviceSetting('the run', 'one process', 'one of a cluster');
  const { stats, ...opened } = openProgram(program, backend, device, {
    rewrite: precision === 'bf16' ? toHalf : toStandard,
    precision: matmul === 'tf32' ? 'DEFAULT' : 'HIGHEST',
    owner,
    recorded,
    ...(rehearse && { rehearse }),
  });
  return {
    ...opened,
    mode: 'captured',
    reason: null,
    precision,
    precisionReason: null,
    device: nameOf(device),
    get compileMs() {
      return stats.compileMs;
    },
  };
}

const nameOf = ({ platform, kind, count }: Device): string =>
  `${kind === platform ? kind : `${platform}, ${kind}`}${count === 1 ? '' : ` × ${count}`}`;

const toStandard = (recording: Recording): Recording =>
  mergeEqual(foldNorm(toStandardConvolutions(joinReplicas(recording))));
/** Every op that has a rule runs in bfloat16: a device's compiler has all of them. */
const toHalf = (recording: Recording): Recording => toBfloat16(toStandard(recording), () => true);
