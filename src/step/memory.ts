import process from 'node:process';
import { fileSize } from '../util/file-size.ts';

/** The call of a program that holds most, and how much that is. */
export interface Peak {
  call: string;
  bytes: number;
}

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
    `${what} needs about ${fileSize(bytes)} of memory; ${fileSize(free)} is free. The run may become very slow, or the system may kill it. ${cure}, data.imageSize or the size of the model, or end other programs.`,
    { type: 'TailmixWarning', code: 'MEMORY_LOW' },
  );
}
