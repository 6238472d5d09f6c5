/** What the parts of a session ask of it. */
import type { ProtocolError } from '../../core/iproto/describe-error.ts';
import type { ReplyHead } from '../../core/iproto/reply.ts';
import type { Value } from '../../core/schema/values.ts';
import type { Streams } from './streams.ts';

export interface SessionReplies {
  user: string;
  /** The client has said that it reads errors with their stack. */
  hasStack: boolean;
  readonly salt: Uint8Array;
  readonly streams: Streams;
  ok(head: ReplyHead): void;
  /** A reply, or with a type an event, whose body is a map. */
  body(
    head: ReplyHead & { readonly type?: number },
    body: readonly (readonly [number, Value])[],
  ): void;
  values(head: ReplyHead, values: readonly Value[]): void;
  error(head: ReplyHead, error: ProtocolError): void;
  /** The same for anything that was thrown. It waits for row `after`, which may be the reason; 0 is none. */
  refuse(head: ReplyHead, error: unknown, after?: number): void;
  /** A reply without data that waits for a row; 0 is none. */
  okWhen(number: number, head: ReplyHead): void;
  callBegan(): void;
  /** `answer` writes the reply, and may go on with what has waited for the call. */
  callEnded(answer: () => void): void;
  /** A frame of a stream that had to wait. */
  executeLater(frame: Uint8Array): void;
}
