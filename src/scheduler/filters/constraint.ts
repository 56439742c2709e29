import { type Expression, expressionText } from '../expression.ts';
import type { SchedulerNode } from '../node.ts';
import type { Filter, PreparedFilter } from '../types.ts';

type Check = (node: SchedulerNode) => boolean;

function matches({ key, matcher }: Expression): Check {
  const { literal } = matcher;
  if (key === 'node') {
    if (literal !== undefined) return (node) => node.name === literal || node.id === literal;
    return (node) => matcher.test(node.name) || matcher.test(node.id);
  }
  if (literal !== undefined) return (node) => node.label(key) === literal;
  // A node without the label is one whose label is empty, as it always was: `storage==*` takes every node.
  return (node) => matcher.test(node.label(key) ?? '');
}

function shown(value: string | undefined): string {
  if (value === undefined) return 'not set';
  return value.length <= 60 ? `'${value}'` : `'${value.slice(0, 60)}…'`;
}

/** Only nodes whose name, id or labels satisfy the constraints. */
export const constraint: Filter = {
  name: 'constraint',
  prepare: ({ constraints }) =>
    constraints.map((expression): PreparedFilter => {
      const match = matches(expression);
      const { key, operator, soft } = expression;
      const text = expressionText(expression);
      return {
        name: 'constraint',
        conditions: [text],
        soft,
        check: operator === '==' ? match : (node) => !match(node),
        explain: (node) =>
          key === 'node'
            ? `${text} does not hold`
            : `${text} does not hold, ${key} is ${shown(node.label(key))}`,
      };
    }),
};
