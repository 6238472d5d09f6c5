/** What a request says, with positions into the buffer that was read from the socket; -1 where there is none. */
export class RequestFields {
  bytes: Uint8Array = new Uint8Array(0);
  type = 0;
  /** The 64 bits of the client's number of the request are only ever given back. */
  syncHigh = 0;
  syncLow = 0;
  schemaVersion = 0;
  streamId = 0;
  space = 0;
  index = 0;
  iterator = 0;
  limit = 0;
  offset = 0;
  indexBase = 0;
  keyAt = -1;
  tupleAt = -1;
  tupleEnd = -1;
  operationsAt = -1;
  afterAt = -1;
  fetchesPosition = false;
  /** Where values of other keys are; -1 where they are absent. */
  spaceAt = -1;
  spaceNameAt = -1;
  indexNameAt = -1;
  functionAt = -1;
  userAt = -1;
  eventKeyAt = -1;
  afterPositionAt = -1;
  versionAt = -1;
  featuresAt = -1;
  timeoutAt = -1;
  limitAt = -1;
  frameAt = 0;
  syncAt = -1;
  keyEnd = -1;
  /** Is anything set that most requests do not have? */
  hasRare = false;
  /** Rows of one space are asked for outside of streams, for any schema, and nothing is missing. */
  isWhole = false;
}
