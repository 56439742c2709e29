import type { ImageFacts } from './facts.ts';

/** An image name without what the Docker CLI adds by itself: docker.io/library/redis:7 is redis:7. */
export function familiarImageName(name: string): string {
  return name.replace(/^(?:index\.)?docker\.io\//, '').replace(/^library\//, '');
}

/** The name without tag or digest; the port of a registry is no tag. */
export function repositoryOf(name: string): string {
  const bare = name.split('@', 1)[0] ?? '';
  const colon = bare.lastIndexOf(':');
  return colon > bare.lastIndexOf('/') ? bare.slice(0, colon) : bare;
}

/** Every way in which these images can be named: id (whole, bare, short), repo:tag, repo, with and without docker.io/library. */
export function imageReferences(images: readonly ImageFacts[]): ReadonlySet<string> {
  const references = new Set<string>();
  for (const { id, tags } of images) {
    if (id !== '') {
      const bare = id.replace(/^sha256:/, '');
      references.add(id).add(bare).add(bare.slice(0, 12));
    }
    for (const tag of tags) {
      for (const name of [tag, familiarImageName(tag)]) references.add(name).add(repositoryOf(name));
    }
  }
  references.delete('<none>');
  references.delete('<none>:<none>');
  return references;
}
