import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { displayPath, TailmixError } from '../errors.ts';
import { isPublished } from '../models/model-names.ts';
import type { ModelInput } from '../models/open.ts';
import { withoutStart } from '../models/open.ts';
import { type ModelSection, modelSection } from '../models/options.ts';
import { preprocessingOf } from '../models/published/preprocessing.ts';
import { type PublishedWeights, publishedOf, readPublished } from '../models/published/read.ts';
import type { Plugin } from '../plugin.ts';
import type { NetworkFacts, Pin, Pins, PreparedNetwork, PrepareTools } from '../prepare.ts';
import { pluginFailed } from '../step/errors.ts';
import { pinInit, readInit } from '../tracking/pinned-init.ts';
import { runFiles } from '../tracking/run-files.ts';
import { type KeptSources, warnChanged } from '../tracking/sources.ts';
import { fieldsOf } from '../util/fault.ts';
import { findFile, portable } from '../util/find-file.ts';
import { checksumWeights } from '../weights/checksum.ts';
import type { TrainerOptions } from './prepare.ts';
import {
  fileChanged,
  fileMissing,
  networkExtended,
  networkOwn,
  networkSection,
  networkUnnamed,
  networkUnpublished,
} from './prepared-errors.ts';

/** Where a plugin is prepared. */
export interface PrepareContext {
  /** Folder that paths are relative to. */
  directory: string;
  /** What it was prepared with before: what is read now must be the same. Default: nothing. */
  pins?: Pins | undefined;
  /** Of a trained run: the bytes of a file by its checksum, null where they were not kept, and which file is used where one has changed. */
  run?: (Pick<KeptSources, 'read'> & { prefers: 'kept' | 'current'; tells: boolean }) | undefined;
}

/**
 * A plugin with what its `prepare` gives; one that has none, or was prepared before, as it is.
 *
 * @throws {TailmixError} FILE_MISSING, FILE_CHANGED, INIT_…, WEIGHTS_…, NETWORK_OWN, PLUGIN_FAILED
 */
export async function preparePlugin(plugin: Plugin, context: PrepareContext): Promise<Plugin> {
  const { definition, options } = plugin;
  if (!definition.prepare || plugin.prepared) return plugin;
  const pins: Record<string, Pin> = {};
  const places: Record<string, string> = {};
  const tools = toolsOf(definition.name, context, (named, place, pin) => {
    pins[place] = pin;
    places[named] = place;
  });
  const value = await Promise.resolve()
    .then(() => definition.prepare!(options, tools))
    .catch((error: unknown) => {
      throw pluginFailed({ plugin: definition.name, hook: 'prepare' }, error);
    });
  return { ...plugin, prepared: { value, pins, places } };
}

/** Options whose plugins, of all phases, are prepared; of a config they are already. */
export async function withPrepared(options: TrainerOptions): Promise<TrainerOptions> {
  const prepared = (plugins: readonly Plugin[]) =>
    Promise.all(plugins.map((plugin) => preparePlugin(plugin, { directory: '.' })));
  const { plugins, phases } = options;
  return {
    ...options,
    ...(plugins && { plugins: await prepared(plugins) }),
    ...(phases && {
      phases: await Promise.all(
        phases.map(async (phase) => ({ ...phase, ...(phase.plugins && { plugins: await prepared(phase.plugins) }) })),
      ),
    }),
  };
}

function toolsOf(
  plugin: string,
  { directory, pins = {}, run }: PrepareContext,
  note: (named: string, place: string, pin: Pin) => void,
): PrepareTools {
  return {
    async file(named) {
      const found = findFile(named, directory);
      const place = found === null ? named : portable(found);
      const expected = pins[place]?.sha256 ?? pins[named]?.sha256;
      const bytes = found === null ? null : await readFile(found);
      const sha256 = bytes && createHash('sha256').update(bytes).digest('hex');
      if (bytes && sha256 && (expected === undefined || sha256 === expected)) {
        note(named, place, { sha256 });
        return bytes;
      }
      if (bytes && sha256 && run?.prefers === 'current') {
        if (run.tells) warnChanged(place, 'current');
        note(named, place, { sha256 });
        return bytes;
      }
      const stored = expected === undefined ? null : await run?.read(expected);
      if (stored) {
        if (sha256 && run!.tells) warnChanged(place, 'kept');
        note(named, place, { sha256: expected! });
        return stored;
      }
      throw sha256 ? fileChanged(plugin, place, expected!, sha256) : fileMissing(plugin, named, directory);
    },
    async network(from, model) {
      const known = pins[from];
      const { place, pin } = known?.network
        ? { place: from, pin: { ...known, network: known.network } }
        : model === undefined
          ? await pinRun(plugin, from)
          : await pinFile(plugin, from, directory, model);
      note(from, place, pin);
      return { ...pin.network, weights: weightsOf(plugin, place, pin, model !== undefined) };
    },
  };
}

