/**
 * Who owns which field. An update takes what it changed from everyone else; an apply owns exactly
 * what it says, refuses to change what another manager owns unless forced, and removes what it said
 * before and says no more, unless someone else owns that too.
 */
import { ApiError, applyConflict, type StatusCause } from './api-error.ts';
import { changesBetween, FieldSet, fieldsOf, printPath } from './field-sets.ts';
import { isList, isObject, type JsonObject, objectAt, textAt, without } from './json.ts';
import type { ManagedFieldsEntry, ObjectDraft } from './kubernetes-object.ts';
import type { MergeType } from './merge-types.ts';
import { mergeValues, removeFields } from './merge-values.ts';

export interface FieldManager {
  readonly name: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string;
  readonly time: string;
}

interface ManagerRecord {
  readonly entry: Omit<ManagedFieldsEntry, 'fieldsV1'>;
  fields: FieldSet;
}

/** Bookkeeping of the server, which nobody owns. */
const UNOWNED_METADATA = [
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'selfLink',
  'managedFields',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generateName',
];

/** Returns the entries after `manager` turned `before` into `after` by anything but an apply. */
export function recordUpdate(
  change: { readonly before: ObjectDraft; readonly after: ObjectDraft; readonly type: MergeType },
  entries: unknown,
  manager: FieldManager,
): ManagedFieldsEntry[] {
  const records = parseEntries(entries);
  const changes = changesBetween(ownable(change.before), ownable(change.after), change.type);
  const taken = changes.added.union(changes.modified);
  if (taken.isEmpty && changes.removed.isEmpty) return renderRecords(records);
  const lost = taken.union(changes.removed);
  for (const record of records) record.fields = record.fields.difference(lost);
  if (!taken.isEmpty) {
    const own = records.find((record) => isBy(record, manager)) ?? addRecord(records, manager);
    own.fields = own.fields.union(taken);
    touch(records, own, manager.time);
  }
  return renderRecords(records);
}

export interface AppliedObject {
  readonly object: ObjectDraft;
  readonly entries: readonly ManagedFieldsEntry[];
}

/** Lays a configuration over the live object; throws a 409 that names the owners in the way. */
export function applyConfiguration(
  change: { readonly live: ObjectDraft; readonly config: ObjectDraft; readonly type: MergeType },
  manager: FieldManager,
  force: boolean,
): AppliedObject {
  const { live, type } = change;
  const config = ownable(change.config);
  const records = parseEntries(objectAt(live, 'metadata')['managedFields']);
  const base = without(live, 'metadata');
  const bookkeeping = objectAt(live, 'metadata');
  const merged = mergeValues(ownable(live), config, type);
  const changes = changesBetween(ownable(live), merged, type);
  const others = records.filter((record) => !isBy(record, manager));
  takeFromOthers(others, changes.added.union(changes.modified), force);

  const wanted = fieldsOf(config, type);
  const own = records.find((record) => isBy(record, manager)) ?? addRecord(records, manager);
  const givenUp = FieldSet.of(
    own.fields
      .difference(wanted)
      .paths()
      .filter((path) => !others.some((other) => other.fields.hasWithin(path))),
  );
  const kept = removeFields(merged, givenUp, type);
  for (const record of others) record.fields = record.fields.difference(givenUp);
  const hasChanged =
    own.fields.paths().length !== wanted.paths().length ||
    !own.fields.difference(wanted).isEmpty ||
    !changes.added.isEmpty ||
    !changes.modified.isEmpty;
  own.fields = wanted;
  if (hasChanged) touch(records, own, manager.time);

  const result = isObject(kept) ? kept : {};
  const unowned = Object.fromEntries(
    Object.entries(bookkeeping).filter(([name]) => UNOWNED_METADATA.includes(name)),
  );
  const head = { apiVersion: base['apiVersion'], kind: base['kind'] };
  const object = { ...head, ...result, metadata: { ...unowned, ...objectAt(result, 'metadata') } };
  return { object, entries: renderRecords(records) };
}

