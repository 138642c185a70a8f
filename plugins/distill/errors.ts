import { type Model, TailmixError } from 'tailmix';

/** There is nothing to learn from. */
export const teacherNeeded = (): TailmixError =>
  new TailmixError('[distill] teacher: expected a run, a checkpoint or, with `model`, a file of weights; got none.', {
    code: 'TEACHER',
    kind: 'config',
    plugin: 'distill',
  });

/** The teacher tells other classes apart. */
export const classesDiffer = (teacher: number, run: number): TailmixError =>
  new TailmixError(
    `[distill] teacher: expected a network for the ${run} classes of the run, in their order; got one for ${teacher === run ? 'others' : teacher}. Choose a teacher that was trained on these classes.`,
    { code: 'TEACHER', kind: 'config', plugin: 'distill' },
  );

/** A file of weights without some that the network needs: its classifier is for other classes. */
export const weightsLacking = (plugin: string, lacking: readonly string[], classes: number): TailmixError =>
  new TailmixError(
    `[${plugin}] expected all weights of a trained network for the ${classes} classes of the run; its file lacks ${lacking.join(', ')}, or has them for another number of classes. Fine-tune it on these classes first (model.weights), and give that run.`,
    { code: 'NETWORK_LACKING', kind: 'config', plugin },
  );

/** Features are mixed where the teacher has none. */
export const stageMissing = (stage: string, { name, stages }: Pick<Model, 'name' | 'stages'>): TailmixError =>
  new TailmixError(
    `[distill] expected a mixing stage that the teacher has; features are mixed at ${stage}, and ${name} has ${stages.join(', ')}. Mix pixels, or take a teacher of the same network.`,
    { code: 'TEACHER', kind: 'config', plugin: 'distill' },
  );
