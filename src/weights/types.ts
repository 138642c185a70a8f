/** Element types of stored arrays, in the words of safetensors. */
export type Dtype = 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL';

/** An array of a weights file, described. */
export interface ArrayInfo {
  shape: readonly number[];
  dtype: Dtype;
}

/** An array at its place in a file, row-major unless it has strides. */
export interface StoredArray extends ArrayInfo {
  /** File that its bytes are in, little-endian. */
  file: string;
  /** First byte of its first element. */
  offset: number;
  /** Elements from one index to the next, of each dimension; null for a row-major array without gaps. */
  strides: readonly number[] | null;
}

/** What a reader finds in a file before it reads any array. */
export interface Listing {
  arrays: ReadonlyMap<string, StoredArray>;
  /** Text that the file carries in addition. */
  metadata: Readonly<Record<string, string>>;
}
