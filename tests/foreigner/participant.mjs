// A participant of a Beckn 1.1.0 network: its keys, its port, its place in the registry.
//
// Written from the published specifications alone; it shares nothing with the network it joins.
//
// Invariant: nothing received is acted upon before its signature has been verified with a key that the registry serves.

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

import { decrypt } from './challenge.mjs';
import { newKeys, publicKey, rawPublic } from './keys.mjs';
import { authorization, BadSignature, verifySignature } from './signature.mjs';

/** Path of our API below the port; peers must append to it. */
const BASE = '/beckn';
/** Bytes of a body beyond which we read no further. */
const MAX_BODY = 1 << 20;
/** Milliseconds for one request of ours. */
const PATIENCE = 10_000;
/** Milliseconds to wait for the registry to call before it is asked how we stand. */
const CHALLENGE_PATIENCE = 7_000;
/** How often it is asked. */
const ASKED = 6;

/** Prints one step as a JSON line. Never a person's data. */
export function say(step, facts = {}) {
  console.log(JSON.stringify({ step, ...facts }));
}

/** A refusal that the sender gets in the acknowledgement. */
export class Nack extends Error {
  constructor(code, paths, message) {
    super(message);
    this.code = code;
    this.paths = paths;
  }
}

export class Participant {
  #registryKeys;
  #statusWaiters = [];
  #handlers = new Map();

  /** `type` is BAP or BPP; `registry` the registry's URL; `domain`, `city` and `country` where we take part. */
  constructor({ subscriberId, type, registry, domain, city, country }) {
    Object.assign(this, { subscriberId, type, registry, domain, city, country });
    this.keyId = randomUUID();
    this.keys = newKeys();
    this.standing = 'INITIATED';
  }

