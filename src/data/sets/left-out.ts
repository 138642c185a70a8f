import { extname } from 'node:path';

/** What lies in folders of images and is none of them. */
export interface LeftOut {
  /** Files and folders that systems and programs leave behind. */
  junk: number;
  /** Files of other kinds, by extension. */
  others: Map<string, number>;
  /** Images that lie in no class folder. */
  loose: number;
  /** Class folders without an image. */
  empty: string[];
}

/** Nothing left out yet. */
export const nothingLeftOut = (): LeftOut => ({ junk: 0, others: new Map(), loose: 0, empty: [] });

const JUNK = new Set(['__macosx', 'thumbs.db', 'desktop.ini']);

/** Whether a name is one that a system or a program makes: hidden (`._photo.jpg`, `.DS_Store`), `__MACOSX`, `Thumbs.db`. */
export const isJunk = (name: string): boolean => name.startsWith('.') || JUNK.has(name.toLowerCase());

/** Counts a file that is no image. */
export function addOther({ others }: LeftOut, name: string): void {
  const extension = extname(name).toLowerCase() || 'no extension';
  others.set(extension, (others.get(extension) ?? 0) + 1);
}

/** What was left out of several folders, a sentence for each kind. */
export function leftOutNotes(all: readonly LeftOut[]): string[] {
  const junk = all.reduce((sum, own) => sum + own.junk, 0);
  const loose = all.reduce((sum, own) => sum + own.loose, 0);
  const empty = all.flatMap((own) => own.empty);
  const others = new Map<string, number>();
  for (const own of all) for (const [kind, n] of own.others) others.set(kind, (others.get(kind) ?? 0) + n);
  const kinds = [...others].sort(([, a], [, b]) => b - a).map(([kind, n]) => `${kind} ${n}`);
  const more = kinds.length > KINDS ? ', …' : '';
  return [
    ...(junk > 0 ? [`left out: ${junk} hidden or system ${junk === 1 ? 'file' : 'files'} (._*, Thumbs.db, …)`] : []),
    ...(kinds.length > 0
      ? [`left out: files that are no images by their names (${kinds.slice(0, KINDS).join(', ')}${more})`]
      : []),
    ...(loose > 0 ? [`left out: ${loose} ${loose === 1 ? 'image' : 'images'} in no class folder`] : []),
    ...(empty.length > 0 ? [`left out: class folders without an image (${empty.join(', ')})`] : []),
  ];
}

/** Kinds of files that are named. */
const KINDS = 5;
