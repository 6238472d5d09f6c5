/** Quantities of bytes as Kubernetes writes them: `10Gi`, `1.5G`, `1024`. */
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

export const BYTES_PATTERN = /^[0-9]{1,15}(\.[0-9]{1,6})?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$/;

/** NaN for what is no quantity. */
export function parseBytes(quantity: string): number {
  if (!BYTES_PATTERN.test(quantity)) return Number.NaN;
  const number = quantity.replace(/[A-Za-z]+$/, '');
  const unit = UNITS[quantity.slice(number.length)] ?? Number.NaN;
  return Number(number) * unit;
}
