// The checks of the foreign consumer find what they are for: each sound answer is spoilt in one place.
//
//   node --test tests/foreigner/checks.test.mjs

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { checkCatalogue, checkChoice, checkQuote, equal, firstOffer } from './checks.mjs';
import { millionths, text } from './money.mjs';

const inr = (value) => ({ currency: 'INR', value });
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();

function catalogue() {
  const stops = [
    { type: 'start', time: { timestamp: inAnHour() } },
    { type: 'end', time: { timestamp: inAnHour() } },
  ];
  return {
    providers: [
      {
        id: 'p',
        descriptor: { name: 'Clinic' },
        categories: [{ id: 'c' }],
        fulfillments: [{ id: 'f', stops }],
        items: [
          { id: 'i', descriptor: { name: 'Talk' }, price: inr('10.5'), category_ids: ['c'], fulfillment_ids: ['f'] },
        ],
      },
    ],
  };
}

function spoilt(make, spoil) {
  const value = make();
  spoil(value);
  return value;
}

test('amounts are exact', () => {
  assert.equal(millionths('0.1') + millionths('0.2'), millionths('0.3'));
  for (const [amount, shown] of [
    ['475.50', '475.5'],
    ['7', '7'],
    ['0.000001', '0.000001'],
    ['0', '0'],
  ]) {
    assert.equal(text(millionths(amount)), shown);
  }
  for (const none of ['', '-1', '1e3', '1.', '.5', '1.0000001', 5, null, undefined]) {
    assert.throws(() => millionths(none), /amount/);
  }
});

test('a catalogue whose references or prices are broken is refused', () => {
  checkCatalogue(catalogue());
  const item = (value) => value.providers[0].items[0];
  const broken = (spoil, reason) => assert.throws(() => checkCatalogue(spoilt(catalogue, spoil)), reason);
  broken((value) => (item(value).fulfillment_ids = ['g']), /no fulfillment g/);
  broken((value) => (item(value).category_ids = ['d']), /no category d/);
  broken((value) => (item(value).price.value = 'ten'), /amount/);
  broken((value) => delete item(value).price.currency, /currency/);
  broken((value) => delete value.providers[0].descriptor, /no id or no name/);
});

test('only what can be booked is an offer', () => {
  assert.equal(firstOffer(catalogue()).slot.id, 'f');
  const first = (spoil) => firstOffer(spoilt(catalogue, spoil));
  assert.equal(first((value) => delete value.providers[0].fulfillments[0].stops).slot, undefined);
  assert.equal(
    first((value) => (value.providers[0].fulfillments[0].stops[0].time.timestamp = '2020-01-01T00:00:00Z')),
    null,
  );
  assert.equal(
    first((value) => (value.providers[0].items = [])),
    null,
  );
  assert.equal(firstOffer({}), null);
});

test('a quote adds up, in one currency, and holds the price of the item', () => {
  const item = { price: inr('10.5') };
  const quote = () => ({ price: inr('12'), breakup: [{ price: inr('10.5') }, { price: inr('1.5') }] });
  checkQuote(quote(), item);
  const broken = (spoil, reason) => assert.throws(() => checkQuote(spoilt(quote, spoil), item), reason);
  broken((value) => (value.price.value = '12.01'), /add up/);
  broken((value) => (value.breakup[1].price.currency = 'EUR'), /one currency/);
  broken((value) => (value.breakup = [{ price: inr('12') }]), /price of the item/);
  broken((value) => (value.breakup = []), /no parts/);
  assert.throws(() => checkQuote(undefined, item), /no parts/);
});

test('an order is for what was chosen', () => {
  const order = () => ({ provider: { id: 'p' }, items: [{ id: 'i' }], fulfillments: [{ id: 'f' }] });
  const choice = { provider: { id: 'p' }, item: { id: 'i' }, slot: { id: 'f' } };
  checkChoice(order(), choice);
  const broken = (spoil, reason) => assert.throws(() => checkChoice(spoilt(order, spoil), choice), reason);
  broken((value) => (value.provider.id = 'q'), /provider/);
  broken((value) => value.items.push({ id: 'j' }), /items/);
  broken((value) => (value.fulfillments[0].id = 'g'), /fulfillments/);
  broken((value) => delete value.fulfillments, /fulfillments/);
  equal({ a: 1, b: [{ c: 2, d: 3 }] }, { b: [{ d: 3, c: 2 }], a: 1 }, 'order of members');
  assert.throws(() => equal([1, 2], [2, 1], 'list'), /list/);
});
