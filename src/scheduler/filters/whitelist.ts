import { expressionText } from '../expression.ts';
import type { SchedulerNode } from '../node.ts';
import type { Filter, PreparedFilter } from '../types.ts';

/** Only nodes on the list `node==a|b`, or with `!=` only those that are not; every key means the node. */
export const whitelist: Filter = {
  name: 'whitelist',
  prepare: ({ whitelists }) =>
    whitelists.map((expression): PreparedFilter => {
      const { matcher, operator, soft } = expression;
      const listed = (node: SchedulerNode): boolean => matcher.test(node.name) || matcher.test(node.id);
      const text = expressionText(expression);
      return {
        name: 'whitelist',
        conditions: [`${text} (soft=${soft})`],
        soft,
        check: operator === '==' ? listed : (node) => !listed(node),
        explain: () => `${text} does not hold`,
      };
    }),
};
