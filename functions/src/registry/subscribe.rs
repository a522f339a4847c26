//! `registry-subscribe`: a participant asks to be listed, to change how it is listed, or to leave (Beckn 1.1.0
//! `registry.yaml`, `POST /subscribe`; docs/joining.md has every request and answer).
//!
//! Invariant: who asks has proved possession of the key in the request, and of a key in force where the subscriber
//! has one. Nothing asked for here is served before [`super::verify`] has had the right answer to its challenge;
//! what is served already stays so meanwhile. A key is never ended by itself, and never changed.

use beckn_health_platform::deps::Deps;
use beckn_health_platform::egress;
use beckn_health_platform::function::{Function, Request as HttpRequest, Response, Route, Trigger};
use beckn_health_platform::hop::Outcome;
use beckn_health_platform::possession::{claimed, prove, refused};
use beckn_health_platform::receive::{check_shape, ending, json, refuse, unavailable};
use beckn_health_platform::store::limits::Limited;
use beckn_health_platform::store::participants::{Entry, Participants, Request, Standing, Subscriber, is_retired};
use beckn_health_platform::store::table;
use beckn_health_protocol::challenge::EncryptionPublicKey;
use beckn_health_protocol::error::{Code, Error};
use beckn_health_protocol::fault::Fault;
use beckn_health_protocol::ids::KeyId;
use beckn_health_protocol::registry::{
    Registration, SubscribeRequest, SubscribeResponse, SubscriberType, Subscription, SubscriptionStatus,
};
use beckn_health_protocol::signature::{AuthorizationHeader, VerifyingKey};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use tracing::error;

use super::limit::within_limit;
use super::verify::{QUEUE, Task, announce};

/// The registry's subscription.
pub const FUNCTION: Function = Function {
    name: "registry-subscribe",
    trigger: Trigger::Http {
        route: Route::post("/registry/subscribe"),
        handler: |deps, request| {
            Box::pin(async move { subscribe(&deps, request).await.unwrap_or_else(|refusal| refusal) })
        },
    },
    tables: &[table::PARTICIPANTS, table::LIMITS],
    sends_to: &[QUEUE],
    prepare: None,
};

/// Signed by a key in force, or by a newcomer's own.
const AUTHORIZATION: &str = "authorization";
/// Signed by the new key of a subscriber that has one in force.
const NEW_KEY_AUTHORIZATION: &str = "x-new-key-authorization";
/// Largest body, in bytes. A row is served as it was asked for, unknown fields included, in every answer that lists
/// it: one participant must not make the answers about a place too large to be read.
const MAX_REGISTRATION: usize = 4 * 1024;
/// Most bytes of subscriber id, key id, domain, country and city together. Joined they are the key by which a row is
/// found, of which DynamoDB takes 1 024.
const MAX_NAMES: usize = 1_000;
/// Times a change is decided anew because another came first.
const ATTEMPTS: usize = 5;
/// Most keys of one subscriber, requests and keys that have ended included.
const MOST_KEYS: usize = 20;

/// What a request comes to.
enum Decision {
    /// Nothing changes: where it stands.
    Stands(SubscribeResponse),
    /// These keys change, and this follows.
    Change(Vec<Entry>, Consequence),
}

/// What follows from a change.
enum Consequence {
    /// This key is challenged, for this request.
    Challenge(KeyId, String),
    /// The subscriber is told that these rows now have this status, and why.
    Tell(Vec<Subscription>, SubscriptionStatus, Option<String>),
}

