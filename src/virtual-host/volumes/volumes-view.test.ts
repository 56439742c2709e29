import { describe, expect, it } from 'vitest';
import type { Json } from '../../base/json.ts';
import { collectVolumes, filterVolumes, mountsVolume, volumeEntries } from './volumes-view.ts';

const one = { name: 'core-01', id: 'ENGINE1' };
const two = { name: 'core-02', id: 'ENGINE2' };

function volume(Name: string, more: Json = {}): Json {
  return { Name, Driver: 'local', Scope: 'local', Labels: null, ...more };
}

const shared = volume('nfs', { Scope: 'global', Driver: 'netshare' });
const all = collectVolumes([
  { node: one, volumes: [volume('data'), volume('only', { Labels: { app: 'x' } }), shared] },
  { node: two, volumes: [volume('data', { Labels: { app: 'x' } }), shared] },
]);

function list(filters: Record<string, string[]>, used: string[] = []): unknown[] {
  const wanted = new Map(Object.entries(filters));
  const chosen = filterVolumes(all, wanted, ({ name }) => used.includes(name));
  return volumeEntries(chosen, all, wanted).map((entry) => entry['Name']);
}

describe('a list of volumes', () => {
  it('names local ones with their node, shared ones once', () => {
    expect(list({})).toEqual(['core-01/data', 'core-01/only', 'nfs', 'core-02/data']);
  });

  it('gives the plain name where it is unique and asked for exactly, or by label', () => {
    expect(list({ name: ['only'] })).toEqual(['only']);
    expect(list({ name: ['on'] })).toEqual(['core-01/only']);
    expect(list({ name: ['data'] })).toEqual(['core-01/data', 'core-02/data']);
    expect(list({ label: ['app=x'] })).toEqual(['only', 'core-02/data']);
  });

  it('has those of one name once for Compose, which asks by project', () => {
    const label = { 'com.docker.compose.project': 'shop' };
    const lists = ['core-01', 'core-02'].map((name) => ({
      node: { name, id: name },
      volumes: [{ Name: 'shop_data', Driver: 'local', Labels: label }],
    }));
    const filters = new Map([['label', ['com.docker.compose.project=shop']]]);
    const chosen = collectVolumes(lists);
    expect(volumeEntries(chosen, chosen, filters).map(({ Name }) => Name)).toEqual(['shop_data']);
  });

  it('takes the other filters', () => {
    expect(list({ driver: ['netshare'] })).toEqual(['nfs']);
    expect(list({ node: ['core-02'] })).toEqual(['nfs', 'core-02/data']);
    expect(list({ name: ['core-02/'] })).toEqual(['core-02/data']);
    expect(list({ dangling: ['1'] }, ['data', 'nfs'])).toEqual(['core-01/only']);
    expect(list({ dangling: ['false'] }, ['only'])).toEqual(['core-01/only']);
  });
});

describe('a container', () => {
  it('mounts a volume by its name, not a path', () => {
    const summary = {
      Mounts: [
        { Type: 'volume', Name: 'data' },
        { Type: 'bind', Source: 'only' },
      ],
    };
    expect(mountsVolume(summary, 'data')).toBe(true);
    expect(mountsVolume(summary, 'only')).toBe(false);
    expect(mountsVolume({}, 'data')).toBe(false);
  });
});