function takeFromOthers(others: readonly ManagerRecord[], taken: FieldSet, force: boolean): void {
  const causes: StatusCause[] = [];
  for (const record of others) {
    const contested = record.fields.intersection(taken);
    if (contested.isEmpty) continue;
    if (force) record.fields = record.fields.difference(contested);
    else causes.push(...contested.paths().map((path) => conflictCause(record, printPath(path))));
  }
  if (causes.length > 0) throw applyConflict(conflictMessage(causes), causes);
}

function conflictCause(record: ManagerRecord, field: string): StatusCause {
  const { manager, operation, apiVersion, subresource } = record.entry;
  const place = subresource === undefined ? '' : ` with subresource "${subresource}"`;
  // An applier is known by its name alone; an update's version tells which form was written.
  const form = operation === 'Update' ? ` using ${apiVersion}` : '';
  const message = `conflict with "${manager}"${place}${form}`;
  return { reason: 'FieldManagerConflict', message, field };
}

function conflictMessage(causes: readonly StatusCause[]): string {
  const [first] = causes;
  if (causes.length === 1 && first !== undefined) {
    return `Apply failed with 1 conflict: ${first.message}: ${first.field ?? ''}`;
  }
  const owners = [...new Set(causes.map((cause) => cause.message))];
  const groups = owners.map((owner) => {
    const fields = causes.filter((cause) => cause.message === owner).map((cause) => cause.field);
    const lines = fields.map((field) => `\n- ${field ?? ''}`).join('');
    return `${owner.replace('conflict', 'conflicts')}:${lines}`;
  });
  return `Apply failed with ${causes.length} conflicts: ${groups.join('\n')}`;
}

/** The part of an object that field managers can own. */
function ownable(object: ObjectDraft): JsonObject {
  const metadata = without(objectAt(object, 'metadata'), ...UNOWNED_METADATA);
  const rest = without(object, 'apiVersion', 'kind', 'metadata');
  return Object.keys(metadata).length === 0 ? rest : { ...rest, metadata };
}

function isBy(record: ManagerRecord, manager: FieldManager): boolean {
  return (
    record.entry.manager === manager.name &&
    record.entry.operation === manager.operation &&
    record.entry.apiVersion === manager.apiVersion &&
    (record.entry.subresource ?? '') === manager.subresource
  );
}

function addRecord(records: ManagerRecord[], manager: FieldManager): ManagerRecord {
  const record: ManagerRecord = {
    entry: {
      manager: manager.name,
      operation: manager.operation,
      apiVersion: manager.apiVersion,
      time: manager.time,
      fieldsType: 'FieldsV1',
      ...(manager.subresource === '' ? {} : { subresource: manager.subresource }),
    },
    fields: new FieldSet(),
  };
  records.push(record);
  return record;
}

function touch(records: ManagerRecord[], record: ManagerRecord, time: string): void {
  records.splice(records.indexOf(record), 1, {
    entry: { ...record.entry, time },
    fields: record.fields,
  });
}

/** Entries as a client may have sent them; an empty entry (`[{}]`) asks for a fresh start. */
function parseEntries(entries: unknown): ManagerRecord[] {
  if (!isList(entries)) return [];
  return entries.filter(isObject).filter(isNamed).map(parseEntry);
}

function isNamed(entry: JsonObject): boolean {
  return textAt(entry, 'operation') !== '' && isObject(entry['fieldsV1']);
}

function parseEntry(entry: JsonObject): ManagerRecord {
  const operation = textAt(entry, 'operation');
  if (operation !== 'Apply' && operation !== 'Update') {
    throw new ApiError({
      code: 400,
      reason: 'BadRequest',
      message: `metadata.managedFields: invalid operation "${operation}", use Apply or Update`,
    });
  }
  const subresource = textAt(entry, 'subresource');
  return {
    entry: {
      manager: textAt(entry, 'manager'),
      operation,
      apiVersion: textAt(entry, 'apiVersion'),
      time: textAt(entry, 'time'),
      fieldsType: 'FieldsV1',
      ...(subresource === '' ? {} : { subresource }),
    },
    fields: FieldSet.fromJson(entry['fieldsV1']),
  };
}

function renderRecords(records: readonly ManagerRecord[]): ManagedFieldsEntry[] {
  return records
    .filter((record) => !record.fields.isEmpty)
    .map((record) => ({ ...record.entry, fieldsV1: record.fields.toJson() }));
}
