import { readFileSync } from 'node:fs';

/** A page of docs/guides, as one reads who types what stands there. */
export class Page {
  readonly #lines: ReadonlySet<string>;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
    const text = readFileSync(new URL(`../../docs/guides/${name}`, import.meta.url), 'utf8');
    const blocks = [...text.matchAll(/^```\w*\n(.*?)^```$/gms)].map(([, block = '']) => block);
    // What stands behind a command is for people.
    this.#lines = new Set(
      blocks.flatMap((block) => block.split('\n').map((line) => line.replace(/ +# .*$/, ''))),
    );
  }

  /** A line of the page, with what is different here in place of its own. Throws where the page has no such line. */
  line(text: string, replacements: Readonly<Record<string, string>>): string {
    if (!this.#lines.has(text)) throw new Error(`docs/guides/${this.#name} has no line: ${text}`);
    return Object.entries(replacements).reduce((line, [from, to]) => line.replaceAll(from, to), text);
  }
}
