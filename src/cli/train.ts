import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { setImmediate } from 'node:timers/promises';
import { stringify } from 'yaml';
import { checkEnvironment } from '../backend/environment.ts';
import type { BackendChoice } from '../backend/load.ts';
import { whyNotNative } from '../backend/native.ts';
import { currentPlatform, whyUnsupported } from '../backend/platform.ts';
import { clusterOut } from '../cluster/errors.ts';
import { patient, shareSnapshot } from '../cluster/exchange.ts';
import type { Link } from '../cluster/link.ts';
import type { Membership } from '../cluster/membership.ts';
import { loadConfig, loadRunConfig } from '../config/load.ts';
import { trainerOptions } from '../config/trainer-options.ts';
import type { ResolvedConfig } from '../config/types.ts';
import { displayPath, TailmixError } from '../errors.ts';
import { openRecordings } from '../graph/index.ts';
import { findLatest } from '../tracking/checkpoint.ts';
import { type Ownership, own } from '../tracking/ownership.ts';
import { PROGRESS_VARIABLE } from '../tracking/progress-message.ts';
import { claimRunDirectory, createRunDirectory, findRun, readEpochs, readSummary } from '../tracking/run-directory.ts';
import { runFiles } from '../tracking/run-files.ts';
import { writeFileAtomic } from '../tracking/write-file.ts';
import { expectReadable, readWritten } from '../tracking/written-by.ts';
import { planRun } from '../train/plan-run.ts';
import type { TrainerOptions } from '../train/prepare.ts';
import { epochsOf } from '../train/run-epochs.ts';
import { expectSameConfig } from '../trained/same-config.ts';
import { without } from '../util/without.ts';
import { type ClusterOptions, describeCluster, holdsRun, joinCluster, memberOf } from './cluster.ts';
import { type ConfigFlags, checkPlace, context, knownPlugins, overridesOf } from './context.ts';
import { resumeChanged, resumeFinished, resumeWith } from './errors.ts';
import { INTERRUPTED, type Interruption, watchInterrupts } from './interrupt.ts';
import { commandLine, tellNext } from './next.ts';
import { print, printJson, setQuiet, tell, tellPassedOver, tellTaken } from './output.ts';
import { readingReporter } from './stage-progress.ts';
import { watchStrays } from './strays.ts';
import { describeSummary } from './summary.ts';

/** Options of `tailmix train`. */
export interface TrainCommandOptions extends ConfigFlags, ClusterOptions {
  out?: string;
  resume?: string;
  trust?: boolean;
  takeOver?: boolean;
  allowOtherData?: boolean;
  /** Epoch after which the run ends. */
  until?: number;
  /** File of `tailmix record`. */
  recording?: string;
  /** Show the hooks too. */
  plan?: boolean;
  json?: boolean;
}

/** `tailmix train`: one run, from its config or from where it was left. */
export async function train(paths: readonly string[], options: TrainCommandOptions): Promise<number> {
  checkEnvironment();
  if (options.local !== undefined) return (await import('./launch.ts')).launch(paths, options);
  const member = memberOf(options);
  const interruption = watchInterrupts('the run ends after this step and can be resumed.');
  if (member) return trainInCluster(member, paths, options, interruption).finally(interruption.stop);
  const opened = await (options.resume === undefined
    ? openNew(paths, options)
    : openResumed(options.resume, paths, options)
  ).catch((error: unknown) => {
    interruption.stop();
    throw error;
  });
  return trainOpened(opened, options, interruption);
}

