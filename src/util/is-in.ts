import { sep } from 'node:path';

/** Whether a path is a folder, or lies in it, by their names; both absolute. */
export const isIn = (folder: string, path: string): boolean => path === folder || path.startsWith(folder + sep);
