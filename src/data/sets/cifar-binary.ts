import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, TailmixError } from '../../errors.ts';
import { badFile, readFailed } from '../errors.ts';
import type { Split } from '../types.ts';

const SIDE = 32;
const PLANE = SIDE * SIDE;
const IMAGE = 3 * PLANE;

/** Layout of a CIFAR binary version (Krizhevsky 2009): records of label bytes, then red, green and blue planes. */
export interface CifarLayout {
  /** Bytes before the pixels of a record. */
  labelBytes: number;
  /** Which of them is the label. */
  labelAt: number;
  classCount: number;
  /** Records of each file. */
  recordsPerFile: number;
}

/**
 * Reads CIFAR binary files into one split, rows in record order, planes turned into `[32, 32, 3]`.
 *
 * @throws {TailmixError} DATA_FILE when a file has another length than the published one, or a label is out of range
 */
export async function readCifarFiles(
  name: Split['name'],
  folder: string,
  files: readonly string[],
  layout: CifarLayout,
): Promise<Split> {
  const { recordsPerFile } = layout;
  const labels = new Int32Array(files.length * recordsPerFile);
  const bytes = new SharedArrayBuffer(labels.length * IMAGE);
  for (const [i, file] of files.entries()) {
    const path = join(folder, file);
    const records = await readRecords(path, (layout.labelBytes + IMAGE) * recordsPerFile);
    const first = i * recordsPerFile;
    const pixels = new Uint8Array(bytes, first * IMAGE, recordsPerFile * IMAGE);
    unpackRecords(path, records, layout, labels.subarray(first, first + recordsPerFile), pixels);
  }
  return { name, labels, pixels: { kind: 'memory', bytes } };
}

/** Reads a file of a known length; one of another length, or what is no file, is not read. */
async function readRecords(path: string, length: number): Promise<Uint8Array> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw badFile(path, 'a file', found.isDirectory() ? 'a folder' : 'something else');
    if (found.size !== length) throw badFile(path, `${length} bytes`, String(found.size));
    const records = await readFile(path);
    if (records.length !== length) throw badFile(path, `${length} bytes`, String(records.length));
    return records;
  } catch (error) {
    throw error instanceof TailmixError ? error : readFailed(path, messageOf(error), error);
  }
}

function unpackRecords(
  path: string,
  records: Uint8Array,
  { labelBytes, labelAt, classCount, recordsPerFile }: CifarLayout,
  labels: Int32Array,
  pixels: Uint8Array,
): void {
  const record = labelBytes + IMAGE;
  for (let row = 0; row < recordsPerFile; row++) {
    const label = records[row * record + labelAt]!;
    if (label >= classCount) throw badFile(path, `labels below ${classCount}`, `${label} in record ${row}`);
    labels[row] = label;
    const red = row * record + labelBytes;
    let to = row * IMAGE;
    for (let i = red; i < red + PLANE; i++) {
      pixels[to++] = records[i]!;
      pixels[to++] = records[i + PLANE]!;
      pixels[to++] = records[i + 2 * PLANE]!;
    }
  }
}
