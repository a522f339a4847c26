// Keys as the registry carries them: base64 of 32 raw bytes (BECKN-006; registry API 1.1.0 gives no other form).
//
// Invariant: a text that is not exactly one key never becomes one. Public keys in DER, which some networks publish, are
// told by their length and their fixed prefix.

import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';

/** What precedes the 32 bytes in DER: SubjectPublicKeyInfo (RFC 8410) and PKCS #8 of version 0. */
const DER = {
  Ed25519: { public: '302a300506032b6570032100', private: '302e020100300506032b657004220420' },
  X25519: { public: '302a300506032b656e032100', private: '302e020100300506032b656e04220420' },
};

/** Bytes of standard base64; throws unless `text` is exactly what encoding those bytes gives. */
export function bytesOf(text, what) {
  const bytes = Buffer.from(String(text), 'base64');
  if (typeof text !== 'string' || bytes.toString('base64') !== text) throw new Error(`${what}: expected base64`);
  return bytes;
}

/** A public key of `curve` ('Ed25519' or 'X25519') from its base64. */
export function publicKey(curve, text) {
  const prefix = Buffer.from(DER[curve].public, 'hex');
  let raw = bytesOf(text, `${curve} public key`);
  if (raw.length === prefix.length + 32 && raw.subarray(0, prefix.length).equals(prefix)) {
    raw = raw.subarray(prefix.length);
  }
  if (raw.length !== 32) throw new Error(`${curve} public key: expected 32 bytes, found ${raw.length}`);
  return createPublicKey({ key: Buffer.concat([prefix, raw]), format: 'der', type: 'spki' });
}

/**
 * A private key of `curve` from its base64: the seed, seed and public key (64 bytes, Ed25519 alone), or PKCS #8, also
 * of version 1 without the public key, as some networks print it.
 */
export function privateKey(curve, text) {
  const bytes = bytesOf(text, `${curve} private key`);
  let seed = bytes;
  if (bytes.length === 64 && curve === 'Ed25519') seed = bytes.subarray(0, 32);
  if (bytes.length === 48) seed = bytes.subarray(16);
  if (seed.length !== 32) throw new Error(`${curve} private key: expected 32, 48 or 64 bytes, found ${bytes.length}`);
  const der = Buffer.concat([Buffer.from(DER[curve].private, 'hex'), seed]);
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}

/** Base64 of the 32 raw bytes of a public key, or of the public half of a private one. */
export function rawPublic(key) {
  const half = key.type === 'private' ? createPublicKey(key) : key;
  return half.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64');
}

/** A new pair for signing and a new pair for challenges. */
export function newKeys() {
  return {
    signing: generateKeyPairSync('ed25519').privateKey,
    encryption: generateKeyPairSync('x25519').privateKey,
  };
}
