import type { Meta } from './common.ts';

/**
 * How far the rows at rest are sealed: still being sealed (`sealing`); all sealed, traces of before still being removed (`cleaning`);
 * `sealed`; being opened for good (`opening`).
 */
export type SealStage = 'sealing' | 'cleaning' | 'sealed' | 'opening';

/** The lock of the state at rest: while there is one, the state opens with its unlock key alone. There is one at most. */
export interface Seal {
  readonly id: string;
  readonly meta: Meta;
  readonly stage: SealStage;
  /** The key that rows are sealed with, sealed with the unlock key; base64. */
  readonly dataKey: string;
  /** The unlock key, sealed with the data key, so that whoever runs can tell it; base64. */
  readonly unlockKey: string;
  /** The unlock key is to be another one, from when it is told. */
  readonly renew: boolean;
}
