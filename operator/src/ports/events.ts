import type { ObjectReference } from '../api/kube-object.ts';

export interface RecordedEvent {
  readonly regarding: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  /** CamelCase; events of the same object and reason are counted, not repeated. */
  readonly reason: string;
  /** What the operator did or refused to do, CamelCase: `Scale`, `Reconcile`. */
  readonly action: string;
  readonly note: string;
}

/** Tells users what happened. Losing an event is never an error. */
export interface EventRecorder {
  record(event: RecordedEvent): void;
}
