import type { ApiCall } from '../docker-api/index.ts';
import type { ManagerConfig } from './config.ts';
import type { BuildSessions } from './images/build-sessions.ts';
import type { ExecIndex } from './containers/exec-index.ts';
import type { NetworkKeeper } from './networks/networks-keeper.ts';
import type { Placer } from './containers/placer.ts';
import type { Pool } from './pool/pool.ts';
import type { Leadership } from './replication/leadership.ts';

/** What the handlers of the API work with; one for a manager's life. */
export interface Context {
  readonly config: ManagerConfig;
  readonly leadership: Leadership;
  readonly pool: Pool;
  readonly placer: Placer;
  readonly execs: ExecIndex;
  readonly builds: BuildSessions;
  readonly networks: NetworkKeeper;
}

/** Answers one call. What it throws becomes the answer while none has been sent. */
export type Handler = (call: ApiCall, context: Context) => Promise<void> | void;
