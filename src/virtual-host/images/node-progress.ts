import { asNumber, asObject, asString, type Json } from '../../base/json.ts';

const EVERY_MS = 100;
const MAX_LAYERS = 1_000;
const MAX_LAST_LINES = 100;

/**
 * What one engine tells while it pulls or loads, as one line of the cluster's progress: `core-01: Pulling redis... :
 * Downloading`, with the bytes of all its layers added up. Lines that name no layer are kept, to be told at the end.
 */
export class NodeProgress {
  readonly #node: string;
  readonly #title: string;
  /** For every phase, what each layer has done in it. */
  readonly #phases = new Map<string, Map<string, { current: number; total: number }>>();
  #toldMs = 0;
  /** `{status}` and `{stream}` lines about the whole. */
  readonly last: Json[] = [];

  constructor(node: string, title: string) {
    this.#node = node;
    this.#title = title;
  }

  started(): Json {
    return this.#line(this.#title);
  }

  ended(word: string): Json {
    return this.#line(`${this.#title} : ${word}`);
  }

  /** Takes a message of the engine; gives the line to send when it is time for one. */
  take(message: Json, nowMs: number): Json | undefined {
    const layer = asString(message['id']);
    const { current, total } = asObject(message['progressDetail']);
    if (layer === '') {
      const whole = message['stream'] !== undefined || message['progressDetail'] === undefined;
      if (whole && this.last.length < MAX_LAST_LINES) this.last.push(message);
      return undefined;
    }
    const phase = asString(message['status']);
    this.#leave(layer, phase);
    if (asNumber(total) <= 0) return undefined;
    const layers = this.#phases.get(phase) ?? new Map<string, { current: number; total: number }>();
    this.#phases.set(phase, layers);
    if (layers.size < MAX_LAYERS || layers.has(layer)) {
      layers.set(layer, { current: asNumber(current), total: asNumber(total) });
    }
    if (nowMs - this.#toldMs < EVERY_MS) return undefined;
    this.#toldMs = nowMs;
    const sum = { current: 0, total: 0 };
    for (const each of layers.values()) {
      sum.current += each.current;
      sum.total += each.total;
    }
    return this.#line(`${this.#title} : ${phase}`, sum);
  }

  /** A layer that has come to another phase is through with the former ones. */
  #leave(layer: string, phase: string): void {
    for (const [name, layers] of this.#phases) {
      const state = layers.get(layer);
      if (name !== phase && state) state.current = state.total;
    }
  }

  #line(status: string, progressDetail: Json = {}): Json {
    return { id: this.#node, status, progressDetail };
  }
}
