/** Started by enter.ts, where an engine runs or is to be started: builds and loads the images, then runs the tests. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { buildContainerImages } from '../kubernetes/images/build-images.ts';
import { isEngineThere, loadImages, startEngine } from './engine.ts';

interface Place {
  readonly folder: string;
  readonly etcd: string;
  readonly images: string;
  readonly startsEngine: boolean;
}

const startedAt = Date.now();
const place = JSON.parse(process.env['TONEARM_CONTAINERS'] ?? '') as Place;
const [only = ''] = process.argv.slice(2);

const [engine, { store, images }] = await Promise.all([
  place.startsEngine ? startEngine(place.folder) : Promise.resolve({}),
  buildContainerImages(place.images, place.etcd),
]);
Object.assign(process.env, engine);
if (!isEngineThere()) throw new Error('the Docker engine does not answer any more');
await loadImages(store, images, { scratch: path.join(place.folder, 'load'), environment: engine });
process.stdout.write(`containers: engine and images ready after ${Date.now() - startedAt} ms\n`);

const tier = path.resolve(import.meta.dirname, '..', 'run.ts');
const selected = only === '' ? [] : [`--only=${only}`];
const tests = spawnSync(
  process.execPath,
  ['--conditions=source', tier, '--tier=containers', ...selected],
  { stdio: 'inherit' },
);
process.exitCode = tests.status ?? 1;
