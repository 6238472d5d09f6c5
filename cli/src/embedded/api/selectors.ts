/** Label and field selectors, parsed from their text form into a predicate over objects. */
import { badRequest } from './api-error.ts';
import { objectAt, valueAt } from './json.ts';
import type { KubernetesObject } from './kubernetes-object.ts';

export type Predicate = (object: KubernetesObject) => boolean;

export interface SelectorTexts {
  readonly labelSelector: string;
  readonly fieldSelector: string;
}

/** Fields are named by their path (`status.phase`); only those that a kind declares are allowed. */
export function parseSelectors(texts: SelectorTexts, fields: readonly string[]): Predicate {
  const labels = splitTerms(texts.labelSelector).map(parseLabelTerm);
  const paths = splitTerms(texts.fieldSelector).map((term) => parseFieldTerm(term, fields));
  return (object) =>
    labels.every((matches) => matches(object.metadata.labels ?? {})) &&
    paths.every((matches) => matches(object));
}

/** Splits at commas outside parentheses: `a in (x,y),b=1` has two terms. */
function splitTerms(text: string): string[] {
  const terms = text.match(/(?:[^,(]|\([^)]*\))+/g) ?? [];
  return terms.map((term) => term.trim()).filter((term) => term !== '');
}

type LabelTest = (labels: Readonly<Record<string, string>>) => boolean;

function parseLabelTerm(term: string): LabelTest {
  const set = /^(\S+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(term);
  if (set !== null) {
    const [, name = '', operator, list = ''] = set;
    const values = new Set(list.split(',').map((value) => value.trim()));
    return (labels) => {
      const value = labels[name];
      const isIn = value !== undefined && values.has(value);
      return operator === 'in' ? isIn : !isIn;
    };
  }
  const equality = /^([^\s=!]+)\s*(==|=|!=)\s*(\S*)$/.exec(term);
  if (equality !== null) {
    const [, name = '', operator, wanted = ''] = equality;
    return (labels) => (labels[name] === wanted) === (operator !== '!=');
  }
  const presence = /^(!?)\s*([^\s=!]+)$/.exec(term);
  if (presence === null) {
    throw badRequest(`unable to parse requirement: "${term}" is not a label selector`);
  }
  const [, negation, name = ''] = presence;
  return (labels) => (labels[name] !== undefined) === (negation === '');
}

function parseFieldTerm(term: string, fields: readonly string[]): Predicate {
  const parts = /^([^\s=!]+)\s*(==|=|!=)\s*(.*)$/.exec(term);
  if (parts === null) {
    throw badRequest(`invalid selector: '${term}'; can't understand '${term}'`);
  }
  const [, field = '', operator, wanted = ''] = parts;
  if (!fields.includes(field)) throw badRequest(`field label not supported: ${field}`);
  return (object) => (textOfField(object, field) === wanted) === (operator !== '!=');
}

function textOfField(object: KubernetesObject, field: string): string {
  const value = valueAt(object, ...field.split('.'));
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : '';
}

/** A `LabelSelector` object as the text form that `/scale` reports. */
export function renderLabelSelector(selector: unknown): string {
  const labels = Object.entries(objectAt(selector, 'matchLabels'));
  return labels
    .map(([name, value]) => `${name}=${String(value)}`)
    .sort()
    .join(',');
}
