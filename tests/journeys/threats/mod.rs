//! Nobody can cheat: every threat we know of, what is expected, and the test that attacks over HTTP.
//!
//! | threat | expected | attacked in |
//! |---|---|---|
//! | body written again: blanks, key order, escapes; one bit flipped | 401 30016, no effect | [`body`], [`crate::refused_header`] |
//! | the Base64 of a Lambda event in the body's place | the decoded bytes are verified | [`body`] |
//! | compressed body | 415, never opened | [`body`] |
//! | bytes replayed at another action | 200 NACK `context.action` | [`elsewhere`] |
//! | bytes replayed at another participant, or naming none | 200 NACK `context.bpp_id`, `context.bap_id` | [`elsewhere`], [`crate::refused_callback`] |
//! | signer is not who the context names, either way | 200 NACK `context.bap_id`, `context.bpp_id` | [`elsewhere`], [`crate::refused_message`], [`crate::refused_callback`] |
//! | header twice; parameter twice, in any case; commas, quotes, escapes | 401 30016 | [`header`], [`crate::refused_header`] |
//! | algorithm confusion: `hs2019`, `xed25519`, none, two that differ | 401 30016 | [`header`] |
//! | truncated, overlong, respelt or malleated signature | 401 30016 | [`header`] |
//! | bytes that are no text, folded and broken lines, two requests in one | 400 or 401 | [`header`] |
//! | path and method tricks | 404, 405 | [`header`], [`crate::refused_header`] |
//! | public key of small order, of 31 bytes, of another curve | 401 30016 | [`keys`] |
//! | private key with another's public half | the participant does not start | [`keys`] |
//! | revoked key | 401 within five minutes, a new one works at once | [`keys`] |
//! | key beyond its `valid_until`; signature that outlives it | 401 | [`keys`], [`crate::refused_header`] |
//! | revoked key kept alive by silencing the registry | the registry answers; 401 in time | [`keys`] |
//! | ambiguous or careless answer of a registry; another domain than registered | 401; 200 NACK `context.domain` | [`registry`] |
//! | a row that makes answers too large, or cannot be listed; a storm of subscriptions | 413, 400 `domain`, 429 | [`joiners`] |
//! | joining in another's name, without the key, with a wrong answer | 401, left out | [`crate::joining`] |
//! | unknown names, to keep the registry busy | one question, then none | [`registry`] |
//! | signature expired, of the future, too long; times that overflow | 401 30022 or 30016 | [`time`], [`crate::refused_header`] |
//! | message lapsed, of the future; absurd `ttl` and `timestamp` | 200 NACK `context.ttl`, `context.timestamp` | [`time`], [`crate::refused_message`] |
//! | message replayed | the same ACK and answer, one effect | [`replay`], [`crate::refused_order`], [`crate::durability`] |
//! | other bytes under a used message id | error, no effect | [`crate::refused_order`], [`crate::refused_callback`] |
//! | gateway's signature by no gateway, under either header | 401, `Proxy-Authenticate` | [`gateway`], [`crate::refused_header`] |
//! | answer relayed for another provider, or to a BAP nobody knows | 200 NACK | [`crate::gateway_relay`] |
//! | callback URL that is not the registry's | 200 NACK `context.bap_uri`; the registry's URL is used anyway | [`urls`] |
//! | URL or name in private space; user information; no https | no connection | [`urls`] |
//! | redirect by a peer | not followed | [`urls`], [`crate::delivery`], [`crate::client_errors`] |
//! | names that collide when joined: `a\|b` and `c`, `a` and `b\|c`; `a#b` | 401, or kept apart | [`collisions`] |
//! | JSON bombs, doubled keys | 200 NACK 30000; everything goes on | [`bombs`], [`crate::refused_message`] |
//! | oversized body, with and without a length | 413 | [`bombs`], [`crate::refused_header`] |
//! | wrong content type | 415 | [`bombs`], [`crate::refused_header`] |
//! | another consumer's order, by any action; guessed ids | "no such order of yours", no effect | [`tenants`], [`crate::refused_order`] |
//! | another app's transaction; no token, a wrong one | 404; 401 | [`crate::callers`] |
//! | a provider that was asked and not chosen | its word changes nothing of the order | [`tenants`], [`crate::refused_callback`] |
//! | personal data or keys in logs: refusals, malformed messages, panics, dead letters | never | [`logs`], [`crate::canary`], [`crate::observability`] |
//! | ids with line breaks, of 1 020 bytes, no UUIDs; prices and places that are no numbers | 200 NACK with the path, or an answer | [`absurd`] |

mod absurd;
mod body;
mod bombs;
mod collisions;
mod elsewhere;
mod gateway;
mod header;
mod joiners;
mod keys;
mod logs;
mod registry;
mod replay;
mod tenants;
mod time;
mod urls;

/// The content type of every message.
const JSON: (&str, &str) = ("content-type", "application/json");
