// A provider platform of somebody else: joins a network and is booked, with everything in memory.
//
//   node tests/foreigner/bpp.mjs --registry URL [--port 0] [--city CODE] [--domain D]
//
// Prints a JSON line with the step `ready` once the registry says SUBSCRIBED and serves until SIGTERM. The forms are
// those of the DHP consultation examples: a search finds doctors, a select shows their slots, an order has an id once it
// is confirmed.

import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';

import { newKeys } from './keys.mjs';
import { millionths, text } from './money.mjs';
import { Nack, Participant, say } from './participant.mjs';
import { authorization } from './signature.mjs';

/** How often a callback is tried, and the milliseconds before the second try; each further wait doubles. */
const TRIES = 5;
const FIRST_WAIT = 200;

const { values: options } = parseArgs({
  options: {
    registry: { type: 'string' },
    port: { type: 'string', default: '0' },
    city: { type: 'string', default: 'std:0361' },
    country: { type: 'string', default: 'IND' },
    domain: { type: 'string', default: 'dhp:0.7.3' },
    'subscriber-id': { type: 'string', default: 'bpp.foreigner.example' },
  },
});
if (!options.registry) {
  console.error('--registry URL is missing');
  process.exit(2);
}

/** What booking costs on top of a doctor's own price. */
const BOOKING_CHARGE = '25.5';
/** Slots a day, as hours in UTC, on this many days from tomorrow on. */
const HOURS = [5, 6, 7, 8];
const DAYS = 3;

const CLINIC = {
  id: 'banyan-house',
  descriptor: { name: 'Banyan House Clinic', short_desc: 'Two doctors under a tree' },
  gps: '26.1445,91.7362',
};
const DOCTORS = [
  {
    item: 'heart-talk',
    fulfillment: 'dr-bora',
    category: { id: 'cat-heart', descriptor: { code: 'cardiology', name: 'Cardiology' } },
    price: '450',
    person: { name: 'Dr Rupali Bora', gender: 'female', languages: [{ code: 'asm', name: 'Assamese' }] },
  },
  {
    item: 'skin-talk',
    fulfillment: 'dr-saikia',
    category: { id: 'cat-skin', descriptor: { code: 'dermatology', name: 'Dermatology' } },
    price: '380.25',
    person: { name: 'Dr Manas Saikia', gender: 'male', languages: [{ code: 'eng', name: 'English' }] },
  },
];

const inr = (value) => ({ currency: 'INR', value });

function itemOf(doctor, fulfillmentIds) {
  return {
    id: doctor.item,
    descriptor: { code: 'consultation', name: `Consultation with ${doctor.person.name}` },
    price: inr(doctor.price),
    category_ids: [doctor.category.id],
    fulfillment_ids: fulfillmentIds,
  };
}

/** The doctor's slots from tomorrow on. */
function slotsOf(doctor, now = Date.now()) {
  const midnight = new Date(now).setUTCHours(0, 0, 0, 0);
  const starts = [];
  for (let day = 1; day <= DAYS; day += 1) {
    for (const hour of HOURS) starts.push(midnight + (day * 24 + hour) * 3_600_000);
  }
  return starts.map((start) => {
    const iso = (at) => `${new Date(at).toISOString().slice(0, 19)}Z`;
    return { id: `${doctor.fulfillment}@${iso(start)}`, start: iso(start), end: iso(start + 30 * 60_000) };
  });
}

function fulfillmentOf(doctor, slot) {
  const stop = (type, timestamp) => ({ type, time: { timestamp }, location: { gps: CLINIC.gps } });
  return {
    id: slot.id,
    type: 'OPD',
    agent: { person: doctor.person },
    stops: [stop('start', slot.start), stop('end', slot.end)],
  };
}

function quoteOf(doctor) {
  const total = millionths(doctor.price) + millionths(BOOKING_CHARGE);
  return {
    price: inr(text(total)),
    breakup: [
      { title: 'Consultation', price: inr(doctor.price) },
      { title: 'Booking charge', price: inr(BOOKING_CHARGE) },
    ],
  };
}

/** Refusal of an order, told in the callback: code of BECKN-005, path, sentence. */
class Refusal extends Error {
  constructor(code, paths, message) {
    super(message);
    Object.assign(this, { code, paths });
  }
}

class Clinic extends Participant {
  /** Slot id to the transaction that holds or has it. */
  #taken = new Map();
  /** Transaction id to its order: whose, which doctor and slot, what the patient gave, its id once confirmed. */
  #orders = new Map();
  /** Messages seen: a second copy is acknowledged and has no effect. */
  #seen = new Set();

