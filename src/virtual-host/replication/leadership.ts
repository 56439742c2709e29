/** Whether this manager decides, or another one does. */
export interface Leadership {
  /** As `docker info` shows it. */
  readonly role: 'primary' | 'replica';
  /** Where the primary is, `host:port`; undefined while there is none, or it is this one. */
  readonly primary: string | undefined;
  /**
   * Whether this manager may place and reschedule at this moment. True only while its lease certainly lasts, so it is
   * asked at the last moment before anything is decided, and again before what was decided is sent.
   */
  leads(): boolean;
  /** Called after every change of role or primary. */
  listen(listener: () => void): () => void;
}

/** A manager without others: it always leads. */
export const ALONE: Leadership = {
  role: 'primary',
  primary: undefined,
  leads: () => true,
  listen: () => () => undefined,
};
