import { execFile } from 'node:child_process';
import { readFile, statfs } from 'node:fs/promises';
import { cpus, freemem, totalmem } from 'node:os';
import { memoryUsage } from 'node:process';
import { promisify } from 'node:util';
import type { Figures } from 'tailmix/tracking';

/** As MLflow counts them. */
const MEGABYTE = 1e6;
const GPU_TIMEOUT_MS = 5000;
const GPU_FIELDS = ['index', 'memory.used', 'memory.total', 'utilization.gpu', 'power.draw', 'power.limit'];

/** Samples of the machine under the names that MLflow gives them; what a machine does not tell is left out. */
export function systemMeter(directory: string): () => Promise<Figures> {
  let busyBefore = processorTime();
  const networkAtStart = networkTraffic();
  let hasGpus = true;
  return async () => {
    const busy = processorTime();
    const all = busy.all - busyBefore.all;
    const share = all > 0 ? (busy.busy - busyBefore.busy) / all : null;
    busyBefore = busy;
    const [disk, network, start, gpus] = await Promise.all([
      diskFigures(directory),
      networkTraffic(),
      networkAtStart,
      hasGpus ? gpuFigures() : null,
    ]);
    hasGpus = gpus !== null;
    const used = totalmem() - freemem();
    return {
      ...(share === null ? {} : { 'system/cpu_utilization_percentage': 100 * share }),
      'system/system_memory_usage_megabytes': used / MEGABYTE,
      'system/system_memory_usage_percentage': (100 * used) / totalmem(),
      'system/process_memory_usage_megabytes': memoryUsage.rss() / MEGABYTE,
      ...disk,
      ...(network && start
        ? {
            'system/network_receive_megabytes': (network.received - start.received) / MEGABYTE,
            'system/network_transmit_megabytes': (network.sent - start.sent) / MEGABYTE,
          }
        : {}),
      ...gpus,
    };
  };
}

/** Milliseconds of all processors together. */
function processorTime(): { busy: number; all: number } {
  const times = cpus().map(({ times }) => times);
  const all = times.reduce((sum, { user, nice, sys, idle, irq }) => sum + user + nice + sys + idle + irq, 0);
  return { all, busy: all - times.reduce((sum, { idle }) => sum + idle, 0) };
}

async function diskFigures(directory: string): Promise<Figures> {
  try {
    const { bsize, blocks, bfree, bavail } = await statfs(directory);
    const used = bsize * (blocks - bfree);
    const available = bsize * bavail;
    return {
      'system/disk_usage_megabytes': used / MEGABYTE,
      'system/disk_usage_percentage': (100 * used) / (used + available),
      'system/disk_available_megabytes': available / MEGABYTE,
    };
  } catch {
    return {};
  }
}

interface Traffic {
  /** Bytes. */
  received: number;
  sent: number;
}

/** Of all interfaces since the machine started; null where the system is not Linux. */
async function networkTraffic(): Promise<Traffic | null> {
  try {
    const lines = (await readFile('/proc/net/dev', 'utf8')).split('\n').slice(2).filter(Boolean);
    const fields = lines.map((line) =>
      line
        .slice(line.indexOf(':') + 1)
        .trim()
        .split(/\s+/)
        .map(Number),
    );
    const sum = (field: number): number => fields.reduce((total, row) => total + row[field]!, 0);
    return { received: sum(0), sent: sum(8) };
  } catch {
    return null;
  }
}

/** Of NVIDIA's cards; null where there are none. */
async function gpuFigures(): Promise<Figures | null> {
  try {
    const query = [`--query-gpu=${GPU_FIELDS.join(',')}`, '--format=csv,noheader,nounits'];
    const { stdout } = await promisify(execFile)('nvidia-smi', query, { timeout: GPU_TIMEOUT_MS });
    return Object.assign({}, ...stdout.trim().split('\n').filter(Boolean).map(ofGpu));
  } catch {
    return null;
  }
}

/** Figures of a line of `nvidia-smi`, in MiB, percent and watts; a card leaves out what it does not measure (`[N/A]`). */
function ofGpu(line: string): Figures {
  const [index, used, total, busy, watts, limit] = line.split(',').map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const figures = {
    memory_usage_megabytes: (used * 2 ** 20) / MEGABYTE,
    memory_usage_percentage: (100 * used) / total,
    utilization_percentage: busy,
    power_usage_watts: watts,
    power_usage_percentage: (100 * watts) / limit,
  };
  return Object.fromEntries(
    Object.entries(figures).flatMap(([key, value]) =>
      Number.isFinite(value) ? [[`system/gpu_${index}_${key}`, value]] : [],
    ),
  );
}
