import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { UdpDatagrams } from '../../runtime/src/adapters/udp-datagrams.ts';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { SimulatedClock } from '../../runtime/src/testing/simulated-clock.ts';
import { SimulatedDatagramNetwork } from '../../runtime/src/testing/simulated-datagrams.ts';
import { describeDatagrams } from './datagrams.ts';

const clock = new SimulatedClock();
const network = new SimulatedDatagramNetwork({ clock, random: new SeededRandom(1) });
let names = 0;

describeDatagrams('SimulatedDatagramNetwork', {
  open: async () => {
    const name = `instance-${names++}.test:3301`;
    return { name, datagrams: network.bind(name) };
  },
  pass: () => clock.advance(1),
  unknownName: 'nowhere.test:3301',
});

describeDatagrams('UdpDatagrams', {
  open: async () => {
    const datagrams = await UdpDatagrams.bind({ host: '127.0.0.1', port: 0 });
    return { name: `localhost:${datagrams.port}`, datagrams };
  },
  pass: () => sleep(2),
  unknownName: 'nowhere.invalid:3301',
});

describe('UdpDatagrams', () => {
  it('names the port and the reason when it cannot be opened [MEM-01]', async () => {
    const first = await UdpDatagrams.bind({ host: '127.0.0.1', port: 0 });
    await assert.rejects(UdpDatagrams.bind({ host: '127.0.0.1', port: first.port }), {
      message: `UDP port ${first.port} of 127.0.0.1 cannot be opened: another process has it. Choose another with the option "port", or end that process`,
    });
    await first.close();
  });

  const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ address }) => address === '::1'),
  );
  const skip = hasIpv6 ? false : 'this machine has no IPv6';
  it('reaches by IPv6 too', { skip }, async () => {
    const [a, b] = await Promise.all([
      UdpDatagrams.bind({ host: '::1', port: 0 }),
      UdpDatagrams.bind({ host: '::1', port: 0 }),
    ]);
    const got = new Promise((resolve) => {
      b.onDatagram((bytes, from) => resolve([[...bytes], from]));
    });
    await a.send(`[::1]:${b.port}`, Uint8Array.of(7));
    assert.deepEqual(await got, [[7], `[::1]:${a.port}`]);
    await Promise.all([a.close(), b.close()]);
  });
});

describe('SimulatedDatagramNetwork', () => {
  it('leads a name elsewhere when it is bound again: who kept the old address reaches nobody', async () => {
    const sender = network.bind('sender.test:3301');
    const got: string[] = [];
    const bind = async (label: string): Promise<void> => {
      network.bind('moving.test:3301').onDatagram(() => got.push(label));
    };
    await bind('first');
    const first = network.addressOf('moving.test:3301') ?? '';
    await sender.send('moving.test:3301', Uint8Array.of(1));
    await clock.advance(10);
    network.unbind(first);
    await bind('second');
    await sender.send('moving.test:3301', Uint8Array.of(1));
    await clock.advance(10);
    sender.forget('moving.test:3301');
    await sender.send('moving.test:3301', Uint8Array.of(1));
    await clock.advance(10);
    assert.deepEqual(got, ['first', 'second']);
  });
});
