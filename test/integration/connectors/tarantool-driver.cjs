// Runs the cases of connectors with npm's tarantool-driver and prints what it saw as one line of JSON.
const { createRequire } = require('node:module');

const [, , folder, port] = process.argv;
const Tarantool = createRequire(`${folder}/`)('tarantool-driver');
const results = {};

/** The driver gives a message alone: the number is what the test knows of it. */
async function record(name, work) {
  try {
    results[name] = { value: await work() };
  } catch (error) {
    results[name] = { message: error.message };
  }
}

function connect(username, password) {
  return new Tarantool({
    host: '127.0.0.1',
    port: Number(port),
    username,
    password,
    lazyConnect: true,
    retryStrategy: null,
    reserveHosts: [],
  });
}

async function main() {
  const wrong = connect('admin', 'wrong');
  await record('wrong password', () => wrong.connect());
  wrong.disconnect();
  const guest = connect(null, null);
  await record('guest ping', () => guest.ping());
  await record('guest select', () => guest.select('books', 'primary', 1, 0, 'eq', [1]));
  await record('guest call', () => guest.call('books.sum', 1, 2));
  guest.disconnect();

  const conn = connect('admin', 'test-cookie');
  await conn.connect();
  await record('insert', () => conn.insert('books', [1, 'Dune', 412]));
  await record('insert again', () => conn.insert('books', [1, 'Dune', 412]));
  await record('replace', () => conn.replace('books', [2, 'Emma', 474]));
  const update = [
    ['+', 2, 8],
    ['=', 1, 'Dune II'],
  ];
  await record('update', () => conn.update('books', 'primary', [1], update));
  await record('update nothing', () => conn.update('books', 'primary', [99], [['+', 2, 8]]));
  await record('upsert new', () => conn.upsert('books', [['+', 2, 1]], [3, 'Ulysses', 730]));
  await record('upsert old', () => conn.upsert('books', [['+', 2, 1]], [3, 'Ulysses', 730]));
  await record('get by text', () => conn.select('books', 'title', 1, 0, 'eq', ['Ulysses']));
  await record('select GE', () => conn.select('books', 'primary', 10, 0, 'ge', [2]));
  await record('select page', () => conn.select('books', 'primary', 1, 1, 'all', []));
  await record('delete', () => conn.delete('books', 'primary', [2]));
  await record('bad type', () => conn.insert('books', ['x', 'y', 1]));
  await record('call', () => conn.call('books.sum', 1, 2));
  await record('call two values', () => conn.call('books.two'));
  await record('call fails', () => conn.call('books.fail'));
  await record('call unknown', () => conn.call('books.nothing'));
  await record('eval', () => conn.eval('return 1'));
  conn.disconnect();
  process.stdout.write(`${JSON.stringify(results)}\n`, () => process.exit(0));
}

main();
