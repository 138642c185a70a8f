import { TailmixError } from '../errors.ts';

/** An op that TensorFlow.js does not have on the backend in use, most often the gradient of one on WebAssembly. */
export const kernelMissing = (kernel: string, backend: string, cause: unknown): TailmixError =>
  new TailmixError(
    `step: expected ops that the backend ${backend} has; it lacks ${kernel}. Use the native backend (\`tailmix setup\`); where it is a gradient, freezing what is below it helps as well.`,
    { code: 'STEP_KERNEL', cause },
  );

export const unknownState = (name: string): TailmixError =>
  new TailmixError(`step: there is no state named "${name}".`, { code: 'STEP_STATE' });
