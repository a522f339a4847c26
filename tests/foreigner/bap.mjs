// A consumer platform of somebody else: joins a network, books one consultation and checks every answer on the way.
//
//   node tests/foreigner/bap.mjs --registry URL [--gateway URL | --bpp SUBSCRIBER_ID] [--city CODE] [--domain D]
//
// Prints each step as a JSON line. Exit 0 only if a consultation was booked and everything that had to be refused was.

import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';

import { begin, checkCatalogue, checkChoice, checkQuote, equal, expect, firstOffer } from './checks.mjs';
import { newKeys } from './keys.mjs';
import { millionths } from './money.mjs';
import { Nack, Participant, say } from './participant.mjs';
import { authorization } from './signature.mjs';

/** Milliseconds to wait for a callback. */
const PATIENCE = 20_000;

const { values: options } = parseArgs({
  options: {
    registry: { type: 'string' },
    gateway: { type: 'string' },
    bpp: { type: 'string' },
    city: { type: 'string', default: 'std:080' },
    country: { type: 'string', default: 'IND' },
    domain: { type: 'string', default: 'dhp:0.7.3' },
    category: { type: 'string', default: 'cardiology' },
    'subscriber-id': { type: 'string', default: 'bap.foreigner.example' },
  },
});
if (!options.registry) {
  console.error('--registry URL is missing');
  process.exit(2);
}

const BILLING = { name: 'Ilse Brandt', address: '3 Harbour Lane', email: 'ilse@mail.example', phone: '+49-5550-177' };
const CUSTOMER = { person: { name: 'Ilse Brandt', age: '37', gender: 'female' }, contact: { phone: '+49-5550-177' } };

class Consumer extends Participant {
  /** What was asked and may still be answered: message id to the answers so far and who waits for the next. */
  #asked = new Map();
  /** The last callback as it came, to be forged afterwards. */
  lastReceived;

  constructor(about) {
    super({ ...about, type: 'BAP' });
    for (const action of ['search', 'select', 'init', 'confirm', 'status']) {
      this.on(`on_${action}`, (message, received) => this.#take(action, message, received));
    }
  }

  /** Accepts a callback that answers a message of ours, in its transaction, from the one who was asked. */
  #take(action, message, received) {
    const { context } = message;
    const asked = this.#asked.get(context.message_id);
    if (!asked || asked.context.action !== action) throw new Nack('30000', 'context.message_id', 'we did not ask that');
    if (context.transaction_id !== asked.context.transaction_id) {
      throw new Nack('30000', 'context.transaction_id', 'that message belongs to another transaction');
    }
    if (asked.context.bpp_id && context.bpp_id !== asked.context.bpp_id) {
      throw new Nack('30000', 'context.bpp_id', 'we asked another provider');
    }
    this.lastReceived = { ...received, message };
    asked.answers.push({ message, sender: received.sender });
    asked.heard();
    return undefined;
  }

  /** Context of a new message, to one provider or (without `bpp`) to whom the gateway finds. */
  context(action, transactionId, bpp) {
    const context = {
      domain: this.domain,
      location: { city: { code: this.city }, country: { code: this.country } },
      action,
      version: '1.1.0',
      bap_id: this.subscriberId,
      bap_uri: this.url,
      transaction_id: transactionId,
      message_id: randomUUID(),
      timestamp: new Date().toISOString(),
      ttl: 'PT30S',
    };
    if (bpp) Object.assign(context, { bpp_id: bpp.subscriber_id, bpp_uri: bpp.url });
    return context;
  }

  /** Sends `message` to `url` and yields the callbacks to it, as long as they are asked for. */
  async *ask(url, context, message) {
    const asked = { context, answers: [], heard: () => {} };
    this.#asked.set(context.message_id, asked);
    try {
      await this.send(`${url}/${context.action}`, { context, message });
      say(context.action, { transaction_id: context.transaction_id, message_id: context.message_id, ack: 'ACK' });
      for (let next = 0; ; next += 1) {
        if (asked.answers.length <= next) await this.#next(asked);
        const answer = asked.answers[next];
        const { error } = answer.message;
        expect(!error, `on_${context.action} brought an error: ${JSON.stringify(error)}`);
        yield answer;
      }
    } finally {
      this.#asked.delete(context.message_id);
    }
  }

