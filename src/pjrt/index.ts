/** Recordings on the devices of a PJRT plugin: GPUs of any maker, by OpenXLA's C interface. */
export { type Device, openDevice } from './device.ts';
export { deviceSetting } from './errors.ts';
export { openProgram, partOf } from './open-program.ts';
export { chooseDevice } from './plugin.ts';
