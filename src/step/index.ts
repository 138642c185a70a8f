import process from 'node:process';
import { cpuFeatures, isBfloat16Native } from '../backend/cpu.ts';
import { installedPlugins } from '../backend/installed-plugins.ts';
import type { Backend } from '../backend/load.ts';
import type { Link } from '../cluster/link.ts';
import { messageOf } from '../errors.ts';
import type { GraphProgram, KeptCall } from '../graph/index.ts';
import { deviceSetting } from '../pjrt/errors.ts';
import type { Device } from '../pjrt/index.ts';
import type { CaptureOptions } from './captured/engine.ts';
import { createEagerEngine } from './eager.ts';
import { isFault, syncedEager } from './errors.ts';
import { warnOfMemory } from './memory.ts';
import type { StepOptions } from './options.ts';
import { currentOwner } from './owner.ts';
import type { Engine } from './types.ts';

/** How a step is to run. */
export interface EngineOptions extends Pick<StepOptions, 'step' | 'precision' | 'device' | 'matmul'> {
  /** Changes what differs between steps, before each of a signature's two recordings. */
  rehearse?: CaptureOptions['rehearse'];
  /** In a process of a cluster: the step is captured, in a session that reaches the others. */
  link?: Pick<Link, 'openSession'> | undefined;
  /** What was recorded elsewhere, for a device. Default: TensorFlow records. */
  recorded?: readonly KeptCall[] | undefined;
  /** Replicas share the statistics of batch norm: only a captured step can. Default: false. */
  synced?: boolean;
}

/**
 * Makes the engine of a run; the trainer cannot tell which one it holds. `captured` refuses what it cannot record, `auto`
 * then falls back to eager for the whole run, or from the first run of a signature that fails, and keeps the reason.
 * bf16 becomes fp32 where it would be emulated, or where nothing is captured. The capturing code is loaded only when it
 * is used. On a device the step is captured, or the run ends.
 *
 * @throws {TailmixError} from `captured`, naming the op and the plugin that brought it; from both, what is wrong in any
 *   mode.
 */
export async function createEngine(program: GraphProgram, backend: Backend, options: EngineOptions): Promise<Engine> {
  const device = await deviceOf(options, backend);
  if (device === null && options.recorded) throw deviceSetting('train.device', 'that of the recordings', 'cpu');
  if (device) {
    const { createDeviceEngine } = await import('./device/engine.ts');
    return createDeviceEngine(program, backend, device, { ...options, owner: currentOwner });
  }
  const { precision: wanted, rehearse, link, synced = false } = options;
  if (synced && (options.step === 'eager' || backend.binding === undefined))
    throw syncedEager(options.step, backend.name);
  const step = link || synced ? 'captured' : options.step;
  const eager = (reason: string | null): Engine =>
    createEagerEngine(program, {
      reason,
      precisionReason: wanted === 'bf16' ? 'the eager step computes in float32' : null,
    });
  if (step === 'eager') return eager(null);
  if (step === 'auto' && backend.binding === undefined) return eager(`the ${backend.name} backend has no graphs`);
  const [{ createCapturedEngine }, { withFallback }] = await Promise.all([
    import('./captured/engine.ts'),
    import('./fallback.ts'),
  ]);
  const precisionReason = wanted === 'bf16' ? whyNotBfloat16(backend) : null;
  const precision = precisionReason === null ? wanted : 'fp32';
  // TensorFlow's remapper makes fused convolutions of bfloat16 that a distributed session refuses.
  const openSession = link && ((model: Uint8Array) => link.openSession(model, { remapping: precision !== 'bf16' }));
  try {
    const capture = { precision, precisionReason, owner: currentOwner, ...(rehearse && { rehearse }), openSession };
    const engine = createCapturedEngine(program, backend, capture);
    // Tensors of a GPU are not in the memory that is compared.
    if (backend.name === 'native') warnOfMemory(engine.stats.peak);
    return step === 'captured' ? engine : withFallback(engine, eager);
  } catch (error) {
    if (step === 'captured' || isFault(error)) throw error;
    return eager(messageOf(error));
  }
}

/**
 * The device, or the devices, that a step runs on; null where TensorFlow computes. What opens them is loaded only where there may be one.
 *
 * @throws {TailmixError} as `chooseDevice`
 */
export async function deviceOf(options: EngineOptions, backend: Backend): Promise<Device | null> {
  if (!mayHaveDevice(options, backend)) return null;
  const { chooseDevice } = await import('../pjrt/index.ts');
  return chooseDevice(options.recorded ? (options.device ?? 'pjrt') : options.device);
}

/** Whether a device may compute: it was asked for, or there is a plugin and the step can run there. */
function mayHaveDevice({ device, step, link, recorded }: EngineOptions, { binding }: Backend): boolean {
  if (recorded) return true;
  if (device !== undefined) return device !== 'cpu';
  const canRun = step !== 'eager' && !link && binding !== undefined;
  return canRun && (Boolean(process.env.TAILMIX_PJRT) || installedPlugins().length > 0);
}

/** Why bfloat16 would be slower than float32 here; `null` where it is native, or where nobody can tell. */
function whyNotBfloat16({ name }: Backend): string | null {
  const cpu = cpuFeatures();
  if (name === 'native-gpu' || cpu === null || isBfloat16Native(cpu)) return null;
  return 'this processor has neither avx512_bf16 nor amx_bf16';
}
