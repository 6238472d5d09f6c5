/**
 * How texts are ordered, and which are the same in an index.
 *
 * `binary` goes by the bytes of UTF-8. `unicode` and `unicode_ci` are Tarantool's: the root order of Unicode with all
 * three levels, and with letters alone, so that case and accents make no difference.
 */
export const collations = ['binary', 'unicode', 'unicode_ci'] as const;
export type Collation = (typeof collations)[number];

// English has no order of its own: it sorts as the root does, which cannot be asked for by name.
const unicode = new Intl.Collator('en', { sensitivity: 'variant' });
const unicodeCi = new Intl.Collator('en', { sensitivity: 'base' });

export function compareTexts(a: string, b: string, collation?: Collation): number {
  if (a === b) return 0;
  if (collation === 'unicode') return unicode.compare(a, b);
  return collation === 'unicode_ci' ? unicodeCi.compare(a, b) : compareUtf8(a, b);
}

/** UTF-16 sorts surrogates before U+E000 to U+FFFF, UTF-8 after them. */
function compareUtf8(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return codePointRank(left) - codePointRank(right);
  }
  return a.length - b.length;
}

function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
