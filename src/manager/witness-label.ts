import { WITNESS_LABEL, type Node } from '../model/index.ts';
import type { Store } from '../store/index.ts';

/** Has that node, and no other, bear the label of a witness; nothing is written where that is so. */
export async function showWitness(store: Store, nodeId: string | undefined): Promise<void> {
  const isWrong = ({ id, spec }: Node): boolean =>
    (spec.annotations.labels[WITNESS_LABEL] === 'true') !== (id === nodeId);
  if (![...store.view.all('node')].some(isWrong)) return;
  await store.update((tx) => {
    for (const node of [...tx.all('node')].filter(isWrong)) {
      const labels = { ...node.spec.annotations.labels };
      if (node.id === nodeId) labels[WITNESS_LABEL] = 'true';
      else delete labels[WITNESS_LABEL];
      const annotations = { ...node.spec.annotations, labels };
      tx.update('node', { ...node, spec: { ...node.spec, annotations } });
    }
  });
}
