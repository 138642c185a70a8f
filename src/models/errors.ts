import { TailmixError } from '../errors.ts';

/** Images that a model would shrink to nothing. */
export const imageTooSmall = (model: string, smallest: number, height: number, width: number): TailmixError =>
  new TailmixError(
    `model.name: ${model} expects images of at least ${smallest}×${smallest} pixels; got ${height}×${width}. Choose a smaller model, for example small-cnn or mlp.`,
    { code: 'MODEL_IMAGE_SIZE', kind: 'config', path: 'model.name' },
  );
