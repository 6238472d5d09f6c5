/** About how many bytes of memory a value takes that a call carries: to bound what waits, not to be exact. Pure. */
const OF_SCALAR = 8;
const OF_ENTRY = 16;

export function estimateBytes(value: unknown): number {
  if (typeof value === 'string') return OF_ENTRY + value.length;
  if (ArrayBuffer.isView(value)) return OF_ENTRY + value.byteLength;
  if (typeof value !== 'object' || value === null) return OF_SCALAR;
  let bytes = OF_ENTRY;
  for (const [key, part] of Object.entries(value)) {
    bytes += OF_SCALAR + (Array.isArray(value) ? 0 : key.length) + estimateBytes(part);
  }
  return bytes;
}
