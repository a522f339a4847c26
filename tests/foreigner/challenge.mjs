// The registry's challenge: a text under AES-256 in ECB mode with PKCS #7 padding, whose key is the raw X25519 secret
// that the registry's encryption key and ours share.

import { createCipheriv, createDecipheriv, diffieHellman } from 'node:crypto';

import { bytesOf } from './keys.mjs';

/** The 32 bytes that both sides compute. */
export function sharedSecret(ours, theirs) {
  return diffieHellman({ privateKey: ours, publicKey: theirs });
}

/** The text of a challenge; throws when the keys do not fit. */
export function decrypt(challenge, ours, theirs) {
  const cipher = createDecipheriv('aes-256-ecb', sharedSecret(ours, theirs), null);
  return Buffer.concat([cipher.update(bytesOf(challenge, 'challenge')), cipher.final()]).toString('utf8');
}

/** A challenge as a registry makes it. */
export function encrypt(text, ours, theirs) {
  const cipher = createCipheriv('aes-256-ecb', sharedSecret(ours, theirs), null);
  return Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]).toString('base64');
}
