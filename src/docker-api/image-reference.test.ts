import { describe, expect, it } from 'vitest';
import { imageReferenceText, parseImageReference } from './image-reference.ts';

describe('parseImageReference', () => {
  it.each([
    ['redis', { name: 'redis', tag: '', digest: '' }],
    ['redis:7', { name: 'redis', tag: '7', digest: '' }],
    ['docker.io/library/redis:7', { name: 'redis', tag: '7', digest: '' }],
    ['index.docker.io/library/redis', { name: 'redis', tag: '', digest: '' }],
    ['library/redis', { name: 'redis', tag: '', digest: '' }],
    ['docker.io/me/app', { name: 'me/app', tag: '', digest: '' }],
    ['registry:5000/app', { name: 'registry:5000/app', tag: '', digest: '' }],
    ['registry:5000/app:1', { name: 'registry:5000/app', tag: '1', digest: '' }],
    ['registry:5000/library/app', { name: 'registry:5000/library/app', tag: '', digest: '' }],
    ['app:1@sha256:ab', { name: 'app', tag: '1', digest: 'sha256:ab' }],
  ])('%s', (text, expected) => {
    expect(parseImageReference(text)).toEqual(expected);
  });

  it('is written again as Docker shows it', () => {
    expect(imageReferenceText(parseImageReference('docker.io/library/app:1@sha256:ab'))).toBe(
      'app:1@sha256:ab',
    );
  });
});
