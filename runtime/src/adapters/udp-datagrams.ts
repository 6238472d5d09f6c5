/** Datagrams by UDP. */
import { createSocket, type Socket } from 'node:dgram';
import { ADDRCONFIG, V4MAPPED } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP, isIPv6 } from 'node:net';
import type { Datagrams } from '../ports/datagrams.ts';

export interface UdpDatagramsOptions {
  readonly host: string;
  /** 0 asks for any. */
  readonly port: number;
}

/**
 * Look-ups at once. Each holds one of the few threads that the disk needs too, for seconds when the name server does
 * not answer.
 */
const LOOKUPS_MAX = 2;
/** Beyond so many that wait for theirs, what is sent is lost. */
const WAITING_MAX = 64;

export class UdpDatagrams implements Datagrams {
  /** Of the socket. */
  readonly port: number;
  readonly #socket: Socket;
  readonly #family: 4 | 6;
  readonly #addresses = new Map<string, string>();
  /** Names that are looked up, or wait for it. */
  readonly #unresolved = new Set<string>();
  readonly #waiting: (() => void)[] = [];
  #lookups = 0;

  static async bind({ host, port }: UdpDatagramsOptions): Promise<UdpDatagrams> {
    const family = isIPv6(host) ? 6 : 4;
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind({ address: host, port, exclusive: true }, () => {
          socket.off('error', reject);
          resolve();
        });
      });
    } catch (error) {
      socket.close();
      const { code = '', message } = error as NodeJS.ErrnoException;
      throw new Error(`UDP port ${port} of ${host} cannot be opened: ${reasons[code] ?? message}`, {
        cause: error,
      });
    }
    return new UdpDatagrams(socket, family);
  }

  private constructor(socket: Socket, family: 4 | 6) {
    this.#socket = socket;
    this.#family = family;
    this.port = socket.address().port;
    // What could not be sent is lost, as it may be anywhere on its way.
    socket.on('error', () => undefined);
  }

  async send(to: string, bytes: Uint8Array): Promise<void> {
    const { host, port } = splitPlace(to);
    const address = this.#addresses.get(host) ?? (await this.#resolve(host));
    await new Promise<void>((resolve, reject) => {
      this.#socket.send(bytes, port, address, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  onDatagram(listener: (bytes: Uint8Array, from: string) => void): void {
    this.#socket.removeAllListeners('message');
    this.#socket.on('message', (message, { address, port, family }) => {
      listener(Uint8Array.from(message), `${family === 'IPv6' ? `[${address}]` : address}:${port}`);
    });
  }

  forget(to: string): void {
    this.#addresses.delete(splitPlace(to).host);
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }

  async #resolve(host: string): Promise<string> {
    if (isIP(host) !== 0) return host;
    if (this.#unresolved.has(host) || this.#unresolved.size >= WAITING_MAX)
      throw new Error(`${host} is not looked up: an earlier look-up is not answered yet`);
    this.#unresolved.add(host);
    if (this.#lookups >= LOOKUPS_MAX)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#lookups += 1;
    try {
      const hints = this.#family === 6 ? ADDRCONFIG | V4MAPPED : ADDRCONFIG;
      const { address } = await lookup(host, { family: this.#family, hints });
      this.#addresses.set(host, address);
      return address;
    } finally {
      this.#lookups -= 1;
      this.#unresolved.delete(host);
      this.#waiting.shift()?.();
    }
  }
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process has it. Choose another with the option "port", or end that process',
  EADDRNOTAVAIL: 'this machine has no such address. The option "http_host" names one of its own',
  EACCES:
    'it is not allowed. Ports below 1024 need a privilege; choose another with the option "port"',
};

function splitPlace(place: string): { readonly host: string; readonly port: number } {
  const colon = place.lastIndexOf(':');
  const host = place.slice(0, colon);
  return {
    host: host.startsWith('[') ? host.slice(1, -1) : host,
    port: Number(place.slice(colon + 1)),
  };
}
