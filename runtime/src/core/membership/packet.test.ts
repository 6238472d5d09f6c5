import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GOSSIP_STATUSES, type GossipEntry, INCARNATION_MAX } from './entry.ts';
import { decodePacket, encodePacket, type GossipPacket, PACKET_BYTES_MAX } from './packet.ts';

const CLUSTER = '00000000-0000-4000-8000-0000000000cc';

const anyUri = fc
  .tuple(fc.stringMatching(/^[a-z][a-z0-9.-]{0,40}$/), fc.integer({ min: 1, max: 65_535 }))
  .map(([host, port]) => `${host}:${port}`);
const anyEntry: fc.Arbitrary<GossipEntry> = fc.record(
  {
    uri: anyUri,
    status: fc.constantFrom(...GOSSIP_STATUSES),
    incarnation: fc.nat(INCARNATION_MAX),
    payload: fc.dictionary(
      fc.constantFrom(
        'uuid',
        'alias',
        'state',
        'leader_uuid',
        'raft_term',
        'other',
        '',
        '__proto__',
      ),
      fc.oneof(fc.uuid(), fc.string({ maxLength: 40 })),
      { noNullPrototype: true, maxKeys: 4 },
    ),
  },
  { noNullPrototype: true },
);
const anyPacket: fc.Arbitrary<GossipPacket> = fc.record(
  {
    cluster: fc.uuid(),
    kind: fc.constantFrom('ping', 'ack', 'sync', 'synced', 'word'),
    sequence: fc.nat(),
    hops: fc.constantFrom(0, 1),
    wallMs: fc.nat(2 ** 45),
    from: anyEntry,
    to: fc.option(anyEntry, { nil: undefined }),
    entries: fc.array(anyEntry, { maxLength: 20 }),
  },
  { noNullPrototype: true },
);

function entry(index: number): GossipEntry {
  const uri = `employees-storage-1-${index}.employees.default.svc.cluster.local:3301`;
  const payload = {
    uuid: CLUSTER,
    alias: `employees-storage-1-${index}`,
    state: 'RolesConfigured',
  };
  return { uri, status: 'alive', incarnation: 2 ** 24, payload };
}

describe('packets of gossip', () => {
  it('are read as they were written, in so far as they fit [MEM-06]', () => {
    fc.assert(
      fc.property(anyPacket, (packet) => {
        const { bytes, carried } = encodePacket(packet, packet.entries);
        assert.ok(bytes.length <= PACKET_BYTES_MAX);
        assert.deepEqual(carried, packet.entries.slice(0, carried.length));
        assert.deepEqual(decodePacket(bytes), {
          kind: 'packet',
          packet: { ...packet, entries: carried },
        });
      }),
    );
  });

  it('hold eight more instances of a cluster in Kubernetes', () => {
    const head = { cluster: CLUSTER, kind: 'ping', sequence: 1, hops: 0, wallMs: 1.7e12 } as const;
    const wanted = Array.from({ length: 30 }, (_, index) => entry(index + 2));
    const { carried } = encodePacket({ ...head, from: entry(0), to: entry(1) }, wanted);
    assert.ok(carried.length >= 8, String(carried.length));
  });

  it('are these bytes in version 1', () => {
    const from: GossipEntry = {
      ...{ uri: 'a:1', status: 'alive', incarnation: 300 },
      payload: { uuid: CLUSTER, state: 'RolesConfigured', other: 'é' },
    };
    const to: GossipEntry = { uri: 'b:2', status: 'dead', incarnation: 5, payload: {} };
    const head = { cluster: CLUSTER, kind: 'ack', sequence: 7, hops: 1, wallMs: 1000 } as const;
    const { bytes } = encodePacket({ ...head, from, to }, [{ ...to, uri: 'c:3', status: 'left' }]);
    assert.equal(
      Buffer.from(bytes).toString('hex'),
      [
        '01',
        '95d80200000000000040008000',
        '0000000000cc010701cd03e8',
        '94a3613a3100cd012c83',
        '00d802000000000000400080000000000000cc',
        '02af526f6c6573436f6e66696775726564',
        'a56f74686572a2c3a9',
        '94a3623a32020580',
        '94a3633a33030580',
      ].join(''),
    );
    assert.deepEqual(decodePacket(bytes), {
      kind: 'packet',
      packet: { ...head, from, to, entries: [{ ...to, uri: 'c:3', status: 'left' }] },
    });
  });

  it('that are garbage are refused, whatever they are [MEM-17]', () => {
    const { bytes } = encodePacket(
      {
        cluster: CLUSTER,
        kind: 'ping',
        sequence: 1,
        hops: 0,
        wallMs: 1,
        from: entry(0),
        to: entry(1),
      },
      [entry(2), entry(3)],
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        // Behind the right version as well.
        for (const one of [noise, Uint8Array.of(1, ...noise)])
          assert.equal(decodePacket(one).kind, 'refused');
      }),
    );
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (place, byte) => {
        // It may still be one; it is never an error.
        decodePacket(bytes.with(place, byte));
        decodePacket(bytes.subarray(0, place));
      }),
      { numRuns: 2000 },
    );
  });

  const refused: readonly (readonly [string, Uint8Array, string])[] = [
    ['nothing', Uint8Array.of(), 'it is empty'],
    ['another version', Uint8Array.of(2, 0x90), 'its version is 2, not 1'],
    ['too much', new Uint8Array(PACKET_BYTES_MAX + 1).fill(1), 'it is too long'],
    ['a text', new TextEncoder().encode('\u0001hello'), 'it is no packet of gossip'],
  ];
  for (const [what, bytes, reason] of refused) {
    it(`say why they are refused: ${what}`, () => {
      assert.deepEqual(decodePacket(bytes), { kind: 'refused', reason });
    });
  }
});
