/**
 * How deep a section may be nested. What works on a value calls itself once for each level, so a section with more
 * levels is refused where it comes in. What is stored is read whatever its depth.
 */
export const SECTION_LEVELS_MAX = 64;

/** Also true of a value that holds itself. */
export function hasMoreLevels(value: unknown, max: number): boolean {
  if (value === null || typeof value !== 'object') return false;
  return max === 0 || Object.values(value).some((member) => hasMoreLevels(member, max - 1));
}

export function tooManyLevels(what: string): string {
  return `${what} has more than ${SECTION_LEVELS_MAX} levels of maps and lists, or holds itself`;
}
