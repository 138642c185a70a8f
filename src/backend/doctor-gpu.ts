import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { cudaLibraries } from './cuda-libraries.ts';
import type { Finding } from './finding.ts';
import { findCommand, lastLines, runCommand } from './run-command.ts';
import { compareVersions } from './specifier.ts';

/** Oldest drivers that run all of a version of CUDA (https://docs.nvidia.com/deploy/cuda-compatibility). */
export const MIN_DRIVERS = { 12: '525.60', 13: '580.65' } as const;

/** Where WSL 2 has `nvidia-smi`, beside what `PATH` holds. */
const SMI = ['nvidia-smi', '/usr/lib/wsl/lib/nvidia-smi'];

/** Driver, devices and CUDA's libraries of the GPU build in `folder`; nothing where there is no such build. */
export async function gpuFindings(folder: string, env: NodeJS.ProcessEnv = process.env): Promise<Finding[]> {
  if (!existsSync(folder)) return [];
  return [...(await driverFindings(env, MIN_DRIVERS[12])), await cudaFinding(folder, env)];
}

/** NVIDIA's driver and the GPUs that it sees. */
export async function driverFindings(env: NodeJS.ProcessEnv, oldest: string): Promise<Finding[]> {
  const name = 'NVIDIA driver';
  const cure = `install NVIDIA's driver ${oldest} or newer (in a container, start it with its GPUs), and check it with nvidia-smi`;
  const smi = await findCommand(SMI, env);
  if (smi === null) return [{ name, status: 'note', value: 'not found (no nvidia-smi)', cure }];
  const query = ['--query-gpu=driver_version,name,memory.total', '--format=csv,noheader'];
  const { code, stdout, stderr } = await runCommand([smi, ...query], { env });
  const devices = stdout.split('\n').flatMap((line) => {
    const [driver, device, memory] = line.split(', ');
    return memory === undefined ? [] : [{ driver: driver!, device: `${device}, ${memory}` }];
  });
  if (code !== 0 || devices.length === 0) {
    return [{ name, status: 'note', value: `no GPU: ${lastLines(stdout + stderr) || 'nvidia-smi lists none'}`, cure }];
  }
  const { driver } = devices[0]!;
  const found: Finding =
    compareVersions(driver, oldest) < 0
      ? { name, status: 'note', value: `${driver}, older than ${oldest}`, cure }
      : { name, status: 'ok', value: driver };
  return [found, { name: 'GPU', status: 'ok', value: devices.map(({ device }) => device).join('; ') }];
}

/** A library is loaded as if it were a module: Node says then that it is none, or else why it does not load. */
const LOAD = `for (const library of process.argv.slice(1)) try { process.dlopen({ exports: {} }, library); } catch (error) {
  if (!error.message.includes('did not self-register')) console.log(error.message.split('\\n')[0]);
}`;

/** Whether CUDA's libraries load, in a process of its own. */
async function cudaFinding(folder: string, env: NodeJS.ProcessEnv): Promise<Finding> {
  const name = 'CUDA';
  const cure = 'run `tailmix setup --gpu --force`';
  const libraries = cudaLibraries(folder);
  if (libraries.length === 0) return { name, status: 'note', value: 'its libraries are missing', cure };
  const paths = libraries.map((library) => join(folder, library));
  const { code, stdout, stderr } = await runCommand([process.execPath, '-e', LOAD, ...paths], { env });
  // Libraries that need the driver are no fault of the build.
  const faults = stdout.split('\n').filter((line) => line !== '' && !line.startsWith('libcuda.so.1:'));
  if (code !== 0) faults.push(lastLines(stderr));
  if (faults.length === 0) return { name, status: 'ok', value: `${libraries.length} libraries, all load` };
  const short = faults.map((fault) => fault.replace(/^\/\S*\/([^/]+: )/, '$1'));
  return { name, status: 'note', value: `does not load: ${short.join('; ')}`, cure };
}
