import { z } from 'zod';
import type { Adaptation } from './adaptation.ts';
import type { Hooks } from './hooks.ts';
import type { FeatureRows } from './long-tail/class-means.ts';
import type { Model, ModelHead, Task } from './models/types.ts';
import type { Pins, PrepareTools } from './prepare.ts';
import type { Random } from './random.ts';
import type { RowGroup } from './row-groups.ts';
import type { RunInfo } from './run.ts';
import type { InputSpec } from './step/types.ts';

/**
 * Rank of a tap among the taps of its hook, given to tapable as `stage`: `hooks.onBatch.tap({ name, stage: Order.Mix }, …)`.
 * Lower ranks run first; within one rank the order of the config decides. A plain `tap(name, …)` has rank 0.
 */
export const Order = {
  /** Decides which rows are drawn. */
  Sample: -200,
  /** Fills pair, lambda and box. */
  Mix: -100,
  /** Rewrites label weights. */
  Relabel: 0,
  /** Softens labels after everything else has changed them. */
  Smooth: 100,
  /** Limits gradients: the innermost wrap of the update, so it is the last to see them before the optimizer. */
  ClipGradients: 100,
  /** Averages weights after the optimizer has updated them. */
  Average: 200,
  /** Collects the gradients of several steps; wraps clipping, optimizer and averaging, which then run once per update. */
  Accumulate: 300,
  /** Observes and changes nothing. */
  Observe: 1000,
  /** Saves what observers have written so far. */
  Checkpoint: 1100,
  /** Sends records elsewhere, after files and checkpoints are written. */
  Publish: 1200,
} as const;

/** What core means by a capability; a run has one provider of each at most. */
export type Capability =
  /** Fills pair, lambda, box. */
  | 'mix'
  /** Rewrites label weights. */
  | 'relabel'
  /** Decides sampling weights. */
  | 'sampler'
  /** Replaces or adjusts the loss of a term. */
  | 'loss'
  /** Softens the label inside the loss of a term. */
  | 'smooth'
  /** Replaces the update. */
  | 'optimizer'
  /** Predicts with averages of the weights. */
  | 'average'
  /** Computes the logits otherwise than the model's classifier does. */
  | 'head'
  /** Runs the model several times, or on rows of its own, and takes its outputs apart. */
  | 'branches'
  /** Decides the learning rate. */
  | 'learning-rate';

/** What a method makes up for. `class prior`: rare classes have few images. Corrected twice, they are favoured too much. */
export type Correction = 'class prior';

/** What `apply` gets. */
export interface PluginContext<Prepared = unknown> {
  hooks: Hooks;
  info: RunInfo;
  /** What `prepare` gave. */
  prepared: Prepared;
  /** Opens the plugin's own stream `(seed, plugin, …key)`; use `(ctx.epoch, ctx.step)` as key inside a step. */
  random(...key: (string | number)[]): Random;
  /** Tells the user once that an option has no effect or is not meant so; `code` as in errors. */
  warn(code: string, message: string): void;
  /** Plugins of the option that `holds` names, in its order. */
  held: readonly HeldPlugin[];
}

/** A plugin that another one holds: applied to hooks of its own, which run when the holder calls them. */
export interface HeldPlugin {
  name: string;
  hooks: Hooks;
  /** Declared inputs as `<plugin>/<input>`; they must be filled in every step ({@link emptyInput} where not used). */
  inputs: Readonly<Record<string, InputSpec>>;
  /** Declared variants; the first value of each is what the plugin expects unless it sets another. */
  variants: Readonly<Record<string, readonly string[]>>;
}

/** State that must survive a resume; a plugin without it is stateless by contract. */
export interface PluginState {
  /** JSON. */
  save(): unknown;
  load(saved: unknown): void;
}

/** What `initialWeights` gets. */
export interface InitialContext<Prepared = unknown> {
  info: RunInfo;
  /** What `prepare` gave. */
  prepared: Prepared;
  /** With what plugins added to it. */
  model: Model;
  /** Opens the plugin's own stream for this. */
  random(...key: (string | number)[]): Random;
  /** What a weight begins with so far; undefined where the model has none of that name. */
  valuesOf(weight: string): Float32Array | undefined;
  /**
   * Features of all training images by the network as it begins, a batch at a time, in a fixed order, without augmentation
   * and without mixing. The arrays are the run's until the next batch is asked for.
   */
  features(): AsyncIterable<FeatureRows>;
}

