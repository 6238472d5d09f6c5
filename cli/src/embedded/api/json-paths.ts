/** The part of JSONPath that printer columns and scale paths use: fields, indexes, filters, `[*]`. */
import { isList, isObject } from './json.ts';

export function readJsonPath(value: unknown, path: string): unknown[] {
  let found: unknown[] = [value];
  for (const step of stepsOf(path)) {
    found = found.flatMap((item) => take(item, step)).filter((item) => item !== undefined);
  }
  return found;
}

/** The plain field names of a path such as `.spec.replicas`. */
export function fieldNames(path: string): string[] {
  return stepsOf(path).map((step) => step.replace(/^\[['"]?|['"]?\]$/g, ''));
}

function stepsOf(path: string): string[] {
  const steps = path.match(/\.(?:\\.|[^.[\]\\])+|\[[^\]]*\]/g) ?? [];
  return steps.map((step) => (step.startsWith('.') ? step.slice(1).replaceAll('\\.', '.') : step));
}

function take(value: unknown, step: string): readonly unknown[] {
  if (!step.startsWith('[')) return isObject(value) ? [value[step]] : [];
  const inner = step.slice(1, -1);
  const filter = /^\?\(\s*@\.([\w.]+)\s*==\s*["'](.*)["']\s*\)$/.exec(inner);
  if (filter !== null) {
    const [, field = '', wanted] = filter;
    const items = isList(value) ? value : [];
    return items.filter((item) => readJsonPath(item, `.${field}`).includes(wanted));
  }
  if (inner === '*') return isList(value) ? value : Object.values(isObject(value) ? value : {});
  if (/^-?\d+$/.test(inner)) return isList(value) ? [value.at(Number(inner))] : [];
  const name = inner.replace(/^['"]|['"]$/g, '');
  return isObject(value) ? [value[name]] : [];
}