/** One process of a run: rank 0 has the directory, the others take from it what the run is resumed from. */
async function trainInCluster(
  member: Membership,
  paths: readonly string[],
  options: TrainCommandOptions,
  interruption: Interruption,
): Promise<number> {
  if (member.rank > 0) quietly();
  const { set = [], resume, out } = options;
  const given = { ...context, set, overrides: overridesOf(options) };
  const config =
    resume === undefined
      ? await loadConfig(paths, given)
      : await loadRunConfig(await findRun(resume), { ...given, trust: options.trust });
  const link = await joinCluster(member, config, interruption.signal);
  try {
    const opened = member.rank > 0 ? { config, ownership: null, resume: null } : await openFirst();
    if (opened.ownership && process.connected)
      process.send?.({ type: 'directory', directory: opened.ownership.directory });
    const snapshot = shareSnapshot(patient(link), opened.resume?.resume ?? null);
    const code = await trainOpened(
      { ...opened, resume: snapshot && { resume: snapshot } },
      options,
      interruption,
      link,
    );
    await link.leave();
    return link.stoppedBy === null ? code : INTERRUPTED;
  } catch (error) {
    throw await link.explain(error);
  }

  async function openFirst(): Promise<Opened> {
    if (resume === undefined && !holdsRun(out)) return openNew(paths, options);
    const found = await openResumed(resume ?? out!, [], without(options, 'out', 'seed', 'name') as TrainCommandOptions);
    if (found.config.hash === config.hash) return found;
    await found.ownership!.release();
    throw clusterOut(displayPath(out!));
  }
}

/** Rank 0 alone shows and prints what there is. */
function quietly(): void {
  setQuiet(true);
  process.env[PROGRESS_VARIABLE] = 'none';
}

async function trainOpened(
  { config, ownership, resume }: Opened,
  options: TrainCommandOptions,
  interruption: Interruption,
  link?: Link,
): Promise<number> {
  const directory = ownership?.directory;
  const run: TrainerOptions = {
    ...trainerOptions(config),
    known: await knownPlugins(),
    ...(ownership && { directory: ownership.directory, ownership }),
    ...(options.allowOtherData && { allowOtherData: true }),
    ...(options.until !== undefined && { until: options.until }),
    ...(options.recording !== undefined && { recordings: await openRecordings(options.recording) }),
    ...(link && { link }),
    ...resume,
  };
  const last = epochsOf(config.options);
  if ((options.until ?? 0) >= last) tell(`--until ${options.until} has no effect: the run ends after epoch ${last}`);
  const strays = watchStrays(config.resolved);
  try {
    if (!isReportingToParent() && directory) {
      const { plan, brief } = await planRun(run);
      const cluster = link ? `\n${describeCluster(link, config.options.train.replicas ?? 1)}` : '';
      tell(`${options.plan ? plan : brief}${cluster}\n\n${resume ? 'resumes' : 'runs'} in ${displayPath(directory)}`);
      const slow = options.recording === undefined ? whySlow(config.options.backend) : null;
      if (slow !== null) tell(slow);
    }
    const { createTrainer } = await import('../train/trainer.ts');
    const { summary } = await createTrainer({
      ...run,
      signal: AbortSignal.any([strays.signal, interruption.signal]),
      onDataProgress: readingReporter(),
    }).run();
    // What failed as the run ended comes up in a moment.
    await setImmediate();
    strays.signal.throwIfAborted();
    if (!directory) return interruption.signal.aborted ? INTERRUPTED : 0;
    if (options.json) printJson({ ...summary, directory });
    else {
      const place = displayPath(directory);
      print(describeSummary(summary, place));
      if (summary.status !== 'failed' && !interruption.signal.aborted) {
        tellNext(
          ...(summary.lastEpoch === options.until && summary.status === 'stopped'
            ? [[commandLine('train', '--resume', place), 'the epochs that are left'] as const]
            : []),
          [commandLine('report', place), 'figures and charts on one page; several runs are compared'],
          [commandLine('mistakes', place), 'the images that it classifies wrongly'],
          [commandLine('predict', place, 'IMAGE…'), 'classes of new images'],
        );
      }
    }
    return interruption.signal.aborted ? INTERRUPTED : 0;
  } catch (error) {
    await ownership?.release();
    if (!directory) throw error;
    if (error instanceof TailmixError && error.code === 'INTERRUPTED') {
      tell(`${error.message} tailmix train --resume ${displayPath(directory)} goes on with it.`);
      return INTERRUPTED;
    }
    if (options.resume === undefined) await removeUnbegun(directory);
    throw error;
  } finally {
    strays.stop();
    interruption.stop();
    await ownership?.release();
  }
}

