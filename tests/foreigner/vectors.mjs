// Checks the foreigner's own cryptography: against RFC 7693 and RFC 7748 always, and against published vectors when they
// are at hand. Prints a JSON line for each check and exits 1 if one failed.
//
//   node tests/foreigner/vectors.mjs [signing_vectors.json]

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { decrypt, encrypt, sharedSecret } from './challenge.mjs';
import { newKeys, privateKey, publicKey, rawPublic } from './keys.mjs';
import {
  authorization,
  BadSignature,
  digest,
  parseHeader,
  signingString,
  signText,
  verifySignature,
  verifyText,
} from './signature.mjs';

const path =
  process.argv[2] ?? fileURLToPath(new URL('../../../shared/data/vectors/signing_vectors.json', import.meta.url));
let failed = 0;

async function check(name, body) {
  try {
    await body();
    console.log(JSON.stringify({ check: name, ok: true }));
  } catch (problem) {
    failed += 1;
    console.log(JSON.stringify({ check: name, ok: false, reason: problem.message }));
  }
}

const hex = (text) => Buffer.from(text, 'hex').toString('base64');
const refused = (promise, reason) =>
  assert.rejects(promise, (problem) => problem instanceof BadSignature && reason.test(problem.message));

await check('BLAKE2b-512 of RFC 7693, appendix A', () => {
  const published =
    'ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1' +
    '7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923';
  assert.equal(digest('abc'), hex(published));
});

await check('X25519 of RFC 7748, section 6.1', () => {
  const alice = privateKey('X25519', hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'));
  const bob = privateKey('X25519', hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'));
  assert.equal(rawPublic(alice), hex('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a'));
  const both = hex('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742');
  assert.equal(sharedSecret(alice, publicKey('X25519', rawPublic(bob))).toString('base64'), both);
  assert.equal(sharedSecret(bob, publicKey('X25519', rawPublic(alice))).toString('base64'), both);
});

await check('a challenge is read by the two it is for and nobody else', () => {
  const [registry, ours, other] = [newKeys(), newKeys(), newKeys()].map((keys) => keys.encryption);
  const theirs = (key) => publicKey('X25519', rawPublic(key));
  for (const text of ['7', '0123456789abcdef', '31415926535897932384626433832795']) {
    const challenge = encrypt(text, registry, theirs(ours));
    assert.equal(decrypt(challenge, ours, theirs(registry)), text);
    // Wrong keys give garbage, or padding that does not fit.
    let read = null;
    try {
      read = decrypt(challenge, other, theirs(registry));
    } catch {
      // as it should
    }
    assert.notEqual(read, text);
  }
});

await check('a header of ours verifies, and any change of it or of the body does not', async () => {
  const key = newKeys().signing;
  const body = Buffer.from('{"context":{"action":"search"}}');
  const now = 1_800_000_000;
  const keyOf = (subscriber, id) =>
    subscriber === 'a.example' && id === 'k' ? { key: publicKey('Ed25519', rawPublic(key)) } : null;
  const header = authorization(body, { subscriberId: 'a.example', keyId: 'k', key }, now, now + 60);
  assert.equal((await verifySignature(header, body, keyOf, now)).subscriberId, 'a.example');
  assert.equal((await verifySignature(header.replaceAll('",', '", '), body, keyOf, now)).keyId, 'k');
  for (let bit = 0; bit < body.length * 8; bit += 1) {
    const other = Buffer.from(body);
    other[bit >> 3] ^= 1 << (bit & 7);
    await refused(verifySignature(header, other, keyOf, now), /does not fit the body/);
  }
  const change = (from, to, reason, at = now) =>
    refused(verifySignature(header.replace(from, to), body, keyOf, at), reason);
  await change('', '', /future/, now - 1);
  await change('', '', /expired/, now + 60);
  await change(`expires="${now + 60}"`, `expires="${now + 61}"`, /does not fit/);
  await change(`created="${now}"`, `created="${now - 1}"`, /does not fit/);
  await change('|k|', '|l|', /no valid key/);
  await change('|ed25519', '|hs2019', /differs/);
  await change('headers="(created) (expires) digest"', 'headers="digest"', /headers/);
  await change('algorithm=', 'created="1",algorithm=', /twice/);
  await change('Signature ', 'Bearer ', /expected a header/);
  await change(/signature=".{4}/, 'signature="', /does not fit|not base64/);
  await change(/$/, ',', /last comma/);
});

if (existsSync(path)) {
  const vectors = JSON.parse(readFileSync(path, 'utf8'));
  const bap = vectors.beckn006_bap;
  const body = Buffer.from(bap.body);

  await check('BECKN-006: the digest of a sentence', () => {
    assert.equal(digest(vectors.blake2b512_fox.input), vectors.blake2b512_fox.digest_b64);
  });
  await check('BECKN-006: a BAP signs', async () => {
    const key = privateKey('Ed25519', bap.private_key_b64_64B_seed_plus_pub);
    assert.equal(rawPublic(key), bap.public_key_b64);
    assert.equal(digest(body), bap.digest_b64);
    assert.equal(signingString(bap.created, bap.expires, bap.digest_b64), bap.signing_string);
    const { subscriberId, keyId } = parseHeader(bap.authorization);
    assert.equal(authorization(body, { subscriberId, keyId, key }, bap.created, bap.expires), bap.authorization);
    const keyOf = () => ({ key: publicKey('Ed25519', bap.public_key_b64) });
    await verifySignature(bap.authorization, body, keyOf, bap.created);
  });
  await check('BECKN-006: a gateway signs the same bytes', () => {
    const gateway = vectors.beckn006_gateway;
    const text = signingString(gateway.created, gateway.expires, bap.digest_b64);
    const key = privateKey('Ed25519', gateway.private_key_b64_64B_seed_plus_pub);
    assert.equal(signText(text, key), gateway.signature_b64);
    assert.ok(verifyText(text, publicKey('Ed25519', gateway.public_key_b64), gateway.signature_b64));
  });
  await check('a deployed network: the signature over more headers', () => {
    const long = vectors.nammayatri_long_headers;
    assert.ok(long.signing_string.includes(`digest: BLAKE-512=${digest(long.body)}`));
    assert.equal(signText(long.signing_string, privateKey('Ed25519', long.seed_b64)), long.signature_b64);
  });
  await check('a deployed registry: the secret shared by two key pairs, and a challenge under it', () => {
    const pairs = vectors.ondc_x25519;
    const one = privateKey('X25519', pairs.np1_private_pkcs8_b64);
    const two = privateKey('X25519', pairs.np2_private_pkcs8_b64);
    const [ofOne, ofTwo] = [pairs.np1_public_spki_b64, pairs.np2_public_spki_b64].map((key) =>
      publicKey('X25519', key),
    );
    assert.equal(sharedSecret(one, ofTwo).toString('base64'), pairs.shared_secret_b64_COMPUTED_HERE);
    assert.equal(sharedSecret(two, ofOne).toString('base64'), pairs.shared_secret_b64_COMPUTED_HERE);
    const { plain, cipher_b64: cipher } = pairs.challenge_aes256_ecb_pkcs7_COMPUTED_HERE;
    assert.equal(decrypt(cipher, one, ofTwo), plain);
    assert.equal(encrypt(plain, two, ofOne), cipher);
  });
} else {
  console.log('skipped: the published vectors are not beside the project');
}

process.exitCode = failed === 0 ? 0 : 1;
