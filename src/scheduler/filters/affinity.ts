import { type Expression, expressionText } from '../expression.ts';
import { familiarImageName } from '../image-name.ts';
import type { SchedulerNode } from '../node.ts';
import type { Filter, PreparedFilter } from '../types.ts';

type Check = (node: SchedulerNode) => boolean;

function anyOf(subjects: Iterable<string>, test: (subject: string) => boolean): boolean {
  for (const subject of subjects) if (test(subject)) return true;
  return false;
}

function containerMatch({ matcher }: Expression): Check {
  const { literal } = matcher;
  if (literal === undefined) {
    return (node) => anyOf(node.containerNames(), matcher.test) || anyOf(node.containerIds(), matcher.test);
  }
  // The short id that `docker ps` shows, and anything between it and the whole.
  if (/^[0-9a-f]{12,63}$/.test(literal)) {
    return (node) => node.hasContainer(literal) || node.hasContainerIdPrefix(literal);
  }
  return (node) => node.hasContainer(literal);
}

function imageMatch({ matcher }: Expression): Check {
  const { literal } = matcher;
  if (literal === undefined) return (node) => anyOf(node.imageReferences(), matcher.test);
  const familiar = familiarImageName(literal);
  return (node) => node.imageReferences().has(familiar);
}

function labelMatch({ key, matcher }: Expression): Check {
  const { literal } = matcher;
  if (literal !== undefined) return (node) => node.containerLabelValues(key).has(literal);
  return (node) => anyOf(node.containerLabelValues(key).keys(), matcher.test);
}

function matches(expression: Expression): Check {
  if (expression.key === 'container') return containerMatch(expression);
  if (expression.key === 'image') return imageMatch(expression);
  return labelMatch(expression);
}

function explanation({ key, operator, value }: Expression): string {
  const what =
    key === 'container' || key === 'image' ? `${key} ${value}` : `container with the label ${key}=${value}`;
  return operator === '==' ? `has no ${what}` : `has ${key === 'image' ? 'the' : 'a'} ${what}`;
}

/** Only nodes that have, or have not, certain containers, images, or labels of containers. */
export const affinity: Filter = {
  name: 'affinity',
  prepare: ({ affinities }) =>
    affinities.map((expression): PreparedFilter => {
      const match = matches(expression);
      const { operator, soft } = expression;
      return {
        name: 'affinity',
        conditions: [`${expressionText(expression)} (soft=${soft})`],
        soft,
        check: operator === '==' ? match : (node) => !match(node),
        explain: () => explanation(expression),
      };
    }),
};
