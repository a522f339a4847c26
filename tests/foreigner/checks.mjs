// What a consumer platform holds a provider to: a catalogue whose references lead somewhere, a quote that adds up, an
// order for what was chosen.
//
// Invariant: a check that does not hold throws, and names what was expected.

import { millionths } from './money.mjs';

/** Throws `what` unless `condition` holds. */
export function expect(condition, what) {
  if (!condition) throw new Error(what);
}

/** Throws unless both are the same JSON. */
export function equal(found, expected, what) {
  expect(
    JSON.stringify(sorted(found)) === JSON.stringify(sorted(expected)),
    `${what}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`,
  );
}

/** The same value with its members in one order: JSON objects have none. */
function sorted(value) {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((name) => [name, sorted(value[name])]),
  );
}

/** Every reference of a catalogue leads somewhere and every price is one. */
export function checkCatalogue(catalog) {
  for (const provider of catalog?.providers ?? []) {
    expect(provider.id && provider.descriptor?.name, 'a provider has no id or no name');
    const ids = (list) => new Set((list ?? []).map((one) => one.id));
    const [fulfillments, categories] = [ids(provider.fulfillments), ids(provider.categories)];
    for (const item of provider.items ?? []) {
      expect(item.id && item.descriptor?.name, `an item of ${provider.id} has no id or no name`);
      millionths(item.price?.value);
      expect(item.price.currency, `item ${item.id}: its price has no currency`);
      for (const id of item.fulfillment_ids ?? [])
        expect(fulfillments.has(id), `item ${item.id}: no fulfillment ${id}`);
      for (const id of item.category_ids ?? []) expect(categories.has(id), `item ${item.id}: no category ${id}`);
    }
  }
}

/** When a fulfillment begins, if it is a slot. */
export const begin = (fulfillment) =>
  fulfillment?.stops?.find((stop) => (stop.type ?? 'start') === 'start')?.time?.timestamp;

/** The first thing in a catalogue that can be booked: an item and, if the catalogue has slots, its first slot. */
export function firstOffer(catalog) {
  for (const provider of catalog?.providers ?? []) {
    for (const item of provider.items ?? []) {
      const named = (provider.fulfillments ?? []).filter((one) => (item.fulfillment_ids ?? []).includes(one.id));
      const slot = named.find((one) => Date.parse(begin(one)) > Date.now());
      if (slot || named.some((one) => !begin(one))) return { provider, item, slot };
    }
  }
  return null;
}

/** The parts of a quote add up to its price, in one currency, and hold the item's own price. */
export function checkQuote(quote, item) {
  expect(quote?.breakup?.length > 0, 'the quote has no parts');
  const sum = quote.breakup.reduce((total, part) => total + millionths(part.price?.value), 0n);
  expect(sum === millionths(quote.price?.value), `the parts of the quote do not add up to ${quote.price?.value}`);
  const currencies = new Set(
    [quote.price, item.price, ...quote.breakup.map((part) => part.price)].map((one) => one.currency),
  );
  expect(currencies.size === 1, 'the quote has more than one currency');
  const price = millionths(item.price.value);
  expect(
    quote.breakup.some((part) => millionths(part.price.value) === price),
    'the price of the item is not in its quote',
  );
}

/** The order is for what was chosen. */
export function checkChoice(order, { provider, item, slot }) {
  equal(order.provider?.id, provider.id, 'order.provider.id');
  equal(
    order.items?.map((one) => one.id),
    [item.id],
    'order.items',
  );
  if (slot)
    equal(
      order.fulfillments?.map((one) => one.id),
      [slot.id],
      'order.fulfillments',
    );
}