/** What a plugin is: declarations that core checks before any data is read, and one function that taps hooks. */
export interface PluginDefinition<Options extends z.ZodObject = z.ZodObject, Prepared = unknown> {
  /** kebab-case; also the `use:` value, the stream's name and the prefix of declared inputs. */
  name: string;
  /** `z.strictObject`; each option described, with a default where it has one. */
  options: Options;
  /**
   * Reads what the plugin needs before it is composed: files, other runs. May be asynchronous. What it reads by `tools` is pinned by
   * content: it is part of the config's hash and in the logged config, so that a resumed or evaluated run has the same or
   * says so. Called whenever a config is read (for `plan` too): read no more than needed. What it returns is given to
   * `extendModel`, `initialWeights` and `apply`; write it above those, so that TypeScript knows its type there. A plugin that another
   * one holds cannot have it.
   *
   * @example
   * ```ts
   * async prepare({ costs }, tools) {
   *   return parseCsv(await tools.file(costs));
   * },
   * apply({ hooks, prepared }) { … },
   * ```
   */
  prepare?(options: z.output<Options>, tools: PrepareTools): Promise<Prepared> | Prepared;
  provides?: readonly Capability[];
  requires?: readonly Capability[];
  /**
   * `run`: one for the whole run, also where the run has several phases. It observes, and taps `on…` hooks alone; epochs
   * and steps are those of the run. Default `phase`: each phase has its own, for which the phase is the run.
   */
  spans?: 'phase' | 'run';
  /** The classifier that the model must have. */
  head?: ModelHead['kind'];
  /** What the plugin corrects under these options; the user is warned where two correct the same. */
  corrects?(options: z.output<Options>): Correction | null;
  /**
   * Capabilities that make no sense in addition to this plugin under these options, each with the reason: the user is
   * warned where another plugin of the run provides one.
   */
  conflicts?(options: z.output<Options>): Partial<Record<Capability, string>>;
  /** Inputs that the plugin fills in `onBatch` as `batch.inputs['<plugin>/<input>']`. */
  inputs?(options: z.output<Options>, info: RunInfo): Readonly<Record<string, InputSpec>>;
  /** Values that select a traced graph, set in `onBatch` as `batch.variants[name]`; the first is the default. */
  variants?(options: z.output<Options>, info: RunInfo): Readonly<Record<string, readonly string[]>>;
  /**
   * More rows for each step, B a group, by the group's name: other views of the trained rows, or images drawn in
   * addition. They are loaded behind the trained rows, at `batch.groups['<plugin>/<group>']` in `onBatch` and at
   * `pass.groups` in a `build…` function; {@link forwardRows} runs the model on them too.
   *
   * @example
   * ```ts
   * rows: (options, { classCounts }) => ({
   *   second: { view: true, augment: [{ name: 'flip' }, { name: 'color-jitter' }] },
   *   rare: { weights: () => inverseFrequencyWeights(classCounts) },
   * }),
   * ```
   */
  rows?(options: z.output<Options>, info: RunInfo): Readonly<Record<string, RowGroup>>;
  /**
   * The model with weights of the plugin's own, which a `buildModel` tap could not give it: another scale for the
   * logits, a second branch. Names of added weights begin with the plugin's. Runs before any hook; a plugin that
   * another one holds cannot have it.
   */
  extendModel?(model: Model, options: z.output<Options>, task: Task, prepared: Prepared): Model;
  /**
   * Names of the model's weights that are trained, before plugins added to it: all others but the classifier's are frozen,
   * in addition to `model.freeze`. What plugins add is trained. Where several plugins say it, what any of them names is trained.
   */
  trains?(model: Model, options: z.output<Options>): readonly string[];
  /**
   * First values of weights, computed from data and model: by weight name, in the shape of each; all others begin as without
   * the plugin. Called once before a run's first step (in a run of phases, before each phase's), and not where a run is
   * resumed: its checkpoint has the weights. Everything random in it comes from `random`.
   */
  initialWeights?(
    context: InitialContext<Prepared>,
    options: z.output<Options>,
  ): Promise<Record<string, Float32Array>> | Record<string, Float32Array>;
  /**
   * A prediction that `tailmix evaluate --adapt` fits to images without their labels. Training, checkpoints and exports know nothing of
   * it. A plugin that another one holds cannot have it.
   */
  adapt?(options: z.output<Options>, info: RunInfo): Adaptation;
  // biome-ignore lint/suspicious/noConfusingVoidType: a plugin without state returns nothing.
  apply(context: PluginContext<Prepared>, options: z.output<Options>): PluginState | undefined | void;
  /**
   * Option that lists plugins which this one holds: `z.array(z.strictObject({ plugin: pluginOption(), … }))`. In YAML
   * its items are plugin entries, with the other keys of the item among their options:
   * `- { use: mixup, weight: 2, alpha: 0.4 }`. Core loads them, adds what they declare to the run, and applies them to
   * hooks of their own (`context.held`). Each provides what the holder provides, and the holder provides it for all.
   */
  holds?: string;
}

