import { z } from 'zod';
import { countLabels } from '../data/subset.ts';
import { hasStrength } from '../data/transforms/augment.ts';
import { type TransformOptions, transformOptions } from '../data/transforms/options.ts';
import type { Plugin } from '../plugin.ts';
import type { GroupImages, RowGroup } from '../row-groups.ts';
import type { RunInfo } from '../run.ts';
import { drawWeightsFault } from '../step/decided.ts';
import { returnedWrong } from '../step/errors.ts';
import { describeValue, type Fault, fieldsOf } from '../util/fault.ts';
import { declared } from './declared.ts';
import type { Composition, DeclaredRows, Warning } from './types.ts';

const transformList = z.array(transformOptions);

/**
 * The groups of rows of a plugin, by `<plugin>/<group>`; weights are checked at each call.
 *
 * @throws {TailmixError} PLUGIN_FAILED, RETURNED_PROMISE, RETURNED_WRONG, naming the plugin and the group.
 */
export function declaredRows({ definition, options }: Plugin, info: RunInfo): Record<string, DeclaredRows> {
  const { name, rows } = definition;
  if (!rows) return {};
  const groups = declared(
    name,
    'rows',
    () => definition.rows!(options, info),
    (found) => groupsFault(found, info),
  );
  return Object.fromEntries(
    Object.entries(groups).map(([group, value]) => [`${name}/${group}`, declaredGroup(name, group, value, info)]),
  );
}

function declaredGroup(plugin: string, group: string, value: RowGroup, info: RunInfo): DeclaredRows {
  const augment = value.augment === undefined ? null : transformsOf(plugin, group, value.augment);
  if (value.view) return { view: true, ...(value.of !== undefined && { of: `${plugin}/${value.of}` }), augment };
  const { from = 'train' } = value;
  return {
    view: false,
    from,
    augment: augment ?? (from === 'validation' ? [] : null),
    weights: (epoch, images) =>
      declared(
        plugin,
        'rows',
        () => value.weights(epoch, images),
        (drawn) => {
          const fault = weightsFault(drawn, { images, epoch, info });
          return fault && { ...fault, part: `weights of ${group}` };
        },
      ),
  };
}

function weightsFault(
  weights: Float64Array,
  { images, epoch, info }: { images: GroupImages; epoch: number; info: RunInfo },
): Fault | null {
  const count = images.labels.length;
  const { classes } = info;
  const perImage = weights instanceof Float64Array && weights.length === count && count !== classes.length;
  if (!perImage) {
    const classCounts = countLabels(images.labels, classes.length);
    return drawWeightsFault(weights, { classes, classCounts }, { rehearsal: epoch > info.epochs });
  }
  if (epoch > info.epochs) return null;
  const wrong = weights.findIndex((weight) => !(weight >= 0 && weight < Infinity));
  if (wrong >= 0)
    return { expected: 'finite numbers of 0 or more, one an image', got: `${weights[wrong]} at ${wrong}` };
  return weights.some((weight) => weight > 0) ? null : { expected: 'a weight above 0', got: 'zeros' };
}

function transformsOf(plugin: string, group: string, augment: unknown): TransformOptions[] {
  const parsed = transformList.safeParse(augment);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  const part = `${group}.augment${path.map((key) => `[${JSON.stringify(key)}]`).join('')}`;
  throw returnedWrong(
    { plugin, hook: 'rows' },
    { part, expected: 'transforms as data.augment has them', got: message },
  );
}

function groupsFault(found: unknown, info: RunInfo): Fault | null {
  const groups = fieldsOf(found);
  if (groups === null || Array.isArray(found)) return { expected: 'groups of rows by name', got: describeValue(found) };
  for (const [part, group] of Object.entries(groups)) {
    const fault = groupFault(fieldsOf(group), group, info) ?? viewFault(group as RowGroup, groups);
    if (fault !== null) return { ...fault, part };
  }
  return null;
}

/** A view of a group shows one that draws. */
function viewFault(group: RowGroup, groups: Record<string, unknown>): Fault | null {
  if (!group.view || group.of === undefined) return null;
  const drawn = Object.keys(groups).filter((name) => fieldsOf(groups[name])?.view !== true);
  if (drawn.includes(group.of)) return null;
  return { expected: `of: a group that draws (${drawn.join(', ') || 'there is none'})`, got: describeValue(group.of) };
}

function groupFault(fields: Record<string, unknown> | null, group: unknown, info: RunInfo): Fault | null {
  const expected = '{ view: true, of, augment } or { from, weights, augment }';
  if (fields === null) return { expected, got: describeValue(group) };
  const { view = false, from = 'train', weights, augment } = fields;
  if (view === true ? weights !== undefined || fields.from !== undefined : typeof weights !== 'function') {
    return { expected, got: describeValue(group) };
  }
  if (info.features && (view === true || augment !== undefined)) {
    const cure = 'Train from pixels (train.features: off), or leave the plugin out.';
    return { expected: 'rows as they are: this run is on features, computed once', got: 'a view or transforms', cure };
  }
  if (from !== 'train' && from !== 'validation')
    return { expected: 'from: train or validation', got: describeValue(from) };
  if (from === 'validation' && info.validationCount === 0) {
    const cure = 'Set data.split.validation, or draw from train.';
    return { expected: 'images to draw from', got: 'validation, of which this run has none', cure };
  }
  return null;
}

/** What a reader should know of the rows that a run trains on. */
export function rowWarnings(
  { groups, hooks }: Pick<Composition, 'groups' | 'hooks'>,
  { augment }: Pick<RunInfo, 'augment'>,
): Warning[] {
  const chosen = Object.entries(groups)
    .filter(([, group]) => !group.view && group.from === 'validation')
    .map(([name]): Warning => {
      const message =
        'trains on validation images: figures on them, and what is chosen by them, look better than they are.';
      return { code: 'NOT_INTENDED', plugin: name.split('/')[0]!, message };
    });
  const idle = augment.some(hasStrength) ? [] : hooks.computeAugmentation.taps;
  const message =
    'changes the strength of the augmentation, and no transform of data.augment has one (rand-augment, auto-augment, color-jitter, pca-lighting, cutout).';
  return [...chosen, ...idle.map(({ name }): Warning => ({ code: 'NO_EFFECT', plugin: name, message }))];
}
