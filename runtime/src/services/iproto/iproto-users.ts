/** Who may do what over the binary protocol. */
export interface IprotoUsers {
  /** Whether `scramble` proves the password of `user` for this salt. */
  authenticate(user: string, salt: Uint8Array, scramble: Uint8Array): boolean;
  mayRead(user: string): boolean;
  mayWrite(user: string): boolean;
  mayCall(user: string): boolean;
}
