import { resolve } from 'node:path';
import { displayPath, TailmixError } from '../errors.ts';
import { publishedNames } from '../models/model-names.ts';

/** A file that a plugin reads is not there. */
export const fileMissing = (plugin: string, path: string, directory: string): TailmixError =>
  new TailmixError(
    `[${plugin}] prepare: expected a file at ${displayPath(resolve(directory, path))}; there is none. Paths start from the config, or from the working directory.`,
    { code: 'FILE_MISSING', kind: 'config', plugin },
  );

/** A file that a plugin reads is not what the run was made with. */
export const fileChanged = (plugin: string, path: string, expected: string, got: string): TailmixError =>
  new TailmixError(
    `[${plugin}] prepare: ${path}: expected a file with SHA-256 ${expected.slice(0, 12)}…, got ${got.slice(0, 12)}…: it was changed. Restore it, or remove it from the entry's \`pinned\`.`,
    { code: 'FILE_CHANGED', kind: 'config', plugin },
  );

/** A file that is no checkpoint, and of which nothing says what network it has. */
export const networkUnnamed = (plugin: string, file: string, cause: TailmixError): TailmixError =>
  new TailmixError(
    `[${plugin}] prepare: ${file}: expected a run or one of its checkpoints, or a file of published weights with the section \`model\` that it is of; got the file alone. Read as a checkpoint: ${cause.message}`,
    { code: 'NETWORK_UNNAMED', kind: 'config', plugin, cause },
  );

/** A section that no published weights are of. */
export const networkUnpublished = (plugin: string, file: string, name: unknown): TailmixError =>
  new TailmixError(
    `[${plugin}] prepare: ${file}: expected the section \`model\` of a network of which published weights can be read (name: ${publishedNames.join(', ')}); got ${JSON.stringify(name)}.`,
    { code: 'NETWORK_UNPUBLISHED', kind: 'config', plugin },
  );

/** A section `model` that does not describe a network. */
export const networkSection = (plugin: string, file: string, problems: readonly string[]): TailmixError =>
  new TailmixError(
    `[${plugin}] prepare: ${file}: expected the section \`model\` of the network that it is of, as a config has it; ${problems.join('; ')}.`,
    { code: 'NETWORK_SECTION', kind: 'config', plugin },
  );

/** A checkpoint whose network is not known: not in its run's folder, or of a model of a user's own. */
export const networkOwn = (plugin: string, checkpoint: string): TailmixError =>
  new TailmixError(
    `[${plugin}] prepare: ${checkpoint}: expected a checkpoint in the folder of its run, whose config.yaml names one of tailmix's networks; found none. Choose such a run.`,
    { code: 'NETWORK_OWN', kind: 'config', plugin },
  );

/** Another run whose plugins have added weights to its network. */
export const networkExtended = (plugin: string, run: string, added: readonly string[]): TailmixError =>
  new TailmixError(
    `[${plugin}] ${run}: expected the weights of its network alone; plugins of that run have added ${added.slice(0, 3).join(', ')}${added.length > 3 ? ` and ${added.length - 3} more` : ''}. Choose a run without such plugins.`,
    { code: 'NETWORK_EXTENDED', kind: 'config', plugin },
  );
