// Signatures of requests and callbacks, as BECKN-006 describes them.
//
// Invariant: what is signed and verified are the bytes of the body as they travel, never a second rendering of them.

import { createHash, sign, verify } from 'node:crypto';

import { bytesOf } from './keys.mjs';

/** The only list of headers that BECKN-006 signs. */
const HEADERS = '(created) (expires) digest';
/** Seconds for which a signature of ours is good. */
const LIFETIME = 120;

/** Base64 of BLAKE2b-512 of the body. */
export function digest(body) {
  return createHash('blake2b512').update(body).digest('base64');
}

/** The three lines that are signed. */
export function signingString(created, expires, bodyDigest) {
  return `(created): ${created}\n(expires): ${expires}\ndigest: BLAKE-512=${bodyDigest}`;
}

/** Base64 of the Ed25519 signature of a text. */
export function signText(text, key) {
  return sign(null, Buffer.from(text), key).toString('base64');
}

/** Whether `signature` (base64) is `key`'s over `text`. */
export function verifyText(text, key, signature) {
  const bytes = bytesOf(signature, 'signature');
  return bytes.length === 64 && verify(null, Buffer.from(text), key, bytes);
}

/** Now, in whole seconds since 1970. */
export function seconds() {
  return Math.floor(Date.now() / 1000);
}

/** The value of `Authorization` (or `X-Gateway-Authorization`) for a body. */
export function authorization(body, { subscriberId, keyId, key }, created = seconds(), expires = created + LIFETIME) {
  const signature = signText(signingString(created, expires, digest(body)), key);
  return (
    `Signature keyId="${subscriberId}|${keyId}|ed25519",algorithm="ed25519",created="${created}",` +
    `expires="${expires}",headers="${HEADERS}",signature="${signature}"`
  );
}

/** Why a signature is not accepted. */
export class BadSignature extends Error {}

function refuse(reason) {
  throw new BadSignature(reason);
}

/** Reads a header; throws [`BadSignature`] when it is not of BECKN-006's form. */
export function parseHeader(text) {
  const [, list] =
    /^Signature\s+(\S.*)$/.exec(text ?? '') ?? refuse('expected a header of the form Signature keyId="…",…');
  const found = new Map();
  const parameter = /\s*([A-Za-z]+)="([^"]*)"\s*(,|$)/y;
  while (parameter.lastIndex < list.length) {
    const match = parameter.exec(list) ?? refuse('a parameter is not of the form name="value"');
    if (found.has(match[1])) refuse(`${match[1]} is there twice`);
    found.set(match[1], match[2]);
    if (match[3] === ',' && parameter.lastIndex === list.length) refuse('a parameter is missing after the last comma');
  }
  for (const name of ['keyId', 'algorithm', 'created', 'expires', 'headers', 'signature']) {
    if (!found.has(name)) refuse(`${name} is missing`);
  }
  const parts = found.get('keyId').split('|');
  if (parts.length !== 3 || parts.some((part) => part === '')) refuse('keyId: expected subscriber|key|algorithm');
  const [subscriberId, keyId, algorithm] = parts;
  if (algorithm !== found.get('algorithm')) refuse('the algorithm differs from the one in keyId');
  if (algorithm !== 'ed25519') refuse('the only algorithm is ed25519');
  if (found.get('headers') !== HEADERS) refuse(`headers: expected "${HEADERS}"`);
  const time = (name) =>
    /^\d{1,12}$/.test(found.get(name)) ? Number(found.get(name)) : refuse(`${name}: expected seconds since 1970`);
  return { subscriberId, keyId, created: time('created'), expires: time('expires'), signature: found.get('signature') };
}

/**
 * Accepts or throws [`BadSignature`]: the window first, then the key that `keyOf` (subscriber id, key id) finds, then
 * the signature over these bytes. Returns who signed, and what `keyOf` told besides the key.
 */
export async function verifySignature(text, body, keyOf, now = seconds()) {
  const header = parseHeader(text);
  if (header.created > now) refuse('it was made in the future');
  if (header.expires <= now) refuse('it has expired');
  if (header.expires < header.created) refuse('it expires before it was made');
  const found = (await keyOf(header.subscriberId, header.keyId)) ?? refuse('no valid key of that id is registered');
  let good = false;
  try {
    good = verifyText(signingString(header.created, header.expires, digest(body)), found.key, header.signature);
  } catch {
    refuse('the signature is not base64');
  }
  if (!good) refuse('the signature does not fit the body');
  return { ...found, subscriberId: header.subscriberId, keyId: header.keyId };
}