async fn subscribe(deps: &Deps, request: HttpRequest) -> Result<Response, Response> {
    let (parts, body) = request.into_parts();
    check_shape(&parts.headers, &body, MAX_REGISTRATION)?;
    let signer = claimed(deps, &parts.headers, AUTHORIZATION)?;
    // A newcomer's key is in the body, so the body is read before anything is proved.
    let asked = SubscribeRequest::parse(&body).map_err(bad)?;
    if let SubscribeRequest::Register(registration) = &asked {
        check(deps, registration, &signer).map_err(bad)?;
    }
    let participants = Participants::new(deps.tables.clone());
    let subscriber_id = &signer.key_id.subscriber_id;
    let failed = |fault: &dyn std::fmt::Display| {
        error!(peer = %subscriber_id, %fault, "not subscribed");
        unavailable()
    };
    let mut counted = false;
    for _ in 0..ATTEMPTS {
        let now = deps.clock.now();
        let seen = participants.subscriber(subscriber_id, now).await.map_err(|fault| failed(&fault))?;
        authenticate(deps, &parts.headers, &body, &signer, &asked, &seen, now)?;
        if !counted {
            within_limit(deps, Limited::Subscribe, subscriber_id).await?;
            counted = true;
        }
        let (entries, consequence) = match decide(deps, &asked, &signer, &seen, now).map_err(bad)? {
            Decision::Stands(response) => return Ok(answer(response)),
            Decision::Change(entries, consequence) => (entries, consequence),
        };
        if !participants.change(&seen, &entries).await.map_err(|fault| failed(&fault))? {
            // Somebody else changed it meanwhile: look again.
            continue;
        }
        let status = match consequence {
            Consequence::Challenge(key_id, request_id) => {
                let task = Task::Challenge { subscriber_id: subscriber_id.clone(), key_id, request_id };
                if let Err(fault) = task.send(deps).await {
                    withdraw(&participants, &seen, &entries, now).await;
                    return Err(failed(&fault));
                }
                SubscriptionStatus::UnderSubscription
            }
            Consequence::Tell(rows, status, reason) => {
                for row in &rows {
                    announce(deps, row, status.clone(), reason.clone()).await;
                }
                status
            }
        };
        return Ok(answer(SubscribeResponse { status, error: None }));
    }
    Err(failed(&"the subscriber kept changing"))
}

/// A challenge that could not be queued is none: the request is as if it had not been made.
async fn withdraw(participants: &Participants, before: &Subscriber, changed: &[Entry], now: Timestamp) {
    let Ok(seen) = participants.subscriber(&before.id, now).await else { return };
    let restored = changed.iter().map(|entry| {
        let known = before.entry(&entry.key_id).cloned();
        known.unwrap_or_else(|| Entry::of(entry.key_id.clone()))
    });
    if seen.entries.iter().filter(|entry| changed.contains(entry)).count() == changed.len() {
        // If this fails too, the request waits in vain and can be made again with the empty object.
        let _ = participants.change(&seen, &restored.collect::<Vec<_>>()).await;
    }
}

fn answer(response: SubscribeResponse) -> Response {
    ending(Outcome::Answered, json(StatusCode::OK, &response))
}

fn bad(fault: Fault) -> Response {
    refuse(StatusCode::BAD_REQUEST, fault)
}

/// What can be said of a registration without knowing the subscriber.
fn check(deps: &Deps, asked: &Registration, signer: &AuthorizationHeader) -> Result<(), Fault> {
    if asked.subscriber_id != signer.key_id.subscriber_id {
        let expected = format!("expected {}, who signed the request", signer.key_id.subscriber_id);
        return Err(Fault::invalid("subscriber_id", expected));
    }
    if asked.r#type == SubscriberType::Breg {
        return Err(Fault::invalid("type", "expected BAP, BPP or BG: a registry is not listed by another"));
    }
    let url = egress::check(&asked.url, deps.settings.allow_private_addresses)
        .map_err(|error| Fault::invalid("url", error.to_string()))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Fault::invalid("url", "expected a base address without ? and #"));
    }
    let location = asked.location.as_ref();
    let country = location.and_then(|place| place.country.as_ref()?.code.as_deref());
    let city = location.and_then(|place| place.city.as_ref()?.code.as_deref());
    let ids = [Some(asked.subscriber_id.as_str()), Some(asked.key_id.as_str())];
    let names = [asked.domain.as_deref(), country, city].into_iter().chain(ids).flatten();
    if names.map(str::len).sum::<usize>() > MAX_NAMES {
        let expected = format!("expected domain, country, city and both ids of at most {MAX_NAMES} bytes together");
        return Err(Fault::invalid("domain", expected));
    }
    Ok(())
}

