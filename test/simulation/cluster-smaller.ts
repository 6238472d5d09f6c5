/** What might be smaller in a script of whole clusters, the greatest savings first. */
import { CALM_NETWORK } from '../../runtime/src/testing/simulated-peers.ts';
import { type ClusterScript, type FaultEvent, readScript, writeScript } from './cluster-script.ts';

/** So long after the last fault the run may still need to fail. */
const TAIL_MS = 500;
const SHORTEST_MS = 50;

export function* smallerClusters(text: string): Iterable<string> {
  const script = readScript(text);
  for (const smaller of candidates(script)) {
    const written = writeScript(smaller);
    if (written !== text) yield written;
  }
}

function* candidates(script: ClusterScript): Iterable<ClusterScript> {
  yield* withFewerEvents(script);
  yield* withFewerSets(script);
  const lastMs = Math.max(0, ...script.events.map(({ atMs }) => atMs));
  if (script.faultsMs > lastMs + TAIL_MS) yield { ...script, faultsMs: lastMs + TAIL_MS };
  yield { ...script, network: CALM_NETWORK };
  for (const [name, count] of Object.entries(script.clients)) {
    if (count > 0) yield { ...script, clients: { ...script.clients, [name]: count - 1 } };
  }
  for (const [index, event] of script.events.entries()) {
    const forMs = Math.round(event.forMs / 2);
    if (forMs < SHORTEST_MS) continue;
    yield { ...script, events: script.events.with(index, { ...event, forMs }) };
  }
}

/** Without parts of them, from halves to single ones. */
function* withFewerEvents(script: ClusterScript): Iterable<ClusterScript> {
  const { events } = script;
  for (const kind of new Set(events.map((event) => event.kind))) {
    yield { ...script, events: events.filter((event) => event.kind !== kind) };
  }
  for (
    let size = Math.ceil(events.length / 2);
    size >= 1;
    size = size > 1 ? Math.ceil(size / 2) : 0
  ) {
    for (let from = 0; from < events.length; from += size) {
      yield { ...script, events: [...events.slice(0, from), ...events.slice(from + size)] };
    }
  }
}

function* withFewerSets(script: ClusterScript): Iterable<ClusterScript> {
  const { sets, events } = script;
  if (sets.length > 1) {
    yield { ...script, sets: sets.slice(0, 1), events: events.filter(isOf('a')) };
    // The second set as the only one.
    const moved = events.filter(isOf('b')).map((event) => ({
      ...event,
      machine: event.machine.replace('b', 'a'),
    }));
    yield { ...script, sets: sets.slice(1), events: moved };
  }
  const [first = 0, ...others] = sets;
  if (first > 2) {
    const kept = events.filter(({ machine }) => machine !== `a${first}`);
    yield { ...script, sets: [first - 1, ...others], events: kept };
  }
}

function isOf(set: string): (event: FaultEvent) => boolean {
  return ({ machine }) => machine.startsWith(set);
}
