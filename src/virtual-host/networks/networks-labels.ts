import { asObject, asStringRecord, isObject, type Json } from '../../base/json.ts';

/** Labels that the manager keeps its own notes in; they never leave it, and are not taken from clients. */
const PREFIX = 'com.docker.swarm.network.';
const REQUEST = `${PREFIX}request`;
const FORMER_IDS = `${PREFIX}former-ids`;

/** What the manager notes at a network, so that every manager knows it, after a restart too. */
export interface NetworkNotes {
  /** The body it was asked for with, labels aside; only at a network that may move. */
  readonly request: Json | undefined;
  /** Oldest first. */
  readonly formerIds: readonly string[];
}

/** The labels as a client may see or give them. */
export function publicLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => !key.startsWith(PREFIX)));
}

/** A network of a list or an inspection without the manager's notes. */
export function withoutNotes(network: Json): Json {
  return isObject(network['Labels'])
    ? { ...network, Labels: publicLabels(asStringRecord(network['Labels'])) }
    : network;
}

export function readNotes(labels: Readonly<Record<string, string>>): NetworkNotes {
  return {
    request: readRequest(labels[REQUEST]),
    formerIds: (labels[FORMER_IDS] ?? '').split(',').filter((id) => id !== ''),
  };
}

export function noteLabels(notes: NetworkNotes): Record<string, string> {
  return {
    ...(notes.request ? { [REQUEST]: JSON.stringify(notes.request) } : {}),
    ...(notes.formerIds.length > 0 ? { [FORMER_IDS]: notes.formerIds.join(',') } : {}),
  };
}

/** A note that somebody spoiled counts as none: the network then stays where it is. */
function readRequest(text: string | undefined): Json | undefined {
  if (text === undefined) return undefined;
  try {
    return asObject(JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}
