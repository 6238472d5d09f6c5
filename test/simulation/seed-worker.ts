/** Runs the batches that its parent sends, until it is disconnected. */
import { type Batch, runBatch } from './seed-batches.ts';

process.on('message', (batch: Batch) => {
  runBatch(batch).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    },
  );
});
