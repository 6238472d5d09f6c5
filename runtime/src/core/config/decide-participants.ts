/**
 * Which instances must prepare a change.
 *
 * With a state provider its record of the head allows one successor of each config, whoever prepares: then it is enough
 * that all enabled instances of the wanted config prepare, and some that are known to be down may be left out as long
 * as a majority of the old and of the new instances holds the config (they are the only ones who keep it).
 * Without one, two changes exclude each other only because they share participants that prepare one at a time: all
 * enabled instances of the old and of the new config must prepare.
 */
import type { Topology } from '../../contract/cluster-config.ts';
import type { Change, Participant } from '../../contract/two-phase.ts';
import { enabledParticipants } from './read-sections.ts';

export interface ParticipantsQuestion {
  readonly previous: Topology;
  readonly next: Topology;
  readonly authority: Change['authority'];
  /** UUIDs of instances known to be down, which may be left out. */
  readonly missing: readonly string[];
}

export type ParticipantsAnswer =
  | { readonly kind: 'participants'; readonly participants: readonly Participant[] }
  | { readonly kind: 'refused'; readonly reason: string };

export function decideParticipants(question: ParticipantsQuestion): ParticipantsAnswer {
  const before = enabledParticipants(question.previous);
  const after = enabledParticipants(question.next);
  if (after.length === 0) return refused('the wanted config has no enabled instance');
  const isMissing = (participant: Participant): boolean =>
    question.missing.includes(participant.uuid);

  if (question.authority === 'participants') {
    const all = [...after, ...before.filter((old) => !after.some((one) => one.uuid === old.uuid))];
    const down = all.filter(isMissing);
    if (down.length > 0) {
      return refused(
        `without a state provider every enabled instance must prepare, but ${names(down)} is down`,
      );
    }
    return { kind: 'participants', participants: sorted(all) };
  }

  const joining = after.filter((one) => !before.some((old) => old.uuid === one.uuid));
  const absent = joining.filter(isMissing);
  if (absent.length > 0) {
    return refused(
      `${names(absent)} joins in this change, and is down: nobody could tell it later`,
    );
  }
  const alive = after.filter((participant) => !isMissing(participant));
  if (alive.length === after.length) return { kind: 'participants', participants: after };
  if (alive.length * 2 <= after.length) {
    return refused(`only ${alive.length} of ${after.length} enabled instances are up: no majority`);
  }
  const kept = before.filter((old) => alive.some((one) => one.uuid === old.uuid));
  if (kept.length * 2 <= before.length && before.length > 0) {
    return refused(
      `only ${kept.length} of ${before.length} instances of the present config are up: no majority`,
    );
  }
  return { kind: 'participants', participants: alive };
}

function sorted(participants: readonly Participant[]): readonly Participant[] {
  return participants.toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1));
}

function names(participants: readonly Participant[]): string {
  return participants.map((participant) => participant.uuid).join(', ');
}

function refused(reason: string): ParticipantsAnswer {
  return { kind: 'refused', reason };
}
