import type { Dispatcher } from 'undici';
import { SwarmError } from '../base/errors.ts';
import { JsonLineReader } from '../base/json-lines.ts';
import type { EngineClient } from './client.ts';

/** One event as an engine tells it; only what is decided with is named, the rest travels along. */
export interface EngineEvent {
  Type?: string;
  Action?: string;
  Actor?: { ID?: string; Attributes?: Record<string, string> };
  status?: string;
  id?: string;
  from?: string;
  scope?: string;
  time?: number;
  /** Beyond what a number holds exactly; see digitsOf. */
  timeNano?: unknown;
  [key: string]: unknown;
}

export interface FollowOptions {
  signal: AbortSignal;
  /** Called when the engine has accepted: from then on nothing is missed. */
  onOpen?: () => void;
  /** Called with every event as soon as its line is complete; must not throw. */
  onEvent: (event: EngineEvent) => void;
}

/**
 * Follows an event stream. Resolves when the engine ends the stream; rejects with `unavailable` when the connection
 * or a line breaks, or the signal fires.
 */
export function followEvents(engine: EngineClient, path: string, options: FollowOptions): Promise<void> {
  const { signal } = options;
  const lines = new JsonLineReader(() => garbage(engine));
  return new Promise((resolve, reject) => {
    let control: Dispatcher.DispatchController | undefined;
    const onAbort = (): void => {
      if (control) control.abort(new Error('aborted'));
      else reject(engine.failure(new Error('aborted'), false));
    };
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    engine.dispatcher.dispatch(
      { path, method: 'GET' },
      {
        onRequestStart(controller) {
          control = controller;
          if (signal.aborted) controller.abort(new Error('aborted'));
        },
        onResponseStart(controller, status) {
          if (status === 200) options.onOpen?.();
          else controller.abort(refused(engine, status));
        },
        onResponseData(controller, chunk) {
          try {
            for (const event of lines.push(chunk)) options.onEvent(event);
          } catch (error) {
            controller.abort(error instanceof Error ? error : garbage(engine));
          }
        },
        onResponseEnd() {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
        onResponseError(_controller, error) {
          signal.removeEventListener('abort', onAbort);
          reject(engine.failure(error, false));
        },
      },
    );
  });
}

function refused(engine: EngineClient, status: number): SwarmError {
  return new SwarmError('unavailable', `engine ${engine.address.text} refused its events: status ${status}`);
}

function garbage(engine: EngineClient): SwarmError {
  return new SwarmError('unavailable', `engine ${engine.address.text} sent an event that is not JSON`);
}
