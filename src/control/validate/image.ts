/** The pieces of an image's name by the grammar of the distribution project; none of them can backtrack far. */
const DOMAIN =
  /^(?:(?:[a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])(?:\.(?:[a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9]))*|\[[a-f0-9:]+\])(?::\d+)?$/i;
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^[a-z][a-z0-9]*(?:[-_+.][a-z][a-z0-9]*)*:[0-9a-f]{32,}$/i;
const IDENTIFIER = /^[a-f0-9]{64}$/;

const NAME_MAX = 255;

/** Whether a text names an image: `name`, `host:5000/a/b:tag`, `name@sha256:…`; an image's bare id does not. */
export function isImageReference(reference: string): boolean {
  if (reference.length > 1024 || IDENTIFIER.test(reference)) return false;
  const at = reference.indexOf('@');
  if (at >= 0 && !DIGEST.test(reference.slice(at + 1))) return false;
  const tagged = at < 0 ? reference : reference.slice(0, at);
  const colon = tagged.lastIndexOf(':');
  const hasTag = colon > tagged.lastIndexOf('/');
  if (hasTag && !TAG.test(tagged.slice(colon + 1))) return false;
  return isName(hasTag ? tagged.slice(0, colon) : tagged);
}

function isName(name: string): boolean {
  if (name.length > NAME_MAX) return false;
  const [first = '', ...others] = name.split('/');
  const hasDomain =
    others.length > 0 && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first);
  if (hasDomain && !DOMAIN.test(first)) return false;
  return (hasDomain ? others : [first, ...others]).every((component) => COMPONENT.test(component));
}
