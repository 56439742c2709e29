import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { SYSTEM_TIMES } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import {
  createEnsembleCa,
  LocalMember,
  MemberFolder,
  prepareFirst,
  type EnsembleCa,
  type LocalMemberOptions,
  type NewMember,
} from '../../src/ensemble/index.ts';
import { program } from './member-program.ts';
import { freePort } from '../stores/server-process.ts';

const IP = '127.0.0.1';
export const SERVES_MS = 30_000;

export const asked = (limitMs = 30_000): { signal: AbortSignal; limitMs: number; deadlineMs: number } => ({
  signal: AbortSignal.timeout(60_000),
  limitMs,
  deadlineMs: 20_000,
});

/** A host's folder, as far as it is for its member. */
export function memberFolder(): MemberFolder {
  const folder = mkdtempSync(join(tmpdir(), 'skep-ensemble-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return new MemberFolder(join(folder, 'etcd'));
}

/** A member at loopback, with ports of its own in the place of an address of its own. */
export async function newMember(name: string): Promise<NewMember> {
  const ports = { client: await freePort(IP), peer: await freePort(IP) };
  return { name, host: IP, listen: IP, ports };
}

/** A folder with the first member of a new etcd in it. */
export async function firstFolder(
  name = 'one',
  madeAtMs = Date.now(),
): Promise<{ folder: MemberFolder; ca: EnsembleCa }> {
  const folder = memberFolder();
  const ca = await createEnsembleCa(madeAtMs);
  prepareFirst(folder, await newMember(name), ca);
  return { folder, ca };
}

export interface StartedMember {
  readonly member: LocalMember;
  readonly lines: string[];
}

/** Starts the member of a folder; it ends with the test. */
export async function startMember(
  folder: MemberFolder,
  options: Partial<LocalMemberOptions> = {},
): Promise<StartedMember> {
  const lines: string[] = [];
  const log = createLog('info', { write: (text) => lines.push(text) });
  const member = new LocalMember({ folder, program: await program(), times: SYSTEM_TIMES, log, ...options });
  onTestFinished(() => member.stop());
  await member.start();
  return { member, lines };
}

/** One that serves. */
export async function serving(
  folder: MemberFolder,
  options: Partial<LocalMemberOptions> = {},
): Promise<StartedMember> {
  const started = await startMember(folder, options);
  try {
    await started.member.serves(asked(SERVES_MS));
  } catch (error) {
    throw new Error(`${String(error)}\n${started.lines.join('')}`, { cause: error });
  }
  return started;
}
