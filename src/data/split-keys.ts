import { relative } from 'node:path';
import { splitGroup } from './errors.ts';
import { contentsOf } from './identity.ts';
import type { SplitOptions } from './options.ts';
import { dataRoot } from './root.ts';
import type { ImageInfo, Split } from './types.ts';

/**
 * What decides the part of each image, `[N]`: its group where it has one, else its content.
 *
 * @throws {TailmixError} DATA_SPLIT for groups that the data cannot have
 */
export function splitKeys(
  split: Split,
  info: Pick<ImageInfo, 'name' | 'shape'>,
  { group, root }: { group: SplitOptions['group']; root: string | undefined },
): string[] {
  const groups = group === undefined ? null : groupsOf(split, info.name, group, dataRoot(root));
  const contents = contentsOf(split, info);
  return contents.map((content, row) => {
    const own = groups?.[row];
    return own === undefined || own === null ? content : `group\0${own}`;
  });
}

function groupsOf(
  { files, groups }: Split,
  name: string,
  group: NonNullable<SplitOptions['group']>,
  root: string,
): readonly (string | null)[] {
  if (typeof group !== 'string') {
    if (groups === undefined) throw splitGroup(name, 'column', 'a manifest, whose columns can be named');
    return groups;
  }
  if (files === undefined) throw splitGroup(name, 'pattern', 'images that are files, whose paths can be matched');
  const pattern = new RegExp(group, 'u');
  return files.map((file) => {
    const found = pattern.exec(relative(root, file).replaceAll('\\', '/').normalize('NFC'));
    return found === null ? null : (found[1] ?? found[0]);
  });
}
