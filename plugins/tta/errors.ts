import { TailmixError } from 'tailmix';

/** Views are of pixels. */
export const pixelsNeeded = (): TailmixError =>
  new TailmixError(
    '[tta] expected a run on images, of which there are views; this one is on features, computed once. Train from pixels (data.features: false), or leave the plugin out.',
    { code: 'FEATURES_PIXELS', kind: 'config', plugin: 'tta' },
  );
