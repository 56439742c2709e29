/** What a template of SwarmKit's can name at one place, and Go's word for that place's type. */
interface Names {
  readonly type: string;
  /** Undefined where any name will do. */
  readonly fields: Readonly<Record<string, Names>> | undefined;
}

const TEXT: Names = { type: 'string', fields: {} };

const CONTEXT: Names = {
  type: '*template.Context',
  fields: {
    Service: {
      type: 'struct { ID string; Name string; Labels map[string]string }',
      fields: { ID: TEXT, Name: TEXT, Labels: { type: 'map[string]string', fields: undefined } },
    },
    Node: {
      type: 'struct { ID string; Hostname string; Platform template.Platform }',
      fields: {
        ID: TEXT,
        Hostname: TEXT,
        Platform: { type: 'template.Platform', fields: { Architecture: TEXT, OS: TEXT } },
      },
    },
    Task: {
      type: 'struct { ID string; Name string; Slot string }',
      fields: { ID: TEXT, Name: TEXT, Slot: TEXT },
    },
  },
};

/** Go's keywords, constants and functions of templates, and the one that SwarmKit adds (join). */
const WORDS = new Set(
  (
    'and or not len index slice print printf println html js urlquery call eq ne lt le gt ge join ' +
    'if else end range with define block template break continue true false nil'
  ).split(' '),
);

/**
 * Why Go would refuse to fill in a text's template, as far as can be told without Go: an action without an end, a
 * function that there is not, a plain name (`.Node.Nope`) that means nothing. Undefined when there is nothing against it.
 */
export function templateFault(text: string): string | undefined {
  for (let from = text.indexOf('{{'); from >= 0; from = text.indexOf('{{', from)) {
    const line = text.slice(0, from).split('\n').length;
    const isComment = /^\{\{-?\s*\/\*/.test(text.slice(from, from + 64));
    const to = text.indexOf(isComment ? '*/' : '}}', from);
    if (to < 0) return isComment ? `${line}: unclosed comment` : `${line}: unclosed action`;
    const place = { line, text, at: from + 2 };
    const why = isComment ? undefined : actionFault(text.slice(from + 2, to), place);
    if (why !== undefined) return why;
    from = to + 2;
  }
  return undefined;
}

interface ActionPlace {
  readonly line: number;
  readonly text: string;
  readonly at: number;
}

/** `at` is where the action stands within `text`. */
function actionFault(action: string, { line, text, at }: ActionPlace): string | undefined {
  const content = action.replace(/^-\s/, '').replace(/\s-$/, '').trim();
  const word = /^[A-Za-z_]\w*/.exec(content)?.[0];
  if (word !== undefined && !WORDS.has(word)) return `${line}: function "${word}" not defined`;
  if (!/^(?:\.[A-Za-z_]\w*)+$/.test(content)) return undefined;
  const unknown = unknownName(content.slice(1).split('.'));
  if (unknown === undefined) return undefined;
  // Go points at the second name of several.
  const first = action.indexOf('.');
  const second = action.indexOf('.', first + 1);
  const before = text.slice(text.lastIndexOf('\n', at) + 1, at + (second < 0 ? first : second));
  return `${line}:${Buffer.byteLength(before)}: executing "expansion" at <${content}>: ${unknown}`;
}

function unknownName(path: readonly string[]): string | undefined {
  let here = CONTEXT;
  for (const name of path) {
    if (!here.fields) return undefined;
    const next = Object.hasOwn(here.fields, name) ? here.fields[name] : undefined;
    if (!next) return `can't evaluate field ${name} in type ${here.type}`;
    here = next;
  }
  return undefined;
}
