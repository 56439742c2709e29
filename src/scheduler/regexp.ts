import {
  type Assertion,
  type CharacterSet,
  isWord,
  parsePattern,
  PatternError,
  type Syntax,
} from './regexp-parse.ts';

type Instruction =
  | { op: 'set'; set: CharacterSet }
  | { op: 'assert'; assertion: Assertion }
  | { op: 'split'; first: number; second: number }
  | { op: 'match' };

/** Counts within counts multiply; a search takes time in proportion. */
const MAX_INSTRUCTIONS = 4096;

/**
 * A search in the manner of Go's regexp: every way through the pattern at once, so that the time is bounded by
 * the product of both lengths whatever the pattern. The engine of the language backtracks, and a pattern of a
 * few characters can keep it busy for hours.
 *
 * Throws PatternError when the pattern can't be read.
 */
export function compileRegexp(source: string): (subject: string) => boolean {
  const program = assemble(parsePattern(source));
  return (subject) => search(program, subject);
}

function assemble(syntax: Syntax): readonly Instruction[] {
  const program: Instruction[] = [];
  emit(program, syntax);
  program.push({ op: 'match' });
  return program;
}

/** Adds the instructions of one part; each part goes on with whatever comes after its last instruction. */
function emit(program: Instruction[], syntax: Syntax): void {
  if (program.length > MAX_INSTRUCTIONS) throw new PatternError('is too large');
  switch (syntax.type) {
    case 'set':
      program.push({ op: 'set', set: syntax.set });
      return;
    case 'assert':
      program.push({ op: 'assert', assertion: syntax.assertion });
      return;
    case 'sequence':
      for (const item of syntax.items) emit(program, item);
      return;
    case 'choice':
      emitChoice(program, syntax.items);
      return;
    case 'repeat': {
      const start = program.length;
      const skip = { op: 'split' as const, first: start + 1, second: 0 };
      if (syntax.min === 0) program.push(skip);
      emit(program, syntax.item);
      if (syntax.many) program.push({ op: 'split', first: start, second: program.length + 1 });
      skip.second = program.length;
      return;
    }
  }
}

function emitChoice(program: Instruction[], items: readonly Syntax[]): void {
  const jumps: { op: 'split'; first: number; second: number }[] = [];
  items.forEach((item, index) => {
    const last = index === items.length - 1;
    const fork = { op: 'split' as const, first: program.length + 1, second: 0 };
    if (!last) program.push(fork);
    emit(program, item);
    if (last) return;
    const jump = { op: 'split' as const, first: 0, second: 0 };
    program.push(jump);
    jumps.push(jump);
    fork.second = program.length;
  });
  for (const jump of jumps) jump.first = jump.second = program.length;
}

function search(program: readonly Instruction[], subject: string): boolean {
  // seen[i] is the last position, plus one, at which instruction i was reached.
  const seen = new Uint32Array(program.length);
  const todo: number[] = [];
  let current: number[] = [];
  let following: number[] = [];
  for (let at = 0; at <= subject.length; at++) {
    // A search may begin anywhere, so the start joins in at every position.
    todo.push(0);
    for (const index of current) todo.push(index);
    following.length = 0;
    while (todo.length > 0) {
      const index = todo.pop() ?? 0;
      if (seen[index] === at + 1) continue;
      seen[index] = at + 1;
      const instruction = program[index];
      if (!instruction || instruction.op === 'match') return true;
      if (instruction.op === 'split') todo.push(instruction.second, instruction.first);
      else if (instruction.op === 'assert') {
        if (holds(instruction.assertion, subject, at)) todo.push(index + 1);
      } else if (at < subject.length && contains(instruction.set, subject.charCodeAt(at))) {
        following.push(index + 1);
      }
    }
    [current, following] = [following, current];
  }
  return false;
}

function contains(set: CharacterSet, code: number): boolean {
  return code < 128 ? set.ascii[code] === 1 : set.others;
}

function holds(assertion: Assertion, subject: string, at: number): boolean {
  switch (assertion) {
    case 'text-start':
      return at === 0;
    case 'text-end':
      return at === subject.length;
    case 'line-start':
      return at === 0 || subject[at - 1] === '\n';
    case 'line-end':
      return at === subject.length || subject[at] === '\n';
    case 'word-edge':
      return wordAt(subject, at - 1) !== wordAt(subject, at);
    case 'not-word-edge':
      return wordAt(subject, at - 1) === wordAt(subject, at);
  }
}

function wordAt(subject: string, at: number): boolean {
  return at >= 0 && at < subject.length && isWord(subject.charCodeAt(at));
}
