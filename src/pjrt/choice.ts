/** What `train.device` asks for: `cpu`, `pjrt`, `pjrt:all`, `pjrt:1`, `pjrt:0,2`; undefined takes a device where a plugin is set up and finds one. */
export type DeviceChoice = string | undefined;

export const DEVICE_CHOICE = /^(cpu|pjrt(:(all|\d+(,\d+)*))?)$/;

/** Which devices of a plugin, by their places in its list; `all`; undefined: the first. */
export type Selection = readonly number[] | 'all' | undefined;

/** The devices that `pjrt:…` names, in order. */
export function selectionOf(choice: DeviceChoice): Selection {
  const list = choice?.split(':')[1];
  return list === undefined || list === 'all' ? list : [...new Set(list.split(',').map(Number))];
}