/// Whose signatures the request bears: a key in force if there is one, the new key if it brings one.
fn authenticate(
    deps: &Deps,
    headers: &HeaderMap,
    body: &Bytes,
    signer: &AuthorizationHeader,
    asked: &SubscribeRequest,
    seen: &Subscriber,
    now: Timestamp,
) -> Result<(), Response> {
    let key_id = &signer.key_id.key_id;
    let unknown = || refused(deps, format!("key {key_id} of {} is not registered or not valid now", seen.id));
    let is_listed = seen.in_force(now).next().is_some();
    let in_force = seen.row_in_force(key_id, now);
    if let Some(row) = in_force {
        let key = signing_key(row).ok_or_else(unknown)?;
        let valid_until = row.valid_until.map(Timestamp::as_second);
        prove(deps, AUTHORIZATION, signer, body, &key, valid_until)?;
    }
    match asked {
        SubscribeRequest::ChallengeAgain if in_force.is_some() => Ok(()),
        // The key of a request proves its own possession, and asks for itself alone.
        SubscribeRequest::ChallengeAgain => {
            let pending = seen.entry(key_id).and_then(|entry| entry.request.as_ref());
            let key = pending.and_then(|request| signing_key(&request.asked)).ok_or_else(unknown)?;
            prove(deps, AUTHORIZATION, signer, body, &key, None)
        }
        SubscribeRequest::Register(registration) if is_listed => {
            if in_force.is_none() {
                return Err(refused(
                    deps,
                    format!(
                        "{} is registered: expected a signature by one of its keys in force, found {key_id}",
                        seen.id
                    ),
                ));
            }
            let known = seen.entry(&registration.key_id).is_some_and(|entry| entry.row.is_some());
            if known {
                return Ok(());
            }
            let header = claimed(deps, headers, NEW_KEY_AUTHORIZATION)?;
            own_key(deps, NEW_KEY_AUTHORIZATION, &header, body, registration)
        }
        SubscribeRequest::Register(registration) => own_key(deps, AUTHORIZATION, signer, body, registration),
    }
}

/// The header is by the key that the request brings.
fn own_key(
    deps: &Deps,
    name: &str,
    header: &AuthorizationHeader,
    body: &Bytes,
    asked: &Registration,
) -> Result<(), Response> {
    if header.key_id.subscriber_id != asked.subscriber_id || header.key_id.key_id != asked.key_id {
        let expected = format!("{name}: expected a signature by {}|{}", asked.subscriber_id, asked.key_id);
        return Err(refused(deps, expected));
    }
    prove(deps, name, header, body, &asked.signing_public_key, None)
}

fn decide(
    deps: &Deps,
    asked: &SubscribeRequest,
    signer: &AuthorizationHeader,
    seen: &Subscriber,
    now: Timestamp,
) -> Result<Decision, Fault> {
    let registration = match asked {
        SubscribeRequest::ChallengeAgain => return Ok(again(deps, signer, seen, now)),
        SubscribeRequest::Register(registration) => registration,
    };
    let is_listed = seen.in_force(now).next().is_some();
    if registration.status == Some(SubscriptionStatus::Unsubscribed) {
        let row = seen.entry(&registration.key_id).and_then(|entry| entry.row.as_ref());
        return match row.and_then(|row| row.status.clone()) {
            _ if is_listed => Ok(leave(seen, now)),
            Some(status @ SubscriptionStatus::Unsubscribed) => {
                Ok(Decision::Stands(SubscribeResponse { status, error: None }))
            }
            _ => Err(Fault::invalid("status", "the subscriber is not registered")),
        };
    }
    let served = seen.entry(&registration.key_id).and_then(|entry| entry.row.as_ref());
    if let Some(row) = served {
        check_key(registration, row)?;
    }
    match served {
        Some(row) if row.is_in_force(now) && same_but_end(registration, row) => match registration.valid_until {
            Some(until) if Some(until) != row.valid_until => end(registration, signer, seen, row, until, now),
            _ => Ok(Decision::Stands(standing(seen, registration))),
        },
        _ => {
            if registration.valid_until.is_some_and(|until| until <= now) {
                return Err(Fault::invalid("valid_until", format!("lies in the past; our clock shows {now}")));
            }
            let pending = seen.entry(&registration.key_id).and_then(|entry| entry.request.as_ref());
            if pending.is_some_and(|request| same(registration, &request.asked)) {
                return Ok(Decision::Stands(standing(seen, registration)));
            }
            if !is_listed && pending.is_some_and(|request| keys(&request.asked) != own_keys(registration)) {
                // Whoever came first may be somebody else.
                return Err(Fault::invalid("key_id", "other keys are asked for under this key_id: use another"));
            }
            request(deps, registration, seen, !is_listed, now)
        }
    }
}

