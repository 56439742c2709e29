import { describe, expect, it } from 'vitest';
import { NodeProgress } from './node-progress.ts';

describe('NodeProgress', () => {
  it('adds up the layers of a phase and keeps to a pace', () => {
    const progress = new NodeProgress('core-01', 'Pulling redis:7...');
    const layer = (id: string, status: string, current: number, total: number): object => ({
      id,
      status,
      progressDetail: { current, total },
    });
    expect(progress.started()).toEqual({ id: 'core-01', status: 'Pulling redis:7...', progressDetail: {} });
    expect(progress.take({ id: '7', status: 'Pulling from library/redis' }, 1_000)).toBeUndefined();
    expect(progress.take({ ...layer('a', 'Downloading', 10, 100) }, 1_000)).toEqual({
      id: 'core-01',
      status: 'Pulling redis:7... : Downloading',
      progressDetail: { current: 10, total: 100 },
    });
    expect(progress.take({ ...layer('b', 'Downloading', 5, 50) }, 1_050)).toBeUndefined();
    // Layer a has left the phase, so all of it counts.
    expect(
      progress.take({ id: 'a', status: 'Download complete', progressDetail: {} }, 1_100),
    ).toBeUndefined();
    expect(progress.take({ ...layer('b', 'Downloading', 20, 50) }, 1_200)).toMatchObject({
      progressDetail: { current: 120, total: 150 },
    });
    expect(progress.take({ status: 'Digest: sha256:ab' }, 1_300)).toBeUndefined();
    expect(progress.last).toEqual([{ status: 'Digest: sha256:ab' }]);
    expect(progress.ended('downloaded')).toMatchObject({ status: 'Pulling redis:7... : downloaded' });
  });
});
