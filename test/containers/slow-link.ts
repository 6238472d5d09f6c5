/**
 * A link that can be made slow: a proxy between the instances and etcd, which holds every piece of data back for a
 * while, in both directions. The kernel's own means for that (netem) are not there on every machine.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Wait } from 'testcontainers';
import { Container, type Networks } from './container.ts';

interface Target {
  readonly host: string;
  readonly port: number;
}

const CONTROL_PORT = 9000;
const FIRST_PORT = 9001;

export class SlowLink {
  readonly name = 'link';
  /** One for each target. */
  readonly ports: readonly number[];
  readonly #container: Container;

  private constructor(container: Container, ports: readonly number[]) {
    this.#container = container;
    this.ports = ports;
  }

  static async start(
    image: string,
    targets: readonly Target[],
    networks: Networks,
  ): Promise<SlowLink> {
    const program = path.join(import.meta.dirname, 'fixtures/slow-proxy.mjs');
    const container = await Container.start(
      {
        name: 'link',
        image,
        entrypoint: ['/bin/node', '/slow-proxy.mjs'],
        command: [String(CONTROL_PORT), String(FIRST_PORT), JSON.stringify(targets)],
        files: [{ content: readFileSync(program, 'utf8'), target: '/slow-proxy.mjs' }],
        port: CONTROL_PORT,
        ready: Wait.forHttp('/', CONTROL_PORT),
      },
      networks,
    );
    return new SlowLink(
      container,
      targets.map((_, index) => FIRST_PORT + index),
    );
  }

  async delay(delayMs: number): Promise<void> {
    const { host, port } = await this.#container.address();
    await fetch(`http://${host}:${port}/${delayMs}`, { method: 'PUT' });
  }
}