/// Keys under an id that was served before: never others, and none that was given up.
fn check_key(asked: &Registration, row: &Subscription) -> Result<(), Fault> {
    if is_retired(row) {
        return Err(Fault::invalid("key_id", "this key was given up: use new keys under a new key_id"));
    }
    let unchanged = "a verified key is not changed: use a new key_id for new keys";
    let ((signing, encryption), own) = (keys(row), own_keys(asked));
    if signing != own.0 {
        return Err(Fault::invalid("signing_public_key", unchanged));
    }
    // A row that the operator entered may have none.
    if encryption.is_some() && encryption != own.1 {
        return Err(Fault::invalid("encr_public_key", unchanged));
    }
    Ok(())
}

type PublicKeys = (Option<VerifyingKey>, Option<EncryptionPublicKey>);

/// The keys of a row, whatever they are encoded in.
fn keys(row: &Subscription) -> PublicKeys {
    let encryption = row.encr_public_key.as_deref().and_then(|key| EncryptionPublicKey::from_base64(key).ok());
    (signing_key(row), encryption)
}

fn signing_key(row: &Subscription) -> Option<VerifyingKey> {
    VerifyingKey::from_base64(row.signing_public_key.as_deref()?).ok()
}

fn own_keys(asked: &Registration) -> PublicKeys {
    (Some(asked.signing_public_key.clone()), Some(asked.encr_public_key))
}

/// A request to be served, which takes the place of one for the same key.
fn request(
    deps: &Deps,
    asked: &Registration,
    seen: &Subscriber,
    newcomer: bool,
    now: Timestamp,
) -> Result<Decision, Fault> {
    let row = asked.to_subscription(SubscriptionStatus::UnderSubscription);
    let mut entry = seen.entry(&asked.key_id).cloned().unwrap_or_else(|| Entry::of(asked.key_id.clone()));
    let mut entries = Vec::new();
    if seen.entry(&asked.key_id).is_none() && seen.entries.len() >= MOST_KEYS {
        // A request that nobody has verified makes room; a key that was served does not.
        let oldest = seen.entries.iter().filter(|entry| entry.row.is_none());
        let oldest = oldest.min_by_key(|entry| entry.request.as_ref().map(|request| request.requested_at));
        let Some(oldest) = oldest else {
            let message =
                format!("this subscriber has {MOST_KEYS} keys; those that have ended are forgotten after a month");
            return Err(Fault::new(Code::PolicyError, "key_id", message));
        };
        entries.push(Entry::of(oldest.key_id.clone()));
    }
    let id = deps.fresh_id().to_string();
    entry.request = Some(Request {
        id: id.clone(),
        asked: row,
        standing: Standing::UnderSubscription,
        requested_at: now,
        newcomer,
    });
    entries.push(entry);
    Ok(Decision::Change(entries, Consequence::Challenge(asked.key_id.clone(), id)))
}

/// The key that signed is challenged again: for the request that came to nothing or still waits, or for the row
/// that is served, which stays served whatever the answer.
fn again(deps: &Deps, signer: &AuthorizationHeader, seen: &Subscriber, now: Timestamp) -> Decision {
    let mut entry =
        seen.entry(&signer.key_id.key_id).cloned().unwrap_or_else(|| Entry::of(signer.key_id.key_id.clone()));
    let before = entry.request.take();
    // Who vouched for a request does not change by asking again: a stranger's stays a stranger's.
    let newcomer = before.as_ref().is_some_and(|request| request.newcomer);
    let asked = before.map(|request| request.asked).or_else(|| entry.row.clone()).unwrap_or_default();
    let id = deps.fresh_id().to_string();
    entry.request =
        Some(Request { id: id.clone(), asked, standing: Standing::UnderSubscription, requested_at: now, newcomer });
    Decision::Change(vec![entry], Consequence::Challenge(signer.key_id.key_id.clone(), id))
}