  constructor(about) {
    super({ ...about, type: 'BPP' });
    const answers = {
      search: ({ intent }) => ({ catalog: this.catalog(intent) }),
      select: ({ order }) => ({ order: this.select(order) }),
      init: ({ order }, context) => ({ order: this.init(order, context) }),
      confirm: ({ order }, context) => ({ order: this.confirm(order, context) }),
      status: ({ order_id: id }, context) => ({ order: this.status(id, context) }),
    };
    for (const [action, answer] of Object.entries(answers)) {
      this.on(action, (message, received) => this.#take(action, answer, message, received));
    }
  }

  #take(action, answer, { context, message }, { sender }) {
    if (message === null || typeof message !== 'object') throw new Nack('30000', 'message', 'expected an object');
    const home = new URL(sender.url);
    if (!URL.canParse(context.bap_uri) || new URL(context.bap_uri).origin !== home.origin) {
      throw new Nack('30000', 'context.bap_uri', 'expected the registered address');
    }
    const key = JSON.stringify([sender.subscriber_id, action, context.message_id]);
    if (this.#seen.has(key)) return undefined;
    this.#seen.add(key);
    return async () => {
      const callback = {
        ...context,
        action: `on_${action}`,
        bpp_id: this.subscriberId,
        bpp_uri: this.url,
        timestamp: new Date().toISOString(),
      };
      let answered;
      try {
        answered = { context: callback, message: answer(message, context) };
      } catch (problem) {
        if (!(problem instanceof Refusal)) throw problem;
        const { code, paths } = problem;
        answered = { context: callback, error: { code, paths, message: problem.message } };
      }
      await this.#deliver(`${sender.url}/on_${action}`, answered);
    };
  }

  /** Posts the same callback until it is answered; a refusal ends the matter. */
  async #deliver(url, callback) {
    const { action, transaction_id: transactionId } = callback.context;
    for (let tried = 1, wait = FIRST_WAIT; ; tried += 1, wait *= 2) {
      try {
        const { status, body } = await this.post(url, callback);
        if (status < 500) {
          const ack = body?.message?.ack?.status;
          say(action, {
            transaction_id: transactionId,
            http: status,
            ack,
            error: callback.error?.code ?? body?.error?.code,
          });
          return;
        }
        if (tried === TRIES) throw new Error(`HTTP ${status}`);
      } catch (problem) {
        if (tried === TRIES) {
          say('undelivered', { action, transaction_id: transactionId, reason: problem.message });
          return;
        }
      }
      await new Promise((over) => setTimeout(over, wait));
    }
  }

  catalog(intent) {
    const wanted = intent?.category?.descriptor ?? {};
    const like = (one, other) => one === undefined || one.toLowerCase() === other.toLowerCase();
    const found = DOCTORS.filter(
      ({ category: { descriptor } }) =>
        like(wanted.code, descriptor.code) &&
        (like(wanted.name, descriptor.name) || like(wanted.name, descriptor.code)),
    );
    const provider = {
      id: CLINIC.id,
      descriptor: CLINIC.descriptor,
      locations: [{ id: 'tree', gps: CLINIC.gps }],
      categories: found.map((doctor) => doctor.category),
      fulfillments: found.map((doctor) => ({ id: doctor.fulfillment, type: 'OPD', agent: { person: doctor.person } })),
      items: found.map((doctor) => itemOf(doctor, [doctor.fulfillment])),
    };
    return { descriptor: { name: 'Consultations under the tree' }, providers: found.length > 0 ? [provider] : [] };
  }

