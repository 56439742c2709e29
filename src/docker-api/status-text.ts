const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const HALF_HOUR = 30 * MINUTE;

/** A length of time the way Docker says it: `5 minutes`, `About an hour`. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / SECOND);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(ms / MINUTE);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.floor(ms / HOUR + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}

/** How long after `ms` of age the text of `humanDuration` can stay the same, at most. */
function steadyMs(ms: number): number {
  const unit = ms < MINUTE ? SECOND : ms < HOUR ? MINUTE : HALF_HOUR;
  return unit - (Math.max(0, ms) % unit);
}

/** What the status line of a container is made of. */
export interface ContainerRun {
  /** Docker's word: created, running, paused, restarting, removing, exited, dead. */
  state: string;
  startedAtMs: number;
  finishedAtMs: number;
  exitCode: number;
  /** none, starting, healthy, unhealthy, or empty. */
  health: string;
}

/** The status column of `docker ps` at `nowMs`, and until when it stays true. Undefined for a state it does not know. */
export function containerStatus(
  run: ContainerRun,
  nowMs: number,
): { text: string; untilMs: number } | undefined {
  const since = (from: number, make: (age: string) => string): { text: string; untilMs: number } => {
    const age = Math.max(0, nowMs - from);
    return { text: make(humanDuration(age)), untilMs: nowMs + steadyMs(age) };
  };
  switch (run.state) {
    case 'running':
      return since(run.startedAtMs, (age) => `Up ${age}${healthSuffix(run.health)}`);
    case 'paused':
      return since(run.startedAtMs, (age) => `Up ${age} (Paused)`);
    case 'restarting':
      return since(run.finishedAtMs, (age) => `Restarting (${run.exitCode}) ${age} ago`);
    case 'exited':
      return since(run.finishedAtMs, (age) => `Exited (${run.exitCode}) ${age} ago`);
    case 'created':
      return { text: 'Created', untilMs: Infinity };
    default:
      return undefined;
  }
}

function healthSuffix(health: string): string {
  if (health === '' || health === 'none') return '';
  return health === 'starting' ? ' (health: starting)' : ` (${health})`;
}
