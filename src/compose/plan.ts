import type { FeatureSource } from '../data/features.ts';
import type { TransformOptions } from '../data/transforms/options.ts';
import type { CountSummary } from '../data/types.ts';
import { heldBy } from '../plugin.ts';
import type { RunInfo } from '../run.ts';
import { tapsOf } from './compose.ts';
import type { Composition, DeclaredRows, Warning } from './types.ts';

const COLUMN = 24;
const line = (name: string, text: string): string => `${name.padEnd(COLUMN)}${text}`;

/** Lines of a plan: title and text of each. */
export type PlanLines = readonly (readonly [title: string, text: string])[];

/**
 * What will run, as a table: each hook with its taps in order (rank in brackets), capabilities, inputs, variants,
 * the long tail, warnings. Printed by `tailmix plan` and `tailmix train --plan`, and kept as `plan.txt`.
 *
 * @param unread - what is known of class counts that come with data that is not there
 * @param more - what else is known of model, loss and state
 */
export function formatPlan(
  composition: Composition,
  info: RunInfo,
  unread: CountSummary | null = null,
  more: PlanLines = [],
): string {
  const lines = [
    ...describeData(info, unread),
    ...describeStart(info.start),
    ...describeSteps(composition, info, more),
  ];
  return `${lines.join('\n')}\n`;
}

/** {@link formatPlan} without hooks and what plugins declare: what is said before a run. */
export function formatBrief(
  run: RunInfo,
  phases: readonly { composition: Composition; info: RunInfo }[],
  unread: CountSummary | null = null,
): string {
  const lines = [
    ...describeData(run, unread),
    ...phases.flatMap(({ composition: { plugins, warnings }, info }) => [
      ...(phases.length > 1 ? phaseTitle(info, phases.length) : []),
      ...describeStart(info.start),
      stepsLine(info),
      line('plugins', plugins.map(({ definition }) => definition.name).join(', ') || 'none'),
      ...warnings.map(warningLine),
    ]),
  ];
  return lines.join('\n');
}

