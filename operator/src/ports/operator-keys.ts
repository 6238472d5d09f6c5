/** PEM texts of the key pair with which the operator signs its tokens. */
export interface OperatorKeys {
  readonly publicKey: string;
  readonly privateKey: string;
}

export interface KeyGenerator {
  generate(): OperatorKeys;
}
