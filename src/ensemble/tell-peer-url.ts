import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { EtcdClient } from '../store/index.ts';
import type { MemberConfig } from './member-folder.ts';
import { listMembers, setPeerUrl } from './members.ts';
import { peerUrl } from './places.ts';

export interface TellOptions {
  /** Of the members. */
  readonly client: EtcdClient;
  /** The member of this host. */
  readonly own: { readonly config: MemberConfig };
  readonly clock: Clock;
  readonly log: Logger;
  readonly everyMs?: number;
}

const EVERY_MS = 1_000;
const LIMIT_MS = 10_000;

/**
 * Has the members know where that of this host is reached, whose address may have changed while it was off: where managers reach it they
 * hear from itself, where other members do they have to be told. Resolves when they know, when they have no such member, or when the
 * signal fires.
 */
export async function tellPeerUrl(
  { client, own, clock, log, everyMs = EVERY_MS }: TellOptions,
  signal: AbortSignal,
): Promise<void> {
  const { name } = own.config;
  const url = peerUrl(own.config);
  for (let trouble = ''; !signal.aborted;) {
    try {
      const member = (await listMembers(client, { signal })).find((one) => one.name === name);
      if (!member || member.peerUrls.join() === url) return;
      await setPeerUrl(client, member.id, url, { signal, limitMs: LIMIT_MS });
      log.info({ url }, 'The members of etcd know this one at its new address');
      return;
    } catch (error) {
      const words = messageOf(error);
      if (!signal.aborted && words !== trouble)
        log.warn(
          { url, err: words },
          'The members of etcd could not be told the new address of this one yet',
        );
      trouble = words;
    }
    await clock.pause(everyMs, signal);
  }
}
