import { fresh } from './fresh.ts';
import { lost } from './lost.ts';
import { twice } from './twice.ts';
import type { History } from './types.ts';
import { versions } from './versions.ts';
import { wanted } from './wanted.ts';
import { wordless } from './wordless.ts';

/** What is wrong with a history, in words; nothing for a good one. Every finding is a fact, however slow the machine. */
export function check(history: History): string[] {
  const rules = [lost, fresh, versions, twice, wordless, wanted];
  return rules.flatMap((rule) => rule(history));
}