/** A definition with its options filled in: what a run is composed of. */
export interface Plugin {
  definition: PluginDefinition;
  /** Resolved, defaults in. */
  options: Record<string, unknown>;
  /** What `prepare` gave, once it was called, what it has read, and where that was by the place that it named. */
  prepared?: { value: unknown; pins: Pins; places: Readonly<Record<string, string>> };
}

/** An item of the option that `holds` names. */
export type HeldItem = { plugin: Plugin } & Record<string, unknown>;

/** Plugins that a plugin holds, with what its option says of each. */
export const heldBy = ({ definition: { holds }, options }: Plugin): readonly HeldItem[] =>
  holds === undefined ? [] : (options[holds] as HeldItem[]);

/** True for a plugin made by a call, `remix({ kappa: 3 })`. */
export const isPlugin = (value: unknown): value is Plugin =>
  typeof value === 'object' && value !== null && 'definition' in value && 'options' in value;

/** Option that is a plugin; see `holds`. */
export const pluginOption = (): z.ZodType<Plugin> => z.custom<Plugin>(isPlugin, 'expected a plugin');

const labels = z.registry<{ label: true }, z.ZodType>();

/**
 * Marks an option as a text for people, a name or a tag: `${env:NAME}` stays in it as it is written, in the run too. All
 * other options get the value of the variable. Put it on the text itself: `label(z.string().min(1)).optional()`.
 */
export function label<Schema extends z.ZodType>(schema: Schema): Schema {
  labels.add(schema, { label: true });
  return schema;
}

/** Whether an option was marked by {@link label}. */
export const isLabel = (schema: z.ZodType): boolean => labels.has(schema);

/** A plugin as users call it: `remix({ kappa: 3 })`. The definition hangs on it, for YAML and documentation. */
export interface PluginFactory<Options extends z.ZodObject = z.ZodObject> {
  (options?: z.input<Options>): Plugin;
  definition: PluginDefinition<Options>;
}

/**
 * Makes a plugin from its definition. The YAML entry `- use: NAME` and the call `NAME(options)` end here alike.
 *
 * @throws {z.ZodError} from the returned factory when options do not fit; the config reader turns it into a report.
 */
export function definePlugin<Options extends z.ZodObject, Prepared = unknown>(
  definition: PluginDefinition<Options, Prepared>,
): PluginFactory<Options> {
  const factory = (options?: z.input<Options>): Plugin => ({
    definition: definition as unknown as PluginDefinition,
    options: definition.options.parse(options ?? {}),
  });
  return Object.assign(factory, { definition: definition as unknown as PluginDefinition<Options> });
}

/**
 * Option for a moment of the run: an epoch (1, 2, …) or a fraction of the run (0 < x < 1), so that a shortened run
 * keeps its shape. Resolve it with {@link resolveEpoch}.
 */
export const epochOption = (): z.ZodNumber => z.number().min(0);

/** Epochs done at the given moment: `resolveEpoch(160, 200)` is 160, `resolveEpoch(0.8, 200)` is 160 too. */
export function resolveEpoch(moment: number, epochs: number): number {
  return moment > 0 && moment < 1 ? Math.round(moment * epochs) : Math.trunc(moment);
}
