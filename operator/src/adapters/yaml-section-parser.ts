import { type Json, jsonSchema } from '@tonearm/runtime/contract';
import { parse } from 'yaml';
import type { ParsedSection, SectionParser } from '../ports/section-parser.ts';

export const yamlSectionParser: SectionParser = {
  parse(text: string): ParsedSection {
    try {
      const value: unknown = parse(text, { schema: 'core' });
      const json = jsonSchema.safeParse(value);
      if (!json.success)
        return { kind: 'invalid', reason: 'holds something that JSON cannot carry' };
      return { kind: 'parsed', value: json.data satisfies Json };
    } catch (error) {
      // The library throws for what users write; its message names line and column.
      const message = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
      return { kind: 'invalid', reason: `is not valid YAML: ${message}` };
    }
  },
};
