/** How {@link withLock} waits. */
export interface LockOptions {
  /** Called once, when somebody else holds the lock. */
  onWait?: () => void;
  /** Pause between looks at a held lock, in ms (default 200). */
  pollMs?: number;
  /**
   * A lock that a waiter has not seen touched for this long, by its own clock, is taken over, in ms (default 120000, since NFS may show
   * a file as it was a minute ago). Holders touch theirs six times as often.
   */
  staleMs?: number;
}

/**
 * Runs `work` while holding the lock file `path`, whose folder is created. Locks of processes that died are taken over:
 * at once on the same host, after `staleMs` elsewhere.
 */
export function withLock<T>(path: string, work: () => Promise<T>, options?: LockOptions): Promise<T>;

/** Whether a process of this machine runs, whoever owns it. */
export function isAlive(pid: number): boolean;
