import type { Labels, Node } from '../../model/index.ts';

const NODE_LABEL = 'node.labels.';
const ENGINE_LABEL = 'engine.labels.';

/** The value of a label, '' where there is none. Labels are somebody else's: `__proto__` is a key as every other. */
function labelOf(labels: Labels | undefined, key: string): string {
  return labels && Object.hasOwn(labels, key) ? (labels[key] ?? '') : '';
}

/**
 * How to read the label that `node.labels.X` or `engine.labels.X` names; undefined when the text names none. Prefixes
 * do not tell case apart, labels do, as in SwarmKit.
 */
export function labelReader(text: string): ((node: Node) => string) | undefined {
  const key = afterPrefix(text, NODE_LABEL);
  if (key !== undefined) return (node) => labelOf(node.spec.annotations.labels, key);
  const engineKey = afterPrefix(text, ENGINE_LABEL);
  if (engineKey !== undefined) return (node) => labelOf(node.description?.engineLabels, engineKey);
  return undefined;
}

function afterPrefix(text: string, prefix: string): string | undefined {
  if (text.length <= prefix.length || text.slice(0, prefix.length).toLowerCase() !== prefix) return undefined;
  return text.slice(prefix.length);
}

/** How to read what a constraint's key names, '' while it is not known; undefined when there is no such key. */
export function factReader(key: string): ((node: Node) => string) | undefined {
  switch (key.toLowerCase()) {
    case 'node.id':
      return (node) => node.id;
    case 'node.hostname':
      return (node) => node.description?.hostname ?? '';
    case 'node.role':
      return (node) => node.role;
    case 'node.platform.os':
      return (node) => node.description?.platform.os ?? '';
    case 'node.platform.arch':
      return (node) => node.description?.platform.architecture ?? '';
    default:
      return labelReader(key);
  }
}