/** Whether a name is that of a file in the place of a checkpoint: not in the folder of a run. */
const isWeightsFile = (from: string): boolean => /\.\w+$/.test(from) && basename(dirname(from)) !== 'checkpoints';

type NetworkPin = { place: string; pin: Pin & { network: NetworkFacts } };

const described = z.object({
  classes: z.array(z.string()),
  mean: z.array(z.number()),
  std: z.array(z.number()),
});

/** Another run: the checkpoint that its name means now. */
async function pinRun(plugin: string, from: string): Promise<NetworkPin> {
  const { run: place, sha256 } = await pinInit(from, 'network').catch((error: unknown) => {
    if (!(error instanceof TailmixError) || !error.code.startsWith('CHECKPOINT_') || !isWeightsFile(from)) throw error;
    throw networkUnnamed(plugin, from, error);
  });
  const directory = dirname(dirname(place));
  const [config, subset] = await Promise.all(
    [runFiles.config, runFiles.subset].map((file) => readFile(join(directory, file), 'utf8').catch(() => 'null')),
  );
  const about = described.safeParse(JSON.parse(subset!));
  const section = modelSection.safeParse(fieldsOf(parse(config!))?.model);
  if (!about.success || !section.success) throw networkOwn(plugin, displayPath(place));
  return { place, pin: { sha256, network: { model: sectionOf(section.data), ...about.data } } };
}

/** A file of published weights of a network that the plugin's options describe. */
async function pinFile(
  plugin: string,
  from: string,
  directory: string,
  model: Readonly<Record<string, unknown>>,
): Promise<NetworkPin> {
  if (typeof model.name !== 'string' || !isPublished(model.name)) throw networkUnpublished(plugin, from, model.name);
  const section = modelSection.safeParse(model);
  if (!section.success) {
    const problems = section.error.issues.map(({ path, message }) =>
      ['model', ...path].join('.').concat(': ', message),
    );
    throw networkSection(plugin, from, problems);
  }
  const place = portable(findFile(from, directory) ?? from);
  const published = publishedIn(model, place);
  const found = await preprocessingOf(published);
  const [mean, std] = [found?.mean ?? null, found?.std ?? null];
  const network = { model: sectionOf(section.data), classes: null, mean, std };
  return { place, pin: { sha256: await checksumWeights(place), network } };
}

const sectionOf = (section: ModelSection): Readonly<Record<string, unknown>> =>
  withoutStart(section as ModelInput) as unknown as Record<string, unknown>;

/** @throws {z.ZodError} for a section that names no network of published weights */
const publishedIn = (model: Readonly<Record<string, unknown>>, file: string): PublishedWeights =>
  publishedOf(modelSection.parse({ ...model, weights: file }))!;

function weightsOf(
  plugin: string,
  place: string,
  { sha256, network }: NetworkPin['pin'],
  isPublished: boolean,
): PreparedNetwork['weights'] {
  return async (model) => {
    if (isPublished) return readPublished({ ...publishedIn(network.model, place), sha256 }, model, () => true);
    const { state, weights } = await readInit({ run: place, sha256 }, 'pinned');
    const own = new Set(model.weights.map(({ name }) => name));
    const added = weights.filter((name) => !own.has(name));
    if (added.length > 0) throw networkExtended(plugin, place, added);
    return Object.fromEntries(weights.map((name) => [name, state[name]!.values]));
  };
}