/// The end of a key, set by another one.
fn end(
    asked: &Registration,
    signer: &AuthorizationHeader,
    seen: &Subscriber,
    row: &Subscription,
    until: Timestamp,
    now: Timestamp,
) -> Result<Decision, Fault> {
    if signer.key_id.key_id == asked.key_id {
        return Err(Fault::invalid("valid_until", "a key does not set its own end: sign with another key in force"));
    }
    let ended = until <= now;
    let status = if ended { SubscriptionStatus::Expired } else { SubscriptionStatus::Subscribed };
    let row =
        Subscription { status: Some(status.clone()), valid_until: Some(until), updated: Some(now), ..row.clone() };
    let request = seen.entry(&asked.key_id).and_then(|entry| entry.request.clone()).filter(|_| !ended);
    let entry = Entry { key_id: asked.key_id.clone(), row: Some(row.clone()), request };
    let reason = Some(format!("{} is valid until {until}, as asked with {}", asked.key_id, signer.key_id.key_id));
    Ok(Decision::Change(vec![entry], Consequence::Tell(vec![row], status, reason)))
}

/// Every key of the subscriber is given up, and every request withdrawn.
fn leave(seen: &Subscriber, now: Timestamp) -> Decision {
    let mut told: Vec<Subscription> = Vec::new();
    let entries = seen.entries.iter().map(|entry| {
        let row = entry.row.clone().map(|row| match is_retired(&row) {
            true => row,
            false => Subscription { status: Some(SubscriptionStatus::Unsubscribed), updated: Some(now), ..row },
        });
        told.extend(row.clone().filter(|row| row.status == Some(SubscriptionStatus::Unsubscribed)));
        Entry { key_id: entry.key_id.clone(), row, request: None }
    });
    let entries = entries.collect();
    // Once for each address, whatever the number of keys.
    told.sort_by(|a, b| a.url.cmp(&b.url));
    told.dedup_by(|a, b| a.url == b.url);
    Decision::Change(entries, Consequence::Tell(told, SubscriptionStatus::Unsubscribed, None))
}

/// Where a key stands: by its row if that is what is asked for, else by its request.
fn standing(seen: &Subscriber, asked: &Registration) -> SubscribeResponse {
    let entry = seen.entry(&asked.key_id);
    let row = entry.and_then(|entry| entry.row.as_ref()).filter(|row| same_but_end(asked, row));
    let served = row.and_then(|row| row.status.clone());
    let request = entry.and_then(|entry| entry.request.as_ref()).filter(|request| same_but_end(asked, &request.asked));
    let (standing, error) = match request.map(|request| &request.standing) {
        Some(Standing::UnderSubscription) => (SubscriptionStatus::UnderSubscription, None),
        Some(Standing::LeftOut { status, reason }) => {
            (status.clone(), Some(Error::new(Code::PolicyError, reason.clone())))
        }
        None => (SubscriptionStatus::Initiated, None),
    };
    SubscribeResponse { status: served.unwrap_or(standing), error }
}

/// Whether a request asks for exactly this row.
fn same(asked: &Registration, row: &Subscription) -> bool {
    same_but_end(asked, row) && asked.valid_until == row.valid_until
}

/// The same, whatever the end of the key; what only the registry knows is not compared.
fn same_but_end(asked: &Registration, row: &Subscription) -> bool {
    let bare = |row: Subscription| Subscription {
        status: None,
        created: None,
        updated: None,
        valid_until: None,
        signing_public_key: None,
        encr_public_key: None,
        ..row
    };
    own_keys(asked) == keys(row) && bare(asked.to_subscription(SubscriptionStatus::Initiated)) == bare(row.clone())
}
