/** An image name taken apart; what is not given is empty. */
export interface ImageReference {
  /** The repository as Docker shows it: without `docker.io/library/`. */
  name: string;
  tag: string;
  /** `sha256:…` */
  digest: string;
}

/** Reads `name`, `name:tag`, `name@digest` or `name:tag@digest`. Never throws: what is no name matches nothing. */
export function parseImageReference(text: string): ImageReference {
  const at = text.indexOf('@');
  const digest = at < 0 ? '' : text.slice(at + 1);
  const tagged = at < 0 ? text : text.slice(0, at);
  const colon = tagged.lastIndexOf(':');
  // The colon of a registry's port stands before a slash.
  const hasTag = colon > tagged.lastIndexOf('/');
  return {
    name: familiarName(hasTag ? tagged.slice(0, colon) : tagged),
    tag: hasTag ? tagged.slice(colon + 1) : '',
    digest,
  };
}

/** The form in which Docker shows a name: `name:tag`, `name@digest`, or both; `latest` is not put in. */
export function imageReferenceText({ name, tag, digest }: ImageReference): string {
  return `${name}${tag === '' ? '' : `:${tag}`}${digest === '' ? '' : `@${digest}`}`;
}

function familiarName(name: string): string {
  const short = name.replace(/^(?:index\.)?docker\.io\//, '');
  // library/ belongs to Docker Hub; it is left out only where one name stands behind it.
  return /^library\/[^/]+$/.test(short) ? short.slice('library/'.length) : short;
}
