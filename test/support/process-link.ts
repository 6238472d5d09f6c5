/**
 * A TCP proxy between processes and a server of theirs, the state provider or an instance, which can stop forwarding for
 * some of them without closing anything: as a network that swallows packets. Whose connection it is tells the kernel, by
 * its sockets: Linux only.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePorts } from './ports.ts';

interface Link {
  readonly inode: string;
  readonly ends: readonly [Socket, Socket];
  isCut: boolean;
}

export class ProcessLink {
  readonly port: number;
  readonly #to: number;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  /** Processes whose packets are swallowed. */
  #cut: ReadonlySet<number> = new Set();

  private constructor(port: number, to: number) {
    this.port = port;
    this.#to = to;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** @param endpoint of the server: `http://127.0.0.1:2379` */
  static async open(endpoint: string): Promise<ProcessLink> {
    const [port = 0] = await freePorts(1);
    const link = new ProcessLink(port, Number(new URL(endpoint).port));
    await new Promise<void>((resolve) => link.#server.listen(port, '127.0.0.1', resolve));
    return link;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Until it is healed nothing passes between these processes and the server either, connected already or later. */
  cut(pids: readonly number[]): void {
    this.#cut = new Set([...this.#cut, ...pids]);
    const inodes = inodesOf(this.#cut);
    for (const link of this.#links) if (inodes.has(link.inode)) swallow(link);
  }

  /** What was swallowed is lost, so nothing can go on there; or it comes late, as what is sent again after a while. */
  heal(swallowed: 'lost' | 'late' = 'lost'): void {
    this.#cut = new Set();
    for (const link of this.#links) {
      if (!link.isCut) continue;
      if (swallowed === 'late') join(link);
      else for (const end of link.ends) end.destroy();
    }
  }

  async close(): Promise<void> {
    for (const { ends } of this.#links) for (const end of ends) end.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    const inode = inodeOf(client.remotePort ?? 0, this.port);
    const server = connect({ port: this.#to, host: '127.0.0.1', noDelay: true });
    client.setNoDelay(true);
    const link: Link = { inode, ends: [client, server], isCut: false };
    this.#links.add(link);
    join(link);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on('error', () => to.destroy());
      from.on('close', () => {
        to.destroy();
        this.#links.delete(link);
      });
    }
    if (this.#cut.size > 0 && inodesOf(this.#cut).has(inode)) swallow(link);
  }
}

function join(link: Link): void {
  const [a, b] = link.ends;
  link.isCut = false;
  a.pipe(b);
  b.pipe(a);
}

function swallow(link: Link): void {
  link.isCut = true;
  for (const end of link.ends) {
    end.unpipe();
    end.pause();
  }
}

/** Of the client's end of a connection on loopback. */
function inodeOf(port: number, toPort: number): string {
  const hex = (number: number): string =>
    `0100007F:${number.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1] === hex(port) && fields[2] === hex(toPort)) return fields[9] ?? '';
  }
  return '';
}

function inodesOf(pids: ReadonlySet<number>): ReadonlySet<string> {
  const inodes = new Set<string>();
  for (const pid of pids) {
    for (const file of filesOf(pid)) {
      const inode = /^socket:\[(\d+)\]$/.exec(file)?.[1];
      if (inode !== undefined) inodes.add(inode);
    }
  }
  return inodes;
}

function filesOf(pid: number): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).flatMap((name) => {
      try {
        return [readlinkSync(`${folder}/${name}`)];
      } catch {
        return []; // It was closed meanwhile.
      }
    });
  } catch {
    return []; // The process has ended.
  }
}
