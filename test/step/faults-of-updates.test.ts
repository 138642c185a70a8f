import type { Backward, Gradients, SlotSpec, Update } from '../../src/step/types.ts';
import { tf } from '../../src/tf.ts';
import { describeFaults, type Fault, fail } from '../support/fault-table.ts';
import { tapping } from '../support/faulty.ts';

const backward = (change: (found: Backward) => unknown) => () =>
  tapping(
    'buildGradients',
    (gradients: Gradients): unknown =>
      (...given: Parameters<Gradients>) =>
        change(gradients(...given)),
  );
const update = (change: (update: Update) => object) => () =>
  tapping('buildUpdate', (before: Update): unknown => ({ ...before, ...change(before) }));
const applied = (change: (next: ReturnType<Update['apply']>) => unknown) =>
  update((before) => ({ apply: (...given: Parameters<Update['apply']>) => change(before.apply(...given)) }));
const slots = (...added: unknown[]) =>
  update((before) => ({ slots: (...given: Parameters<Update['slots']>) => [...before.slots(...given), ...added] }));
const slot = (changes: Partial<Record<keyof SlotSpec, unknown>> = {}) => ({
  name: 'faulty/slot',
  shape: [2],
  initial: () => new Float32Array(2),
  ...changes,
});

const gradients: Fault[] = [
  [
    'a number',
    () => tapping('buildGradients', () => 3),
    'buildGradients',
    'buildGradients: expected a function (weights, pass) → backward; got 3.',
  ],
  ['a function that throws', backward(fail), 'buildGradients', 'buildGradients: boom', 'PLUGIN_FAILED'],
  [
    'nothing',
    backward(() => undefined),
    'buildGradients',
    'buildGradients: expected { loss, penalties, figures, perSample, outputs, gradients }; got undefined.',
  ],
  [
    'a loss that is not reduced',
    backward((found) => ({ ...found, loss: tf.zeros([8]) })),
    'buildGradients',
    'buildGradients: loss: expected a float32 scalar; got float32 [8].',
  ],
  [
    'a penalty that is no scalar',
    backward((found) => ({ ...found, penalties: { faulty: tf.zeros([2]) } })),
    'buildGradients',
    'buildGradients: penalties.faulty: expected a float32 scalar; got float32 [2].',
  ],
  [
    'no outputs',
    backward(({ outputs: _, ...found }) => found),
    'buildGradients',
    'buildGradients: outputs: expected { logits, features, statistics }; got undefined.',
  ],
  [
    'a gradient of another shape',
    backward((found) => ({ ...found, gradients: { ...found.gradients, 'classifier/bias': tf.zeros([3]) } })),
    'buildGradients',
    'buildGradients: gradients["classifier/bias"]: expected float32 [4], as before; got float32 [3].',
  ],
  [
    'a gradient of an unknown weight',
    backward((found) => ({ ...found, gradients: { ...found.gradients, 'classifier/bais': tf.zeros([4]) } })),
    'buildGradients',
    'buildGradients: gradients["classifier/bais"]: expected a known name, perhaps "classifier/bias"; got a new one.',
  ],
  [
    'without the gradient of a weight',
    backward((found) => {
      const { 'classifier/bias': _, ...others } = found.gradients;
      return { ...found, gradients: others };
    }),
    'buildGradients',
    'buildGradients: gradients: expected one for each weight that is trained, "classifier/bias" too; got none for it. Pass on those that were handed in: { ...gradients, … }. model.freeze keeps weights from being trained.',
  ],
  [
    'reading the gradient of an unknown weight',
    backward((found) => ({ ...found, loss: found.gradients['classifier/bais']!.sum() })),
    'buildGradients',
    `buildGradients: Cannot read properties of undefined (reading 'sum')
  It read the gradient "classifier/bais", which does not exist: perhaps "classifier/bias".`,
    'PLUGIN_FAILED',
  ],
];

