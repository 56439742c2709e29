import { describe, expect, it } from 'vitest';
import type { EngineNode } from '../pool/engine-node.ts';
import { listEntry, mergeImages } from './pool-image.ts';

/** Merging only carries nodes along. */
const node = (name: string): EngineNode => ({ name }) as EngineNode;

const nameless20 = { Id: 'sha256:a', Created: 1, Size: 5, VirtualSize: 5, Containers: -1 };

describe('an image of the pool', () => {
  it('has the names of all nodes, whatever their age', () => {
    const merged = mergeImages([
      {
        node: node('one'),
        images: [{ ...nameless20, RepoTags: ['<none>:<none>'], RepoDigests: ['<none>@<none>'] }],
      },
      {
        node: node('two'),
        images: [{ Id: 'sha256:a', Created: 1, Size: 5, RepoTags: ['x:1'], RepoDigests: [] }],
      },
    ]);
    expect(merged).toHaveLength(1);
    expect(merged[0]).toMatchObject({ tags: ['x:1'], digests: [], containers: -1 });
    expect(merged[0]?.nodes.map(({ name }) => name)).toEqual(['one', 'two']);
  });

  it('adds up containers only where every engine counts them', () => {
    const counted = { ...nameless20, Containers: 2 };
    const lists = [counted, counted].map((image, i) => ({ node: node(String(i)), images: [image] }));
    expect(mergeImages(lists)[0]?.containers).toBe(4);
    expect(mergeImages([...lists, { node: node('old'), images: [nameless20] }])[0]?.containers).toBe(-1);
  });

  it('is written for clients of every age', () => {
    const [image] = mergeImages([{ node: node('one'), images: [{ ...nameless20, VirtualSize: undefined }] }]);
    if (!image) throw new Error('nothing merged');
    expect(listEntry(image, 41)).toMatchObject({
      RepoTags: ['<none>:<none>'],
      RepoDigests: ['<none>@<none>'],
      VirtualSize: 5,
    });
    expect(listEntry({ ...image, tags: ['x:1'] }, 41)).toMatchObject({
      RepoTags: ['x:1'],
      RepoDigests: null,
    });
    expect(listEntry(image, 43)).toMatchObject({ RepoTags: [], RepoDigests: [], VirtualSize: 5 });
    expect(listEntry(image, 44)).not.toHaveProperty('VirtualSize');
  });
});