/** {@link formatPlan} for a run of several phases: what spans it, and what each phase runs. */
export function formatPhases(
  spanning: Composition,
  run: RunInfo,
  phases: readonly { composition: Composition; info: RunInfo; more?: PlanLines }[],
  unread: CountSummary | null = null,
): string {
  const lines = [
    ...describeData(run, unread),
    line('phases', phases.map(({ info: { phase } }) => `${phase!.name} (${phase!.epochs} epochs)`).join(' → ')),
    ...describeHooks(spanning),
    ...phases.flatMap(({ composition, info, more }) => [
      ...phaseTitle(info, phases.length),
      ...describeStart(info.start),
      ...describeSteps(composition, info, more),
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

function describeData(info: RunInfo, unread: CountSummary | null): string[] {
  const { classCounts, classes } = info;
  const largest = unread?.largest ?? Math.max(...classCounts);
  const smallest = unread?.smallest ?? Math.min(...classCounts);
  return [
    line('run', `${info.name}, seed ${info.seed}`),
    line(
      'data',
      `${info.dataset}: ${info.trainCount} images, ${classes.length} classes, ratio ${formatRatio(largest / smallest)}`,
    ),
    line(
      'class counts',
      unread
        ? `${unread.largest} to ${unread.smallest}; each is in ${unread.source}, which is not under the data root`
        : formatCounts(classCounts),
    ),
    line('augment', info.augment.map(formatTransform).join(', ') || 'none'),
    ...(info.features ? [line('features', describeFeatures(info, info.features))] : []),
    ...(info.dataNotes ?? []).map((note) => line('images', note)),
  ];
}

/** `1280 of mobilenet-v2, computed once of images of 128 × 128`. */
const describeFeatures = ({ featureSize }: RunInfo, { backbone, images }: FeatureSource): string =>
  `${featureSize} of ${backbone}, computed once of images of ${images.shape.slice(0, 2).join(' × ')}`;

/** `pad-crop (padding 4)`. */
const formatTransform = ({ name, ...options }: TransformOptions): string => {
  const values = Object.entries(options).map(([key, value]) => `${key} ${[value].flat().map(short).join(' to ')}`);
  return values.length > 0 ? `${name} (${values.join(', ')})` : name;
};

const short = (value: unknown): unknown => (typeof value === 'number' ? Number(value.toPrecision(4)) : value);

const phaseTitle = ({ phase }: RunInfo, count: number): string[] => [
  '',
  line(`phase ${phase!.number} of ${count}`, phase!.name),
];

function stepsLine({ epochs, stepsPerEpoch, batchSize, replicas = 1, batchNorm, pairs }: RunInfo): string {
  const steps = `${epochs} epochs × ${stepsPerEpoch} steps of ${batchSize}`;
  if (replicas === 1) return line('steps', steps);
  const synced = batchNorm === 'synced' ? ', batch norm synced' : '';
  const global = pairs === 'global' ? ', partners from the whole batch' : '';
  return line('steps', `${steps} in ${replicas} replicas of ${batchSize / replicas}${synced}${global}`);
}

const warningLine = ({ code, plugin, message }: Warning): string => line('warning', `${code} [${plugin}] ${message}`);

const describeHooks = ({ hooks }: Pick<Composition, 'hooks'>): string[] =>
  tapsOf(hooks).map(([hook, taps]) => line(hook, taps.map(({ name, stage }) => `${name}(${stage})`).join('  ')));

function describeSteps(
  { hooks, plugins, provides, inputs, variants, groups, warnings }: Composition,
  info: RunInfo,
  more: PlanLines = [],
): string[] {
  const lines = [
    stepsLine(info),
    ...tunedLine(info),
    ...more.map(([title, text]) => line(title, text)),
    ...(info.preprocessing ? [line('preprocessing', info.preprocessing)] : []),
    ...(info.weightGroups ?? []).map((group) => line('optimizer', group)),
    '',
    ...describeHooks({ hooks }),
    '',
    line(
      'provides',
      Object.entries(provides)
        .map(([capability, plugin]) => `${capability}: ${plugin}`)
        .join('  ') || '–',
    ),
  ];
  const declared = (title: string, entries: string[]): void => {
    if (entries.length > 0) lines.push(line(title, entries.join('  ')));
  };
  declared(
    'holds',
    plugins
      .filter((plugin) => heldBy(plugin).length > 0)
      .map(
        (plugin) =>
          `${plugin.definition.name}: ${heldBy(plugin)
            .map((held) => held.plugin.definition.name)
            .join(' | ')}`,
      ),
  );
  declared(
    'inputs',
    Object.entries(inputs).map(([name, { shape, dtype }]) => `${name}: ${dtype}[${shape.join(', ')}]`),
  );
  declared(
    'variants',
    Object.entries(variants).map(([name, values]) => `${name}: ${values.join(' | ')}`),
  );
  declared('rows', Object.entries(groups).map(describeGroup));
  lines.push(...warnings.map(warningLine));
  return lines;
}

/** `bcl/first: view (flip)`, `glmc/patch: view of glmc/partner`, `cmo/rare: drawn from train`. */
const describeGroup = ([name, group]: [string, DeclaredRows]): string => {
  const augment = group.augment === null ? '' : ` (${group.augment.map(formatTransform).join(', ') || 'no augment'})`;
  if (!group.view) return `${name}: drawn from ${group.from}${augment}`;
  return `${name}: view${group.of === undefined ? '' : ` of ${group.of}`}${augment}`;
};

const tunedLine = ({ tuned }: RunInfo): string[] =>
  tuned ? [line('trained', `${tuned.trained} of ${tuned.all} parameters; the rest of the backbone is frozen`)] : [];

/** Where the weights begin, and what is frozen; nothing for a plain run. */
function describeStart({ init, reset, freeze, frozenNorm }: RunInfo['start']): string[] {
  const anew = reset.length > 0 ? `; ${reset.join(' and ')} reinitialized` : '';
  const norms = frozenNorm && { batch: 'the batch', running: 'their averages, which stay' }[frozenNorm];
  return [
    ...(init === null ? [] : [line('starts from', `${init}${anew}`)]),
    ...(freeze.length > 0
      ? [line('frozen', `${freeze.join(' and ')}${norms === null ? '' : `; batch norms by ${norms}`}`)]
      : []),
  ];
}

const formatRatio = (ratio: number): string => (Number.isInteger(ratio) ? String(ratio) : ratio.toFixed(1));

const SHOWN = 20;

function formatCounts(counts: readonly number[]): string {
  if (counts.length <= SHOWN) return counts.join(' ');
  const half = SHOWN / 2;
  return `${counts.slice(0, half).join(' ')} … ${counts.slice(-half).join(' ')}`;
}
