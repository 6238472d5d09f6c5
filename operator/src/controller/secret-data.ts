/** Values of Secrets: base64 of UTF-8 text. */
export function decodeBase64(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const bytes = Uint8Array.from(atob(value), (char) => char.charCodeAt(0));
  return new TextDecoder().decode(bytes);
}

export function encodeBase64(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}
