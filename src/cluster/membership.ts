/** Which of a cluster's processes this is. */
export interface Membership {
  /** 0…processes − 1; rank 0 alone writes. */
  rank: number;
  /** `host:port` of each process, by rank. */
  addresses: readonly string[];
  /** What says so, for messages: `--workers`, `TF_CONFIG`, … */
  from: string;
}

/** A process as messages name it: `rank 1 (10.0.0.2:2222)`. */
export const named = ({ addresses }: Pick<Membership, 'addresses'>, rank: number): string =>
  `rank ${rank} (${addresses[rank]})`;
