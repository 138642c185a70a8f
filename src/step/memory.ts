import process from 'node:process';

/** The call of a program that holds most, and how much that is. */
export interface Peak {
  call: string;
  bytes: number;
}

const size = (bytes: number): string =>
  bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;

/**
 * Warns, with the code `MEMORY_LOW`, where the captured step needs more memory than is free, by an estimate from the shapes
 * that were recorded: docs/step.md says how good it is.
 *
 * @param free - bytes; default: what the system, or the container, has left
 */
export function warnOfMemory({ call, bytes }: Peak, free = process.availableMemory()): void {
  if (bytes <= free) return;
  const [what, cure] =
    call === 'train'
      ? [
          'a step of training',
          'Lower train.batchSize (with the plugin grad-accumulation the update stays that of the larger batch)',
        ]
      : ['an evaluation', 'Lower evaluate.batchSize'];
  process.emitWarning(
    `${what} needs about ${size(bytes)} of memory; ${size(free)} are free. The run may become very slow, or be ended by the system. ${cure}, data.imageSize or the size of the model, or end other programs.`,
    { type: 'TailmixWarning', code: 'MEMORY_LOW' },
  );
}
