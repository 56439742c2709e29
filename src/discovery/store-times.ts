/** How often a server is looked at that says nothing: between these, otherwise once in a heartbeat. */
const [LOOK_MIN_MS, LOOK_MAX_MS] = [1_000, 10_000];
const [DEADLINE_MIN_MS, DEADLINE_MAX_MS] = [500, 5_000];

/** How often a store's list is read in any case. */
export function lookEveryMs(heartbeatMs: number): number {
  return Math.min(LOOK_MAX_MS, Math.max(LOOK_MIN_MS, heartbeatMs));
}

export interface LockTimes {
  /** Of one question to one endpoint. */
  deadlineMs: number;
  /** How often the holder is looked at that does not change. */
  everyMs: number;
}

/** For a lock with this time to live: whoever leads renews within a third of it; by then every endpoint has been asked. */
export function lockTimes(ttlMs: number, endpoints = 1): LockTimes {
  const third = Math.max(DEADLINE_MIN_MS, ttlMs / 3);
  const share = Math.max(DEADLINE_MIN_MS, third / endpoints);
  return { deadlineMs: Math.min(DEADLINE_MAX_MS, share), everyMs: Math.min(DEADLINE_MAX_MS, third) };
}