const updates: Fault[] = [
  [
    'a function',
    () => tapping('buildUpdate', () => fail),
    'buildUpdate',
    'buildUpdate: expected an update { slots, apply }; got a function.',
  ],
  [
    'nothing of an update',
    () => tapping('buildUpdate', () => ({})),
    'buildUpdate',
    'buildUpdate, slots: expected a function (trained, all) → slots; got undefined.',
  ],
  [
    'an update without apply',
    () => tapping('buildUpdate', (before: Update): unknown => ({ slots: before.slots })),
    'buildUpdate',
    'buildUpdate, apply: expected a function (weights, slots, gradients, pass) → { weights, slots }; got undefined.',
  ],
  ['slots that throw', update(() => ({ slots: fail })), 'buildUpdate', 'buildUpdate, slots: boom', 'PLUGIN_FAILED'],
  [
    'reading a slot that does not exist',
    update((before) => ({
      apply: (...given: Parameters<Update['apply']>) => {
        const next = before.apply(...given);
        return { ...next, slots: { ...next.slots, 'momentum/x': given[1]['momentum/hidden/kernle']!.mul(1) } };
      },
    })),
    'buildUpdate',
    `buildUpdate, apply: Cannot read properties of undefined (reading 'mul')
  It read the slot "momentum/hidden/kernle", which does not exist: perhaps "momentum/hidden/kernel".`,
    'PLUGIN_FAILED',
  ],
  [
    'slots that are no list',
    update(() => ({ slots: () => 3 })),
    'buildUpdate',
    'buildUpdate, slots: expected a list of slots; got 3.',
  ],
  [
    'a slot without values',
    slots({ name: 'x' }),
    'buildUpdate',
    'buildUpdate, slots: [3]: expected a slot { name, shape, initial(weights) }; got an object with name.',
  ],
  [
    'slots of one name',
    slots(slot(), slot()),
    'buildUpdate',
    'buildUpdate, slots: [4]: expected a name that no other slot has; got "faulty/slot".',
  ],
  [
    'a slot with the name of a weight',
    slots(slot({ name: 'classifier/bias' })),
    'buildUpdate',
    'buildUpdate, slots: [3]: expected a name that no weight has; got "classifier/bias".',
  ],
  [
    'a slot of the wrong length',
    slots(slot({ initial: () => new Float32Array(3) })),
    'buildUpdate',
    'buildUpdate, initial of "faulty/slot": expected a Float32Array of 2, each of finite size; got a Float32Array of 3.',
  ],
  [
    'a slot of another type',
    slots(slot({ initial: () => [0, 0] })),
    'buildUpdate',
    'buildUpdate, initial of "faulty/slot": expected a Float32Array of 2, each of finite size; got an array of 2.',
  ],
  [
    'a slot of NaN',
    slots(slot({ initial: () => Float32Array.of(0, Number.NaN) })),
    'buildUpdate',
    'buildUpdate, initial of "faulty/slot": [1]: expected a number of finite size; got NaN.',
  ],
  [
    'a slot that throws',
    slots(slot({ initial: fail })),
    'buildUpdate',
    'buildUpdate, initial of "faulty/slot": boom',
    'PLUGIN_FAILED',
  ],
  ['an apply that throws', applied(fail), 'buildUpdate', 'buildUpdate, apply: boom', 'PLUGIN_FAILED'],
  [
    'an apply of nothing',
    applied(() => undefined),
    'buildUpdate',
    'buildUpdate, apply: expected { weights, slots }; got undefined.',
  ],
  [
    'an apply without slots',
    applied(({ weights }) => ({ weights })),
    'buildUpdate',
    'buildUpdate, apply: slots: expected tensors by name; got undefined.',
  ],
  [
    'an unknown slot',
    applied((next) => ({ ...next, slots: { ...next.slots, 'momentum/classifier/bais': tf.zeros([4]) } })),
    'buildUpdate',
    'buildUpdate, apply: slots["momentum/classifier/bais"]: expected a known name, perhaps "momentum/classifier/bias"; got a new one.',
  ],
  [
    'a slot of another shape',
    applied((next) => ({ ...next, slots: { ...next.slots, 'momentum/classifier/bias': tf.zeros([3]) } })),
    'buildUpdate',
    'buildUpdate, apply: slots["momentum/classifier/bias"]: expected float32 [4], as before; got float32 [3].',
  ],
  [
    'a weight of another shape',
    applied((next) => ({ ...next, weights: { ...next.weights, 'classifier/bias': tf.scalar(0) } })),
    'buildUpdate',
    'buildUpdate, apply: weights["classifier/bias"]: expected float32 [4], as before; got a float32 scalar.',
  ],
  [
    'an unknown weight',
    applied((next) => ({ ...next, weights: { ...next.weights, 'classifier/bais': tf.zeros([4]) } })),
    'buildUpdate',
    'buildUpdate, apply: weights["classifier/bais"]: expected a known name, perhaps "classifier/bias"; got a new one.',
  ],
];

describeFaults('what a plugin makes of gradients', gradients);

describeFaults('what a plugin makes of the update', updates);
