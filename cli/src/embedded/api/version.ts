/** What clients compare their own version with; the semantics served here are of this release. */
export const VERSION = {
  major: '1',
  minor: '35',
  gitVersion: 'v1.35.0-tonearm',
  platform: 'embedded',
};
