/** The words of a line of `iptables -S`, which quotes comments with blanks in them. */
export function iptablesWords(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|\S+/g)].map(([word, quoted]) => quoted ?? word);
}
