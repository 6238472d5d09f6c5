import type { Json } from '@tonearm/runtime/contract';

export type ParsedSection =
  | { readonly kind: 'parsed'; readonly value: Json }
  | { readonly kind: 'invalid'; readonly reason: string };

/** Reads the text of a config section as people write it. */
export interface SectionParser {
  parse(text: string): ParsedSection;
}