  /** Listens on loopback; port 0 takes a free one. */
  async listen(port = 0) {
    this.server = createServer((request, response) => {
      this.#answer(request, response).catch((problem) => {
        say('fault', { reason: problem.message });
        if (!response.headersSent) reply(response, 500, {});
      });
    });
    await new Promise((ready, failed) => this.server.once('error', failed).listen(port, '127.0.0.1', ready));
    this.url = `http://127.0.0.1:${this.server.address().port}${BASE}`;
  }

  /** Stops listening. */
  close() {
    this.server.close();
    this.server.closeAllConnections();
  }

  /**
   * Answers `action` with `handler(message, received)`: it may throw a [`Nack`], and may return what is to be done once
   * the ACK is out.
   */
  on(action, handler) {
    this.#handlers.set(action, handler);
  }

  /** The header for a body of ours. */
  sign(body) {
    return authorization(body, { subscriberId: this.subscriberId, keyId: this.keyId, key: this.keys.signing });
  }

  /** Posts bytes as they are; returns status, headers and the body as JSON (or null). */
  async postBytes(url, body, headers) {
    const answer = await fetch(url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...headers },
      redirect: 'error',
      signal: AbortSignal.timeout(PATIENCE),
    });
    return { status: answer.status, headers: answer.headers, body: await json(answer) };
  }

  /** Signs and posts a message. */
  async post(url, message) {
    const body = Buffer.from(JSON.stringify(message));
    return this.postBytes(url, body, { authorization: this.sign(body) });
  }

  /** Signs and posts a message of the protocol, and throws unless it is acknowledged. */
  async send(url, message) {
    const { status, body } = await this.post(url, message);
    if (status !== 200 || body?.message?.ack?.status !== 'ACK') {
      throw new Error(`${message.context.action} was not acknowledged: HTTP ${status} ${JSON.stringify(body)}`);
    }
  }

  /** The subscriptions that fit all of `criteria`. */
  async lookup(criteria) {
    const { status, body } = await this.post(`${this.registry}/lookup`, criteria);
    if (status !== 200 || !Array.isArray(body)) {
      throw new Error(`lookup: expected an array, found HTTP ${status} ${JSON.stringify(body)}`);
    }
    return body;
  }

  /** The registry's own keys: the one thing believed without a signature, and only from the URL we were given. */
  async fetchRegistryKeys() {
    const answer = await fetch(`${this.registry}/keys`, { redirect: 'error', signal: AbortSignal.timeout(PATIENCE) });
    const keys = await json(answer);
    if (answer.status !== 200 || !keys?.subscriber_id || !keys.key_id) {
      throw new Error(`GET ${this.registry}/keys: expected the registry's keys, found HTTP ${answer.status}`);
    }
    this.#registryKeys = {
      subscriberId: keys.subscriber_id,
      keyId: keys.key_id,
      signing: publicKey('Ed25519', keys.signing_public_key),
      encryption: publicKey('X25519', keys.encr_public_key),
    };
    return keys;
  }

  /** What we ask the registry to write down: Subscription of the registry API 1.1.0. */
  subscription(now = Date.now()) {
    const at = (milliseconds) => new Date(milliseconds).toISOString();
    const location = { country: { code: this.country } };
    if (this.city) location.city = { code: this.city };
    return {
      subscriber_id: this.subscriberId,
      url: this.url,
      type: this.type,
      domain: this.domain,
      location,
      key_id: this.keyId,
      signing_public_key: rawPublic(this.keys.signing),
      encr_public_key: rawPublic(this.keys.encryption),
      valid_from: at(now),
      valid_until: at(now + 24 * 3_600_000),
      nonce: randomUUID(),
    };
  }

  /** Subscribes, answers the challenge and returns once the registry says SUBSCRIBED. */
  async join() {
    await this.fetchRegistryKeys();
    const subscription = this.subscription();
    for (let asked = 0; asked < ASKED; asked += 1) {
      const { status, body } = await this.post(`${this.registry}/subscribe`, { ...subscription, nonce: randomUUID() });
      if (status !== 200 || body?.error) {
        throw new Error(`subscribe: HTTP ${status} ${JSON.stringify(body)}`);
      }
      say('subscribe', { status: body.status });
      if (body.status === 'SUBSCRIBED' || (await this.#announced()) === 'SUBSCRIBED') {
        return;
      }
    }
    throw new Error(`the registry never said SUBSCRIBED; the last it said was ${this.standing}`);
  }

  /** The status the registry announces next; the present one after a while without a word. */
  #announced() {
    if (this.standing === 'SUBSCRIBED') return this.standing;
    return new Promise((heard) => {
      const patience = setTimeout(() => heard(this.standing), CHALLENGE_PATIENCE);
      this.#statusWaiters.push((status) => {
        clearTimeout(patience);
        heard(status);
      });
    });
  }

  /** The key of a subscriber of one of `types`, if the registry serves exactly one that is valid now. */
  async #keyOf(subscriberId, keyId, types) {
    const rows = await this.lookup({ subscriber_id: subscriberId, key_id: keyId });
    const now = Date.now();
    const fit = rows.filter(
      (row) =>
        row.subscriber_id === subscriberId &&
        row.key_id === keyId &&
        types.includes(row.type) &&
        (row.status ?? 'SUBSCRIBED') === 'SUBSCRIBED' &&
        !(Date.parse(row.valid_from) > now) &&
        !(Date.parse(row.valid_until) <= now),
    );
    return fit.length === 1 ? { key: publicKey('Ed25519', fit[0].signing_public_key), row: fit[0] } : null;
  }

  /** The same for the registry itself, whose keys are asked for again when it signs with one we do not know. */
  async #registryKey(subscriberId, keyId) {
    if (keyId !== this.#registryKeys.keyId) await this.fetchRegistryKeys();
    const { subscriberId: id, keyId: key, signing } = this.#registryKeys;
    return id === subscriberId && key === keyId ? { key: signing } : null;
  }

  async #answer(request, response) {
    const body = await readBody(request);
    if (body === null) return reply(response, 413, nack('30000', 'the body is too large'));
    const path = new URL(request.url, this.url).pathname;
    if (request.method !== 'POST' || !path.startsWith(`${BASE}/`)) return reply(response, 404, {});
    const action = path.slice(BASE.length + 1);
    if (action === 'on_subscribe') return this.#onSubscribe(request, body, response);
    const handler = this.#handlers.get(action);
    if (!handler) return reply(response, 404, {});

    let sender;
    try {
      if (request.headersDistinct['x-gateway-authorization']) {
        await this.#verified(request, 'x-gateway-authorization', body, ['BG']);
      }
    } catch (problem) {
      return this.#unauthorised(response, 'Proxy-Authenticate', problem);
    }
    try {
      sender = await this.#verified(request, 'authorization', body, [this.type === 'BAP' ? 'BPP' : 'BAP']);
    } catch (problem) {
      return this.#unauthorised(response, 'WWW-Authenticate', problem);
    }
    let afterwards;
    try {
      const message = parse(body);
      const context = message.context ?? {};
      const [theirs, ours] = this.type === 'BAP' ? ['bpp_id', 'bap_id'] : ['bap_id', 'bpp_id'];
      if (context.action !== action) throw new Nack('30000', 'context.action', `expected ${action}`);
      if (context[theirs] !== sender.subscriberId) throw new Nack('30000', `context.${theirs}`, 'expected who signed');
      if ((context[ours] ?? this.subscriberId) !== this.subscriberId) {
        throw new Nack('30000', `context.${ours}`, 'expected our subscriber id');
      }
      for (const id of ['transaction_id', 'message_id']) {
        if (typeof context[id] !== 'string') throw new Nack('30000', `context.${id}`, 'expected a text');
      }
      afterwards = handler(message, { sender: sender.row, bytes: body, authorization: request.headers.authorization });
    } catch (problem) {
      if (!(problem instanceof Nack)) throw problem;
      return reply(response, 200, nack(problem.code, problem.message, problem.paths));
    }
    reply(response, 200, { message: { ack: { status: 'ACK' } } });
    await afterwards?.();
  }

  async #verified(request, name, body, types) {
    const values = request.headersDistinct[name] ?? [];
    if (values.length !== 1) throw new BadSignature(`expected ${name} once`);
    return verifySignature(values[0], body, (subscriberId, keyId) => this.#keyOf(subscriberId, keyId, types));
  }

  #unauthorised(response, challenge, problem) {
    if (!(problem instanceof BadSignature)) throw problem;
    response.setHeader(challenge, `Signature realm="${this.subscriberId}",headers="(created) (expires) digest"`);
    reply(response, 401, nack('30016', problem.message));
  }

  async #onSubscribe(request, body, response) {
    try {
      const values = request.headersDistinct.authorization ?? [];
      if (values.length !== 1) throw new BadSignature('expected authorization once');
      await verifySignature(values[0], body, (subscriberId, keyId) => this.#registryKey(subscriberId, keyId));
    } catch (problem) {
      return this.#unauthorised(response, 'WWW-Authenticate', problem);
    }
    let told;
    try {
      told = parse(body);
    } catch (problem) {
      return reply(response, 400, nack(problem.code, problem.message));
    }
    const { subscriber_id: subscriberId, pub_key_id: keyId, challenge, status, reason } = told;
    if (subscriberId !== this.subscriberId || (keyId ?? this.keyId) !== this.keyId) return reply(response, 404, {});
    if (challenge !== undefined) {
      say('challenged', { registry: this.#registryKeys.subscriberId });
      let answer;
      try {
        answer = decrypt(challenge, this.keys.encryption, this.#registryKeys.encryption);
      } catch {
        return reply(response, 400, nack('30000', 'the challenge cannot be read with our key', 'challenge'));
      }
      return reply(response, 200, { answer });
    }
    reply(response, 200, {});
    say('announced', { status, reason });
    this.standing = status;
    for (const heard of this.#statusWaiters.splice(0)) heard(status);
  }
}

async function readBody(request) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length > MAX_BODY) return null;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function parse(body) {
  let value;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new Nack('30000', '', 'expected JSON in UTF-8');
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new Nack('30000', '', 'expected an object');
  return value;
}

async function json(answer) {
  try {
    return JSON.parse(await answer.text());
  } catch {
    return null;
  }
}

function nack(code, message, paths) {
  return { message: { ack: { status: 'NACK' } }, error: { code, ...(paths ? { paths } : {}), message } };
}

function reply(response, status, body) {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length }).end(bytes);
}
