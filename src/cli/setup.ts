import process from 'node:process';
import { setUpClusterModule } from '../backend/cluster-module.ts';
import { setUpCustomOps } from '../backend/custom-ops.ts';
import type { DeviceName, InstalledPlugin } from '../backend/installed-plugins.ts';
import { type NativeName, TENSORFLOW_VERSION } from '../backend/paths.ts';
import { addPjrtHeader } from '../backend/pjrt-header.ts';
import { hasPjrtModule, setUpPjrtModule } from '../backend/pjrt-module.ts';
import { type SetupOptions, type SetupResult, setUpNative } from '../backend/setup.ts';
import { setUpDevicePlugin } from '../backend/setup-device.ts';
import { TailmixError } from '../errors.ts';
import { stageProgress } from './stage-progress.ts';

/** Options of `tailmix setup`. */
export interface SetupCommandOptions {
  /** Install the GPU build beside the CPU build. */
  gpu?: boolean;
  /** Set up the PJRT plugin for this kind of device as well. */
  device?: DeviceName;
  /** A downloaded wheel, or a folder that holds it. */
  from?: string;
  /** Install again what is there. */
  force?: boolean;
  /** Print one JSON document on standard output. */
  json?: boolean;
}

/** What `tailmix setup --json` prints. */
interface SetupReport {
  /** The backend that a run uses after this. */
  backend: NativeName | 'wasm';
  tensorflow: string | null;
  folder: string | null;
  changed: boolean;
  /** Why there is no native backend, with its cure; `null` if there is one. */
  problem: string | null;
  /** Why tailmix's custom TensorFlow ops are not used with it; `null` if they are, or on a GPU. */
  withoutCustomOps: string | null;
  /** The plugin of `--device`; `null` if none was asked for, or could be had. */
  device: InstalledPlugin | null;
  seconds: number;
}

/**
 * `tailmix setup`: installs the native backend, or says in one line why WASM serves.
 *
 * @returns exit code: 0 also when WASM serves; 1 if `--gpu`, `--device`, `--from` or `--force` asked for an install that failed;
 *   2 if an option is at fault
 */
export async function setup(options: SetupCommandOptions = {}): Promise<number> {
  const started = performance.now();
  const name: NativeName = options.gpu ? 'native-gpu' : 'native';
  const { report, exitCode } = await attempt(name, options);
  const seconds = Math.round(performance.now() - started) / 1000;
  if (options.json) process.stdout.write(`${JSON.stringify({ ...report, seconds }, null, 2)}\n`);
  else process.stdout.write(`${describe(report)}\n`);
  return exitCode;
}

type Attempt = { report: Omit<SetupReport, 'seconds'>; exitCode: number };

async function attempt(name: NativeName, options: SetupCommandOptions): Promise<Attempt> {
  const asked = Boolean(options.gpu || options.device || options.from || options.force);
  if (process.env.TAILMIX_BACKEND === 'wasm' && !asked) return withoutNative('TAILMIX_BACKEND asks for WASM.', 0);
  if (options.gpu) {
    process.stderr.write(
      'The GPU build with CUDA downloads 3.4 GB and takes 5.6 GB. Training was not tested: no GPU was available.\n',
    );
  }
  const progress = stageProgress();
  try {
    const { from, force = false } = options;
    // With a device, --force and --from are about its plugin.
    const given = { force, ...(from !== undefined && { from }) };
    const result = await setUpNative({ name, ...progress, ...(!options.device && given) });
    const withoutCustomOps = name === 'native' ? await setUpCustomOps(result.folder, progress.onStage) : null;
    if (name === 'native') {
      const why = await setUpClusterModule(result.folder, progress.onStage);
      if (why !== null) process.stderr.write(`Training on several machines is not available: ${why}\n`);
      const whyNoDevice = await setUpDevices(result.folder, options, progress);
      if (whyNoDevice !== null) process.stderr.write(`Training on a device is not available: ${whyNoDevice}\n`);
    }
    const report = withNative(name, result, withoutCustomOps);
    if (options.device === undefined) return { report, exitCode: 0 };
    return await withPlugin(report, options.device, { ...progress, ...given });
  } catch (error) {
    if (!(error instanceof TailmixError)) throw error;
    return withoutNative(error.message, asked ? error.exitCode : 0);
  } finally {
    progress.stop();
  }
}

/** Sets up the plugin of a device; native TensorFlow, which records what it computes, is there. */
async function withPlugin(report: Attempt['report'], name: DeviceName, options: SetupOptions): Promise<Attempt> {
  try {
    if (!hasPjrtModule(report.folder!)) return { report, exitCode: 1 };
    return { report: { ...report, device: await setUpDevicePlugin(name, options) }, exitCode: 0 };
  } catch (error) {
    if (!(error instanceof TailmixError)) throw error;
    process.stderr.write(`The plugin for ${name} is not set up: ${error.message}\n`);
    return { report, exitCode: error.exitCode };
  }
}

/** Says why there are no devices only to those who ask for one: most runs do without. */
async function setUpDevices(
  folder: string,
  { from, device }: SetupCommandOptions,
  progress: Pick<SetupOptions, 'onStage' | 'onBytes'>,
): Promise<string | null> {
  const isAsked = Boolean(device || process.env.TAILMIX_PJRT);
  const noHeader =
    isAsked || from !== undefined
      ? await addPjrtHeader(folder, { ...progress, ...(from !== undefined && !device && { from }) })
      : null;
  const why = noHeader ?? (await setUpPjrtModule(folder, progress.onStage));
  return isAsked ? why : null;
}

const withNative = (
  backend: NativeName,
  { folder, changed, stamp }: SetupResult,
  withoutCustomOps: string | null,
): Attempt['report'] => ({
  backend,
  tensorflow: stamp.tensorflow,
  folder,
  changed,
  problem: null,
  withoutCustomOps,
  device: null,
});

const withoutNative = (problem: string, exitCode: number): Attempt => ({
  report: {
    backend: 'wasm',
    tensorflow: null,
    folder: null,
    changed: false,
    problem,
    withoutCustomOps: null,
    device: null,
  },
  exitCode,
});

function describe({
  backend,
  tensorflow,
  folder,
  changed,
  problem,
  withoutCustomOps,
  device,
}: Attempt['report']): string {
  if (problem !== null) {
    return `Training uses the WASM backend, which is slower. Native TensorFlow ${TENSORFLOW_VERSION} is not set up: ${problem}`;
  }
  const ready = (isNew: boolean, what: string): string => `${isNew ? 'Set up' : 'Ready'}: ${what}`;
  return [
    ready(changed, `backend ${backend}, TensorFlow ${tensorflow}, in ${folder}`),
    ...(withoutCustomOps === null
      ? []
      : [`Training does not use tailmix's custom ops, which are faster: ${withoutCustomOps}`]),
    ...(device === null ? [] : [ready(device.changed, `device ${device.name}, in ${device.folder}`)]),
  ].join('\n');
}
