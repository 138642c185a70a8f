import { systemRefused, TailmixError } from '../errors.ts';

const problem = (code: string, message: string): TailmixError => new TailmixError(message, { code });

/** The server refuses the file. */
export const downloadRefused = (url: string, status: number): TailmixError =>
  problem('DOWNLOAD_REFUSED', `${url} answered ${status}`);

/** The connection broke too often. */
export const downloadBroke = (url: string, reason: string): TailmixError =>
  problem('DOWNLOAD_BROKE', `the download of ${url} broke off (${reason}); run it again to continue where it stopped`);

/** The disk takes no more of the file, or nothing. */
export const downloadNotWritten = (path: string, cause: unknown): TailmixError =>
  new TailmixError(`${path}: expected to write the download there; ${systemRefused(cause)}`, {
    code: 'DOWNLOAD_NOT_WRITTEN',
    cause,
  });

/** Whether no other mirror, and no other attempt, would help. */
export const isNotWritten = ({ code }: TailmixError): boolean => code === 'DOWNLOAD_NOT_WRITTEN';

/** The file is another one than was published. */
export const wrongChecksum = (url: string): TailmixError =>
  problem('DOWNLOAD_CHECKSUM', `${url} does not have the published checksum and size; it was discarded`);

/** The server states another length than was published. */
export const wrongLength = (url: string, expected: number, stated: number): TailmixError =>
  problem(
    'DOWNLOAD_CHECKSUM',
    `${url} is another file: expected ${expected} bytes, and the server offers ${stated}; it was not fetched`,
  );

/** No mirror gave the file. */
export const allMirrorsFailed = (file: string, reasons: readonly string[]): TailmixError =>
  problem('DOWNLOAD_FAILED', `${file}: no mirror gave it.\n${reasons.map((reason) => `  ${reason}`).join('\n')}`);
