/** Values, keys and definitions of spaces, as roles write them. */
export type Tuple = readonly unknown[];

export type FieldType =
  | 'any'
  | 'unsigned'
  | 'integer'
  | 'number'
  | 'double'
  | 'string'
  | 'boolean'
  | 'uuid'
  | 'varbinary'
  | 'array'
  | 'map';

export interface FieldDefinition {
  readonly name: string;
  readonly type: FieldType;
  /** Default false. */
  readonly isNullable?: boolean;
}

export interface IndexDefinition {
  readonly name: string;
  /** Names of fields, in the order of the key. */
  readonly parts: readonly string[];
  /** Default true for the first index, false for the others. */
  readonly unique?: boolean;
}

export type Iterator = 'EQ' | 'REQ' | 'GE' | 'GT' | 'LE' | 'LT' | 'ALL';

export interface SelectOptions {
  /** Default: the primary index. */
  readonly index?: string;
  /** Default EQ, or ALL without a key. */
  readonly iterator?: Iterator;
  readonly key?: Tuple;
  /** Default 1000. */
  readonly limit?: number;
}
