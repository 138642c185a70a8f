import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import process from 'node:process';
import { customOpsBuild } from '../backend/custom-ops.ts';
import { loadBackend } from '../backend/load.ts';
import { nativeFolder } from '../backend/paths.ts';
import { checkNetwork, detectMembership } from '../cluster/detect.ts';
import { clusterFlag, clusterSetting } from '../cluster/errors.ts';
import { expectAlike, gatherTexts, patient } from '../cluster/exchange.ts';
import { join, type Link } from '../cluster/link.ts';
import type { Membership } from '../cluster/membership.ts';
import type { ResolvedConfig } from '../config/types.ts';
import { runFiles } from '../tracking/run-files.ts';
import { version } from '../version.ts';
import { complain } from './output.ts';

/** Flags of `tailmix train` on several processes. */
export interface ClusterOptions {
  cluster?: boolean;
  workers?: string;
  worker?: string;
  /** Processes to start on this machine. */
  local?: number;
  /** How often `--local` starts all again. */
  restarts?: number;
  openNetwork?: boolean;
}

/**
 * Which process of a cluster this is; null without `--cluster`.
 *
 * @throws {TailmixError} CLUSTER_FLAG, CLUSTER_NETWORK, CLUSTER_WORKERS, CLUSTER_MEMBER
 */
export function memberOf({
  cluster,
  workers,
  worker,
  local,
  restarts,
  openNetwork,
}: ClusterOptions): Membership | null {
  if (!cluster) {
    for (const [flag, value] of Object.entries({ workers, worker, local, restarts, 'open-network': openNetwork }))
      if (value !== undefined) throw clusterFlag(`--${flag}`, '--cluster');
    return null;
  }
  if (restarts !== undefined && local === undefined) throw clusterFlag('--restarts', '--local');
  if (!openNetwork) checkNetwork(local !== undefined);
  return detectMembership({ workers, worker }, process.env, addressesOf);
}

/** Where Slurm itself reaches its nodes: a node's name need not be that of a machine. */
function addressesOf(nodes: string): string[] {
  const show = (...args: string[]): string[] =>
    execFileSync('scontrol', ['show', ...args], { encoding: 'utf8' })
      .trim()
      .split('\n');
  const found = new Map(
    show('-o', 'node', nodes).map((line) => [/\bNodeName=(\S+)/.exec(line)?.[1], /\bNodeAddr=(\S+)/.exec(line)?.[1]]),
  );
  return show('hostnames', nodes).map((name) => found.get(name) ?? name);
}

/**
 * What of a config a run on several processes cannot have.
 *
 * @throws {TailmixError} CLUSTER_SETTING
 */
export function checkForCluster(
  { options, phases }: Pick<ResolvedConfig, 'options' | 'phases'>,
  processes: number,
): void {
  for (const train of [options.train, ...(phases ?? []).map((phase) => ({ ...options.train, ...phase.train }))]) {
    const { replicas = 1, step } = train;
    if (replicas % processes > 0) {
      throw clusterSetting('train.replicas', `a multiple of the ${processes} processes`, String(replicas));
    }
    if (step === 'eager') throw clusterSetting('train.step', 'captured or auto', 'eager');
  }
  if (options.backend === 'wasm') throw clusterSetting('backend', 'native', 'wasm');
}

/**
 * Connects this process with the others of a run, once all have the same software and config.
 *
 * @throws {TailmixError} CLUSTER_PEERS, CLUSTER_DIFFERS, …
 */
export async function joinCluster(member: Membership, config: ResolvedConfig, signal: AbortSignal): Promise<Link> {
  checkForCluster(config, member.addresses.length);
  // TensorFlow says by the dozen what this command says in a line.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '3';
  const { tensorflow, threads } = await loadBackend('native');
  const link = await join(member, { tell: complain, signal });
  expectAlike(patient(link), {
    'version of tailmix': version,
    'version of TensorFlow': String(tensorflow),
    'custom ops': customOpsBuild(nativeFolder('native')),
    'config (hash)': config.hash.slice(0, 16),
  });
  const all = gatherTexts(patient(link), String(threads));
  if (member.rank === 0 && new Set(all).size > 1) {
    complain(
      `cluster: the processes have ${all.join(', ')} threads; the number of threads decides the last bits, so this is no run of one process. Set TAILMIX_THREADS alike in all.`,
    );
  }
  return link;
}

/** What the plan says of the cluster. */
export const describeCluster = ({ addresses, from }: Membership, replicas: number): string =>
  `${'cluster'.padEnd(24)}${addresses.length} processes of ${replicas / addresses.length} replicas, by ${from}: ${addresses.join(', ')}`;

/** Whether `--out` names a run that is to be resumed: what starts all processes again runs the same command. */
export const holdsRun = (out: string | undefined): out is string =>
  out !== undefined && existsSync(joinPath(out, runFiles.config));
