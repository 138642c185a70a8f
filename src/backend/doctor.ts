import process from 'node:process';
import { npmCommand } from '#npm';
import { messageOf } from '../errors.ts';
import { version } from '../version.ts';
import { cpuFeatures, isBfloat16Native } from './cpu.ts';
import { deviceFindings } from './doctor-device.ts';
import { gpuFindings } from './doctor-gpu.ts';
import { cacheFinding, clusterFinding, compilerFinding, customOpsFinding, nativeFindings } from './doctor-setup.ts';
import type { Finding } from './finding.ts';
import { loadBackend } from './load.ts';
import { bindingPath, type NativeName, nativeFolder } from './paths.ts';
import { currentPlatform } from './platform.ts';
import { runCommand } from './run-command.ts';
import { type Surroundings, surroundings } from './surroundings.ts';

/** Everything `tailmix doctor` reports; what a person does not need is in `--json` alone. */
export interface Diagnosis extends Surroundings {
  findings: Finding[];
  backend: { name: string; tensorflow: string | null; threads: number; reason: string } | null;
}

/** Looks at all that the backend depends on, and loads it as a run would. */
export async function diagnose(): Promise<Diagnosis> {
  const loaded = await loadBackend().then(
    ({ name, tensorflow, threads, reason }) => ({ name, tensorflow, threads, reason }),
    (error: unknown) => messageOf(error),
  );
  const backend = typeof loaded === 'string' ? null : loaded;
  const findings = [
    { name: 'tailmix', status: 'ok', value: version } satisfies Finding,
    nodeFinding(),
    await npmFinding(),
    platformFinding(),
    ...cpuFindings(),
    backendFinding(loaded),
    ...(backend?.name.startsWith('native') ? [await oneDnnFinding(backend.name as NativeName)] : []),
    ...(backend?.name === 'native'
      ? [customOpsFinding(nativeFolder('native')), clusterFinding(nativeFolder('native'))]
      : []),
    ...nativeFindings(),
    ...(await gpuFindings(nativeFolder('native-gpu'))),
    ...(await deviceFindings(nativeFolder('native'))),
    await compilerFinding(),
    await cacheFinding(),
  ];
  return { ...surroundings(), findings, backend };
}

function nodeFinding(): Finding {
  return { name: 'Node', status: 'ok', value: process.version };
}

async function npmFinding(): Promise<Finding> {
  const { code, stdout } = await runCommand([...npmCommand(), '--version']);
  if (code === 0) return { name: 'npm', status: 'ok', value: stdout.trim() };
  return { name: 'npm', status: 'note', value: 'not found', cure: 'install npm; `tailmix setup` needs it' };
}

function platformFinding(): Finding {
  const { os, arch, glibc } = currentPlatform();
  return { name: 'platform', status: 'ok', value: `${os} ${arch}${glibc === null ? '' : `, glibc ${glibc}`}` };
}

function cpuFindings(): Finding[] {
  const cpu = cpuFeatures();
  if (cpu === null) return [];
  const has = (['avx', 'avx2', 'avx512', 'avx512_bf16', 'amx_bf16', 'neon'] as const).filter((feature) => cpu[feature]);
  const native = isBfloat16Native(cpu);
  return [
    {
      name: 'processor',
      status: 'ok',
      value: `${cpu.model}; ${has.join(', ') || 'no vector instructions that are used'}`,
    },
    {
      name: 'bfloat16',
      status: 'ok',
      value: native ? 'native, use it for speed' : 'not native (needs avx512_bf16 or amx_bf16), float32 is faster',
    },
  ];
}

function backendFinding(loaded: Diagnosis['backend'] | string): Finding {
  if (loaded === null || typeof loaded === 'string') {
    return {
      name: 'backend',
      status: 'problem',
      value: loaded ?? 'none',
      cure: 'unset TAILMIX_BACKEND, or run `tailmix setup`',
    };
  }
  const { name, tensorflow, threads, reason } = loaded;
  const engine = tensorflow === null ? name : `${name}, TensorFlow ${tensorflow}`;
  const value = `${engine}, ${threads} thread${threads === 1 ? '' : 's'} (${reason})`;
  if (name !== 'wasm') return { name: 'backend', status: 'ok', value };
  return { name: 'backend', status: 'note', value, cure: 'see the line "native build"' };
}

/** TensorFlow says whether oneDNN is on only in a message at start, so that a process of its own has to load it. */
async function oneDnnFinding(name: NativeName): Promise<Finding> {
  const load = `require(${JSON.stringify(bindingPath(nativeFolder(name)))})`;
  const { stderr } = await runCommand([process.execPath, '-e', load], {
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '0' },
  });
  if (stderr.includes('oneDNN custom operations are on')) return { name: 'oneDNN', status: 'ok', value: 'on' };
  return { name: 'oneDNN', status: 'note', value: 'off, convolutions are slower', cure: 'unset TF_ENABLE_ONEDNN_OPTS' };
}