  #next(asked) {
    return new Promise((heard, failed) => {
      const late = () => failed(new Error(`no on_${asked.context.action} came within ${PATIENCE} ms`));
      const patience = setTimeout(late, PATIENCE);
      asked.heard = () => {
        clearTimeout(patience);
        heard();
      };
    });
  }

  /** Sends one message to a provider and returns the order of its answer. */
  async order(action, transactionId, bpp, message) {
    for await (const answer of this.ask(bpp.url, this.context(action, transactionId, bpp), message)) {
      const { order } = answer.message.message ?? {};
      expect(order && typeof order === 'object', `on_${action} has no order`);
      return order;
    }
    throw new Error('unreachable: ask yields or throws');
  }
}

async function find(consumer, transactionId) {
  const intent = {
    category: { descriptor: { code: options.category } },
    item: { descriptor: { code: 'medical-consultation' } },
  };
  let bpp;
  let url = options.gateway;
  if (options.bpp) {
    [bpp] = await consumer.lookup({ subscriber_id: options.bpp, type: 'BPP' });
    expect(bpp, `${options.bpp} is not in the registry`);
    url = bpp.url;
  } else if (!url) {
    const [gateway] = await consumer.lookup({ type: 'BG' });
    expect(gateway, 'there is no gateway in the registry');
    url = gateway.url;
  }
  for await (const { message, sender } of consumer.ask(url, consumer.context('search', transactionId, bpp), {
    intent,
  })) {
    const { catalog } = message.message ?? {};
    expect(catalog, 'on_search has no catalog');
    checkCatalogue(catalog);
    const offer = firstOffer(catalog);
    say('on_search', {
      bpp_id: sender.subscriber_id,
      providers: (catalog.providers ?? []).length,
      bookable: offer !== null,
    });
    if (offer) return { bpp: sender, ...offer };
  }
  throw new Error('unreachable: ask yields or throws');
}

/** Books what was found; returns the order as it is confirmed. */
async function book(consumer, transactionId, found) {
  const { bpp, provider, item } = found;
  const chosen = { provider: { id: provider.id }, items: [{ id: item.id }] };

  const select = found.slot ? { ...chosen, fulfillments: [{ id: found.slot.id }] } : chosen;
  const selected = await consumer.order('select', transactionId, bpp, { order: select });
  checkChoice(selected, found);
  checkQuote(selected.quote, item);
  const slot = found.slot ?? selected.fulfillments?.find((one) => Date.parse(begin(one)) > Date.now());
  expect(slot, 'on_select has no slot in the future');
  say('on_select', { fulfillment: slot.id, start: begin(slot), price: selected.quote.price });
  const choice = { provider, item, slot };

  const fulfillments = [{ id: slot.id, customer: CUSTOMER }];
  const init = { ...chosen, billing: BILLING, fulfillments };
  const terms = await consumer.order('init', transactionId, bpp, { order: init });
  checkChoice(terms, choice);
  checkQuote(terms.quote, item);
  equal(terms.billing, BILLING, 'order.billing');
  equal(terms.fulfillments[0].customer, CUSTOMER, 'order.fulfillments[0].customer');
  equal(terms.fulfillments[0].state?.descriptor?.code, 'slot-booked', 'state after init');
  equal(begin(terms.fulfillments[0]), begin(slot), 'start of the slot');
  const due = (terms.payments ?? []).reduce((total, payment) => total + millionths(payment.params?.amount), 0n);
  expect(due === millionths(terms.quote.price.value), 'the payments do not add up to the quote');
  say('on_init', { order_id: terms.id, price: terms.quote.price });

  const confirm = { ...init, payments: terms.payments, ...(terms.id ? { id: terms.id } : {}) };
  const confirmed = await consumer.order('confirm', transactionId, bpp, { order: confirm });
  checkChoice(confirmed, choice);
  expect(confirmed.id && (!terms.id || confirmed.id === terms.id), 'on_confirm has no order id, or another one');
  equal(
    confirmed.quote,
    terms.quote.ttl ? { ...terms.quote, ttl: confirmed.quote?.ttl } : terms.quote,
    'quote after confirm',
  );
  equal(confirmed.billing, BILLING, 'order.billing');
  equal(confirmed.fulfillments[0].state?.descriptor?.code, 'slot-confirmed', 'state after confirm');
  equal(confirmed.status ?? 'ACTIVE', 'ACTIVE', 'order.status');
  say('on_confirm', { order_id: confirmed.id, state: 'slot-confirmed' });

  const status = await consumer.order('status', transactionId, bpp, { order_id: confirmed.id });
  equal(status.id, confirmed.id, 'order.id');
  checkChoice(status, choice);
  equal(status.quote, confirmed.quote, 'quote in on_status');
  equal(status.fulfillments[0].state?.descriptor?.code, 'slot-confirmed', 'state in on_status');
  say('on_status', { order_id: status.id });
  return confirmed;
}

