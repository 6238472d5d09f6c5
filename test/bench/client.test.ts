/** The load generator itself: figures are worth what it checks. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { Client, type LoadResult, type Operation } from './client.ts';

/** Of a request: the part of the body that a server gives back. */
type Respond = (request: Buffer) => { readonly code: number; readonly body: Buffer };

const GREETING_BYTES = 128;
const ID_BYTES = 16;
const canCompile = isThere('cc');

function isThere(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false; // It is not installed.
  }
}

/** Of one row with the id that the request names, or another. */
function rowBody(request: Buffer, change: (id: Buffer) => void = () => undefined): Buffer {
  const at = request.indexOf(0xb0) + 1;
  const id = Buffer.from(request.subarray(at, at + ID_BYTES));
  change(id);
  const head = [0x81, 0x30, 0xdd, 0, 0, 0, 1, 0x96, 0x01, 0xb0];
  return Buffer.concat([
    Buffer.from(head),
    id,
    Buffer.from([0xa1, 0x61, 0xa1, 0x62, 0xa1, 0x63, 7]),
  ]);
}

/** An IPROTO server that says what it is told to say. */
async function drive(operation: Operation, respond: Respond): Promise<LoadResult> {
  const serve = (socket: Socket): void => {
    socket.write(Buffer.alloc(GREETING_BYTES, 0x20));
    let rest = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
        const end = 5 + rest.readUInt32BE(1);
        const request = rest.subarray(5, end);
        const { code, body } = respond(request);
        const header = Buffer.from([
          0x82,
          0x00,
          0xcd,
          code >> 8,
          code & 255,
          0x01,
          0xce,
          0,
          0,
          0,
          0,
        ]);
        header.writeUInt32BE(request.readUInt32BE(5), 7);
        socket.write(Buffer.concat([Buffer.from([header.length + body.length]), header, body]));
        rest = rest.subarray(end);
      }
    });
  };
  const server = createServer(serve).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as { readonly port: number };
    const load = { operation, connections: 2, depth: 3, count: 50, next: 10, keys: 10 };
    return await (await Client.build()).try({ port }, load);
  } finally {
    server.close();
  }
}

describe('the load generator', { skip: !canCompile }, () => {
  it('counts right answers, and says which key comes next', async () => {
    const result = await drive('insert', (request) => ({ code: 0, body: rowBody(request) }));
    const { answers, errors, firstError, next } = result;
    assert.deepEqual(
      { answers, errors, firstError, next },
      {
        answers: 50,
        errors: 0,
        firstError: '',
        next: 60,
      },
    );
  });

  it('takes another row than the one it has asked for as an error', async () => {
    const swap = (id: Buffer): void => void id.writeUInt8(0x7a, 3);
    const result = await drive('get', (request) => ({ code: 0, body: rowBody(request, swap) }));
    assert.deepEqual(
      [result.errors, result.firstError],
      [50, 'an answer with another row than asked for'],
    );
  });

  it('takes an empty answer as an error', async () => {
    const result = await drive('get', () => ({ code: 0, body: Buffer.from([0x81, 0x30, 0x90]) }));
    assert.deepEqual(
      [result.errors, result.firstError],
      [50, 'an answer with another number of rows than asked for'],
    );
  });

  it('gives the message of the first refusal', async () => {
    const body = Buffer.concat([Buffer.from([0x81, 0x31, 0xa9]), Buffer.from('read only')]);
    const result = await drive('insert', () => ({ code: 0x8007, body }));
    assert.deepEqual([result.errors, result.firstError], [50, 'read only']);
  });
});
