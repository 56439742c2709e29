import { PassThrough, type Readable } from 'node:stream';
import { SwarmError } from '../base/errors.ts';

/** One of the copies of a broadcast. */
export interface Branch {
  readonly stream: Readable;
  /** Its reader needs no more. */
  close(): void;
}

/**
 * Copies one stream to several readers at once, at the pace of the slowest, so that no more than a few chunks are ever
 * held. A reader that takes nothing for `stallMs` is dropped: its copy breaks with a `timeout` error, the others go on.
 */
export class Broadcast {
  readonly #source: Readable;
  readonly #stallMs: number;
  readonly #open = new Set<PassThrough>();
  #onDeserted: (() => void) | undefined;

  constructor(source: Readable, options: { stallMs: number }) {
    this.#source = source;
    this.#stallMs = options.stallMs;
  }

  /** A copy from the beginning; made before `run`. */
  branch(): Branch {
    const stream = new PassThrough();
    // Whoever reads it hears of its errors; without a reader nobody needs to.
    stream.on('error', () => undefined);
    stream.once('close', () => this.#drop(stream));
    this.#open.add(stream);
    return {
      stream,
      close: () => {
        this.#drop(stream);
        stream.destroy();
      },
    };
  }

  /**
   * Resolves when the source has ended, or nobody reads any more; what is left of the source is then unread. Where the
   * source breaks, every copy breaks, and this rejects with `invalid`.
   */
  run(): Promise<void> {
    const source = this.#source;
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#onDeserted = undefined;
        source.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
        source.pause();
      };
      const onData = (chunk: Buffer): void => {
        const waits: Promise<void>[] = [];
        for (const stream of this.#open) if (!stream.write(chunk)) waits.push(this.#drained(stream));
        if (waits.length === 0) return;
        source.pause();
        void Promise.all(waits).then(() => {
          if (this.#onDeserted) source.resume();
        });
      };
      const onEnd = (): void => {
        leave();
        for (const stream of this.#open) stream.end();
        resolve();
      };
      const onBroken = (cause?: Error): void => {
        leave();
        const broken = new SwarmError('invalid', 'the upload ended before it was complete', { cause });
        for (const stream of this.#open) stream.destroy(broken);
        reject(broken);
      };
      this.#onDeserted = () => {
        leave();
        resolve();
      };
      // An error may be on its way while nobody needs the source any more.
      source.on('error', () => undefined);
      if (source.readableEnded) onEnd();
      else if (source.destroyed) onBroken();
      else source.on('data', onData).once('end', onEnd).once('error', onBroken).once('close', onBroken);
    });
  }

  #drop(stream: PassThrough): void {
    this.#open.delete(stream);
    if (this.#open.size === 0) this.#onDeserted?.();
  }

  #drained(stream: PassThrough): Promise<void> {
    return new Promise((resolve) => {
      const settle = (): void => {
        clearTimeout(timer);
        stream.off('drain', settle);
        stream.off('close', settle);
        resolve();
      };
      const timer = setTimeout(() => {
        const seconds = Math.round(this.#stallMs / 1000);
        stream.destroy(
          new SwarmError('timeout', `took nothing of the upload for ${seconds} s and was dropped`),
        );
      }, this.#stallMs);
      stream.once('drain', settle);
      stream.once('close', settle);
    });
  }
}