/** Everything here must be refused: what we get forged, and what we send spoilt. */
async function refusals(consumer, transactionId, bpp, orderId) {
  const refused = async (what, sent, status, header) => {
    const answer = await sent;
    equal(answer.status, status, `${what}: HTTP status`);
    equal(answer.body?.message?.ack?.status, 'NACK', `${what}: acknowledgement`);
    if (header) expect(answer.headers.get(header)?.startsWith('Signature realm="'), `${what}: no ${header}`);
    say('refused', { what, status });
  };
  const spoilt = (bytes) => {
    const other = Buffer.from(bytes);
    other[other.length - 1] ^= 1;
    return other;
  };

  // By us.
  const { bytes, authorization: genuine, message } = consumer.lastReceived;
  const here = (action, body, header) =>
    consumer.postBytes(`${consumer.url}/${action}`, body, header ? { authorization: header } : {});
  const { action } = message.context;
  const posing = { subscriberId: bpp.subscriber_id, keyId: bpp.key_id, key: newKeys().signing };
  const challenge = 'www-authenticate';
  await refused('a callback with one bit changed', here(action, spoilt(bytes), genuine), 401, challenge);
  await refused('a callback without a signature', here(action, bytes), 401, challenge);
  await refused(
    "a callback under the provider's name with another key",
    here(action, bytes, authorization(bytes, posing)),
    401,
    challenge,
  );
  await refused('a callback signed by a consumer', here(action, bytes, consumer.sign(bytes)), 401, challenge);
  await refused('a callback at the path of another', here('on_select', bytes, genuine), 200);
  await refused('a callback that was answered before', here(action, bytes, genuine), 200);
  const riddle = Buffer.from(
    JSON.stringify({ subscriber_id: consumer.subscriberId, challenge: 'AAAAAAAAAAAAAAAAAAAAAA==' }),
  );
  await refused(
    'a challenge by somebody else than the registry',
    here('on_subscribe', riddle, consumer.sign(riddle)),
    401,
    challenge,
  );

  // By the network.
  const status = { context: consumer.context('status', transactionId, bpp), message: { order_id: orderId } };
  const asked = Buffer.from(JSON.stringify(status));
  const spaced = Buffer.concat([asked, Buffer.from('\n')]);
  const there = (url, body, header) => consumer.postBytes(url, body, header ? { authorization: header } : {});
  await refused(
    'a message with a byte added',
    there(`${bpp.url}/status`, spaced, consumer.sign(asked)),
    401,
    challenge,
  );
  const thief = authorization(asked, {
    subscriberId: consumer.subscriberId,
    keyId: consumer.keyId,
    key: newKeys().signing,
  });
  await refused('a message under our name with another key', there(`${bpp.url}/status`, asked, thief), 401, challenge);
  const query = Buffer.from(JSON.stringify({ type: 'BPP' }));
  await refused('a lookup without a signature', there(`${consumer.registry}/lookup`, query), 401, challenge);
  const claim = Buffer.from(JSON.stringify({ ...consumer.subscription(), subscriber_id: 'claimed.example' }));
  await refused(
    'a subscription whose key is not at hand',
    there(
      `${consumer.registry}/subscribe`,
      claim,
      authorization(claim, { subscriberId: 'claimed.example', keyId: consumer.keyId, key: newKeys().signing }),
    ),
    401,
    challenge,
  );
}

const { registry, city, country, domain } = options;
const consumer = new Consumer({ subscriberId: options['subscriber-id'], registry, city, country, domain });
try {
  await consumer.listen();
  say('listening', { subscriber_id: consumer.subscriberId, url: consumer.url });
  await consumer.join();
  say('joined', { key_id: consumer.keyId });
  const transactionId = randomUUID();
  const found = await find(consumer, transactionId);
  const order = await book(consumer, transactionId, found);
  await refusals(consumer, transactionId, found.bpp, order.id);
  say('booked', { order_id: order.id, transaction_id: transactionId, bpp_id: found.bpp.subscriber_id });
} catch (problem) {
  say('failed', { reason: problem.message });
  process.exitCode = 1;
} finally {
  consumer.close();
}
