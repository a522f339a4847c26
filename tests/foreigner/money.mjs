// Amounts as Beckn carries them, decimal numbers in texts, without ever going through a binary fraction.

const PLACES = 6;

/** Millionths of a text such as "475.5"; throws when it is no amount. */
export function millionths(text) {
  const match = typeof text === 'string' && /^(\d+)(?:\.(\d{1,6}))?$/.exec(text);
  if (!match) throw new Error(`expected an amount, found ${JSON.stringify(text)}`);
  return BigInt(match[1] + (match[2] ?? '').padEnd(PLACES, '0'));
}

/** The shortest text of an amount in millionths. */
export function text(amount) {
  const digits = amount.toString().padStart(PLACES + 1, '0');
  const fraction = digits.slice(-PLACES).replace(/0+$/, '');
  return digits.slice(0, -PLACES) + (fraction && `.${fraction}`);
}