/** What makes a run faster, where it would compute on WebAssembly only because nobody has set up the native backend. */
function whySlow(backend: BackendChoice | undefined): string | null {
  const wanted = backend === 'auto' || backend === undefined ? process.env.TAILMIX_BACKEND : backend;
  if (wanted && wanted !== 'auto') return null;
  if (whyUnsupported(currentPlatform()) !== null || whyNotNative('native') === null) return null;
  if (whyNotNative('native-gpu') === null) return null;
  return 'computes on WebAssembly with one thread; `tailmix setup` (once) makes it several times faster';
}

/** A new run that failed before it began leaves no folder behind. */
async function removeUnbegun(directory: string): Promise<void> {
  const left = await readdir(directory).catch(() => ['unreadable']);
  if (left.some((name) => name !== runFiles.config)) return;
  await rm(join(directory, runFiles.config), { force: true }).catch(() => {});
  await rmdir(directory).catch(() => {});
}

/** As a run of a sweep, which shows what there is to see. */
const isReportingToParent = (): boolean => process.connected && process.env[PROGRESS_VARIABLE] === 'ipc';

interface Opened {
  config: ResolvedConfig;
  /** Of the run's directory; null in processes of a cluster that write none. */
  ownership: Ownership | null;
  resume: Pick<TrainerOptions, 'resume'> | null;
}

async function openNew(
  paths: readonly string[],
  { set = [], out, takeOver = false, ...flags }: TrainCommandOptions,
): Promise<Opened> {
  const config = await loadConfig(paths, { ...context, set, overrides: overridesOf(flags) });
  checkPlace('--out', out);
  const wanted = out ?? config.options.out;
  const ownership = await (wanted === undefined
    ? own(await createRunDirectory('runs', config.options.name))
    : claimRunDirectory(wanted, { takeOver }));
  tellTaken(ownership);
  const { directory } = ownership;
  try {
    // From here on it can be resumed, though its images may take long to read.
    await writeFileAtomic(join(directory, runFiles.config), stringify(config.resolved));
  } catch (error) {
    await ownership.release();
    await removeUnbegun(directory);
    throw error;
  }
  return { config, ownership, resume: null };
}

async function openResumed(
  wanted: string,
  paths: readonly string[],
  { set = [], out, seed, name, takeOver = false, trust, ...flags }: TrainCommandOptions,
): Promise<Opened> {
  if (paths.length > 0) throw resumeWith(`the config ${paths.join(' ')}`);
  for (const [flag, value] of Object.entries({ out, seed, name }))
    if (value !== undefined) throw resumeWith(`--${flag}`);
  const directory = await findRun(wanted);
  const ownership = await own(directory, { takeOver });
  tellTaken(ownership);
  try {
    await expectReadable(directory);
    const path = join(directory, runFiles.config);
    const written = await readWritten(directory, () => loadRunConfig(directory, { ...context, trust }));
    const config = await loadRunConfig(directory, { ...context, trust, set, overrides: overridesOf(flags) });
    const latest = await readWritten(directory, () => findLatest(directory));
    tellPassedOver(latest?.damaged ?? []);
    const configHash = latest ? latest.snapshot.configHash : written.hash;
    if (configHash !== config.hash) {
      await expectSameConfig(path, written, { configHash });
      throw resumeChanged(displayPath(directory), configHash, config.hash);
    }
    if (!latest) tell(await fromItsBeginning(directory));
    return { config, ownership, resume: latest && { resume: latest.snapshot } };
  } catch (error) {
    await ownership.release();
    throw error;
  }
}

/**
 * What is said of a run without a checkpoint.
 *
 * @throws {TailmixError} RESUME_FINISHED for a finished one, whose results would be replaced.
 */
async function fromItsBeginning(directory: string): Promise<string> {
  const isDamaged = (error: unknown): null => {
    if (error instanceof TailmixError && error.code === 'RUN_DAMAGED') return null;
    throw error;
  };
  const summary = await readSummary(directory).catch(isDamaged);
  if (summary?.status === 'finished') throw resumeFinished(displayPath(directory), summary.lastEpoch);
  const epochs = await readEpochs(directory).catch(isDamaged);
  const begins = 'there is no checkpoint: the run starts from its beginning';
  if (epochs?.length === 0) return begins;
  const holds = epochs === null ? 'is damaged' : `has ${epochs.length} ${epochs.length === 1 ? 'epoch' : 'epochs'}`;
  return `${begins}, and replaces ${runFiles.metrics}, which ${holds}`;
}
