/** Turns the text of an option into its type; a wrong text names the option, the value and the type [ARG-08]. Pure. */

export type OptionType = 'string' | 'number' | 'boolean' | 'string|number';

export class OptionError extends Error {
  override readonly name = 'OptionError';
  readonly option: string;

  constructor(option: string, message: string) {
    super(message);
    this.option = option;
  }
}

const words: Readonly<Record<OptionType, string>> = {
  string: 'a text',
  number: 'a number',
  boolean: 'true or false',
  'string|number': 'a text or a number',
};

export function castOption(
  name: string,
  value: string | number | boolean,
  type: OptionType,
): string | number | boolean {
  const cast = castTo(value, type);
  if (cast === undefined) {
    throw new OptionError(
      name,
      `option "${name}" must be ${words[type]}, not ${JSON.stringify(value)}`,
    );
  }
  return cast;
}

function castTo(
  value: string | number | boolean,
  type: OptionType,
): string | number | boolean | undefined {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : String(value);
    case 'number':
      return toNumber(value);
    case 'boolean':
      return toBoolean(value);
    case 'string|number':
      return toNumber(value) ?? (typeof value === 'string' ? value : undefined);
  }
}

function toNumber(value: string | number | boolean): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean' || value.trim() === '') return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

function toBoolean(value: string | number | boolean): boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return undefined;
  const word = value.toLowerCase();
  if (word === 'true') return true;
  return word === 'false' ? false : undefined;
}
