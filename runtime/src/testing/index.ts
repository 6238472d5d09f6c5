export { SeededRandom } from './seeded-random.ts';
export { SimulatedClock } from './simulated-clock.ts';