  #doctor(order) {
    if (order?.provider?.id !== CLINIC.id) throw new Refusal('30001', 'message.order.provider.id', 'no such provider');
    const doctor = DOCTORS.find((one) => one.item === order.items?.[0]?.id);
    if (!doctor || order.items.length !== 1) throw new Refusal('30004', 'message.order.items', 'no such item');
    return doctor;
  }

  select(order) {
    const doctor = this.#doctor(order);
    const named = order.fulfillments?.map((one) => one.id) ?? [];
    const open = slotsOf(doctor).filter(
      (slot) =>
        !this.#taken.has(slot.id) &&
        (named.length === 0 || named.includes(doctor.fulfillment) || named.includes(slot.id)),
    );
    if (open.length === 0) throw new Refusal('30008', 'message.order.fulfillments', 'no such slot is free');
    return {
      provider: { id: CLINIC.id, descriptor: CLINIC.descriptor },
      items: [
        itemOf(
          doctor,
          open.map((slot) => slot.id),
        ),
      ],
      fulfillments: open.map((slot) => fulfillmentOf(doctor, slot)),
      quote: quoteOf(doctor),
    };
  }

  init(order, context) {
    const doctor = this.#doctor(order);
    const named = order.fulfillments?.[0];
    const slot = slotsOf(doctor).find((one) => one.id === named?.id);
    const holder = this.#taken.get(slot?.id) ?? context.transaction_id;
    const before = this.#orders.get(context.transaction_id);
    if (!slot || holder !== context.transaction_id) {
      throw new Refusal('30008', 'message.order.fulfillments[0].id', 'that slot is not free');
    }
    if (before && (before.id || before.bapId !== context.bap_id)) {
      throw new Refusal('40000', 'context.transaction_id', 'this transaction has its order');
    }
    if (before) this.#taken.delete(before.slot.id);
    this.#taken.set(slot.id, context.transaction_id);
    const { billing } = order;
    const held = { bapId: context.bap_id, doctor, slot, billing, customer: named.customer, state: 'slot-booked' };
    this.#orders.set(context.transaction_id, held);
    return this.#show(held);
  }

  confirm(order, context) {
    const held = this.#ownOrder(context);
    if (order?.id !== undefined && order.id !== held.id)
      throw new Refusal('30010', 'message.order.id', 'no such order');
    if (order?.provider) this.#doctor(order);
    held.id ??= randomUUID();
    held.state = 'slot-confirmed';
    say('order', { order_id: held.id, transaction_id: context.transaction_id, slot: held.slot.id });
    return this.#show(held);
  }

  status(id, context) {
    const order = this.#ownOrder(context);
    if (order.id !== id) throw new Refusal('30010', 'message.order_id', 'no such order');
    return this.#show(order);
  }

  /** The order of a transaction, for its own consumer alone. */
  #ownOrder(context) {
    const order = this.#orders.get(context.transaction_id);
    if (order?.bapId !== context.bap_id) throw new Refusal('30010', 'context.transaction_id', 'no such order');
    return order;
  }

  #show({ id, doctor, slot, billing, customer, state }) {
    const quote = quoteOf(doctor);
    const name = { 'slot-booked': 'Slot has been booked', 'slot-confirmed': 'Slot has been confirmed' }[state];
    return {
      ...(id ? { id, status: 'ACTIVE' } : {}),
      provider: { id: CLINIC.id, descriptor: CLINIC.descriptor },
      items: [itemOf(doctor, [slot.id])],
      fulfillments: [{ ...fulfillmentOf(doctor, slot), customer, state: { descriptor: { code: state, name } } }],
      billing,
      quote,
      payments: [
        { type: 'ON-FULFILLMENT', status: 'NOT-PAID', params: { amount: quote.price.value, currency: 'INR' } },
      ],
    };
  }
}

/** A request that nobody registered has signed must not get past our own door; it throws when one does. */
async function refusesStrangers(clinic) {
  const context = {
    action: 'search',
    bap_id: clinic.subscriberId,
    transaction_id: randomUUID(),
    message_id: randomUUID(),
  };
  const body = Buffer.from(JSON.stringify({ context, message: {} }));
  const stranger = { subscriberId: clinic.subscriberId, keyId: clinic.keyId, key: newKeys().signing };
  const forged = authorization(body, stranger);
  for (const [what, headers] of [
    ['a request without a signature', {}],
    ['a request with a forged signature', { authorization: forged }],
    ['a request signed by a provider', { authorization: clinic.sign(body) }],
    ['a forged gateway', { authorization: clinic.sign(body), 'x-gateway-authorization': forged }],
  ]) {
    const { status, body: answer } = await clinic.postBytes(`${clinic.url}/search`, body, headers);
    if (status !== 401 || answer?.message?.ack?.status !== 'NACK')
      throw new Error(`${what} was answered with HTTP ${status}`);
    say('refused', { what, status });
  }
}

const { registry, city, country, domain } = options;
const clinic = new Clinic({ subscriberId: options['subscriber-id'], registry, city, country, domain });
const stop = () => {
  clinic.close();
  process.exit(0);
};
process.once('SIGTERM', stop).once('SIGINT', stop);
try {
  await clinic.listen(Number(options.port));
  await clinic.join();
  await refusesStrangers(clinic);
  say('ready', { subscriber_id: clinic.subscriberId, url: clinic.url, key_id: clinic.keyId, city, domain });
} catch (problem) {
  say('failed', { reason: problem.message });
  process.exit(1);
}
