//! The verification pipeline: what every protocol message passes before anything is done with it.
//!
//! Invariant: the order is fixed (size, content type, header, algorithm, time window, key,
//! signature over the raw bytes, JSON, identity, staleness, required fields) and each step answers
//! in its own way: 413, 415, 401 with the challenge header, 200 NACK, or 5xx when the fault is ours.
//! Nothing is stored, sent or even parsed before the signature has been verified.

use beckn_health_protocol::ack;
use beckn_health_protocol::action::{Action, Verb};
use beckn_health_protocol::dialect::{self, Envelope};
use beckn_health_protocol::error::{Code, Error};
use beckn_health_protocol::fault::Fault;
use beckn_health_protocol::ids::SubscriberId;
use beckn_health_protocol::registry::SubscriberType;
use beckn_health_protocol::signature::{self, AuthorizationHeader};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use tracing::{error, info, warn};

use crate::deps::Deps;
use crate::function::{Request, Response};
use crate::registry::PeerKey;

/// Largest request body, in bytes. With its attributes it stays below what one queue message holds.
pub const MAX_REQUEST: usize = 256 * 1024;
/// Largest callback body, in bytes: a catalogue is larger than a question.
pub const MAX_CALLBACK: usize = 1024 * 1024;
/// How long a message without `context.ttl` stays answerable.
pub const DEFAULT_TTL: SignedDuration = SignedDuration::from_mins(10);
/// How far `context.timestamp` may lie in our future.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// A message whose signature, identity and form have been checked.
#[derive(Debug)]
pub struct Verified {
    /// Who signed it; equal to the id in its context.
    pub subscriber: SubscriberId,
    /// The parsed message.
    pub envelope: Envelope,
    /// The bytes that were signed.
    pub raw: Bytes,
    /// The `Authorization` header as received; a gateway forwards it.
    pub authorization: String,
    /// When the message stops being answerable.
    pub expires_at: Timestamp,
}

/// Runs the pipeline on a message that claims to be `verb`.
///
/// # Errors
/// The response to give instead of handling the message.
pub async fn receive(deps: &Deps, request: Request, verb: Verb) -> Result<Verified, Response> {
    let (parts, body) = request.into_parts();
    let cap = match verb {
        Verb::Request(_) => MAX_REQUEST,
        Verb::Callback(_) => MAX_CALLBACK,
    };
    check_shape(&parts.headers, &body, cap)?;
    let now = deps.clock.now();
    // BECKN-006 step 4 before step 5: the gateway's signature first, then the sender's.
    if let Some(value) = gateway_header(&parts.headers) {
        check_gateway(deps, value, &body, now).await.map_err(|refusal| refusal.response(deps, Via::Gateway))?;
    }
    let authorization = header(&parts.headers, "authorization")
        .unwrap_or_else(|| Err(Unauthenticated::new("the Authorization header is missing").into()))
        .map_err(|refusal: Refusal| refusal.response(deps, Via::Sender))?;
    let signer =
        authenticate(deps, authorization, &body, now).await.map_err(|refusal| refusal.response(deps, Via::Sender))?;
    let subscriber = signer.peer.subscriber_id.clone();
    let reading = deps.settings.reading_of(&subscriber);
    let envelope = dialect::read(&body, verb, reading).map_err(|fault| refuse(&subscriber, verb, fault))?;
    let expires_at =
        check_identity(deps, &envelope, &signer, verb, now).map_err(|fault| refuse(&subscriber, verb, fault))?;
    for tolerated in &envelope.tolerated {
        info!(subscriber = %subscriber, action = verb.as_str(), fault = tolerated.id, path = tolerated.path, "tolerated");
    }
    Ok(Verified { subscriber, envelope, authorization: authorization.to_owned(), raw: body, expires_at })
}

/// Checks who signed a request that is no protocol message (a registry lookup).
///
/// # Errors
/// The response to give instead.
pub async fn authenticate_only(deps: &Deps, headers: &HeaderMap, body: &Bytes) -> Result<SubscriberId, Response> {
    check_shape(headers, body, MAX_REQUEST)?;
    let authorization = header(headers, "authorization")
        .unwrap_or_else(|| Err(Unauthenticated::new("the Authorization header is missing").into()))
        .map_err(|refusal: Refusal| refusal.response(deps, Via::Sender))?;
    let signer = authenticate(deps, authorization, body, deps.clock.now())
        .await
        .map_err(|refusal| refusal.response(deps, Via::Sender))?;
    Ok(signer.peer.subscriber_id)
}

/// Size and content type.
fn check_shape(headers: &HeaderMap, body: &Bytes, cap: usize) -> Result<(), Response> {
    if body.len() > cap {
        return Err(nack(
            StatusCode::PAYLOAD_TOO_LARGE,
            Code::InvalidRequest,
            "",
            format!("the body has {} bytes; at most {cap} are accepted", body.len()),
        ));
    }
    let content_type = headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(nack(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::InvalidRequest,
            "",
            "expected content-type application/json".to_owned(),
        ));
    }
    Ok(())
}

/// Which of the two signatures is being checked; they have different challenge headers.
#[derive(Clone, Copy)]
enum Via {
    Sender,
    Gateway,
}

/// The signature is missing, malformed, out of its window, by an unknown key, or wrong.
struct Unauthenticated(Error);

impl Unauthenticated {
    fn new(reason: impl Into<String>) -> Self {
        Self(Error::new(Code::InvalidSignature, reason))
    }
}

impl From<signature::SignatureError> for Unauthenticated {
    fn from(error: signature::SignatureError) -> Self {
        Self(Error::new(error.code(), error.to_string()))
    }
}

enum Refusal {
    Unauthenticated(Unauthenticated),
    /// The registry could not be asked: our fault, so the sender tries again.
    Unavailable,
}

impl From<Unauthenticated> for Refusal {
    fn from(reason: Unauthenticated) -> Self {
        Self::Unauthenticated(reason)
    }
}

impl Refusal {
    /// 401 with the challenge of BECKN-006, or 503.
    fn response(self, deps: &Deps, via: Via) -> Response {
        let Self::Unauthenticated(Unauthenticated(error)) = self else { return unavailable() };
        let challenge = match via {
            Via::Sender => "www-authenticate",
            Via::Gateway => "proxy-authenticate",
        };
        let mut response = json(StatusCode::UNAUTHORIZED, &ack::Response::nack(error));
        if let Ok(value) = http::HeaderValue::from_str(&signature::challenge(&deps.participant.subscriber_id)) {
            response.headers_mut().insert(challenge, value);
        }
        response
    }
}

/// A header that may stand only once.
fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<Result<&'h str, Refusal>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    if values.next().is_some() {
        return Some(Err(Unauthenticated::new(format!("the {name} header is given twice")).into()));
    }
    Some(first.to_str().map_err(|_| Unauthenticated::new(format!("the {name} header is not ASCII")).into()))
}

/// `X-Gateway-Authorization`, or the `Proxy-Authorization` of older gateways.
fn gateway_header(headers: &HeaderMap) -> Option<Result<&str, Refusal>> {
    header(headers, "x-gateway-authorization").or_else(|| header(headers, "proxy-authorization"))
}

/// The gateway's signature, by a participant that is a gateway.
async fn check_gateway(deps: &Deps, value: Result<&str, Refusal>, body: &[u8], now: Timestamp) -> Result<(), Refusal> {
    let signer = authenticate(deps, value?, body, now).await?;
    if signer.role == SubscriberType::Bg {
        return Ok(());
    }
    warn!(signer = %signer.peer.subscriber_id, "gateway header signed by a participant that is no gateway");
    Err(Unauthenticated::new("the gateway header is signed by a participant that is no gateway").into())
}

/// Header, algorithm, time window, key, signature.
async fn authenticate(deps: &Deps, value: &str, body: &[u8], now: Timestamp) -> Result<PeerKey, Refusal> {
    let wrong = Unauthenticated::from;
    let header = AuthorizationHeader::parse(value).map_err(wrong)?;
    signature::check_window(&header, now.as_second(), None).map_err(wrong)?;
    let (subscriber, key_id) = (&header.key_id.subscriber_id, &header.key_id.key_id);
    let unavailable = |error: crate::registry::RegistryError| {
        error!(signer = %subscriber, %error, "signature cannot be checked");
        Refusal::Unavailable
    };
    let Some(mut signer) = deps.registry.key(subscriber, key_id).await.map_err(unavailable)? else {
        warn!(signer = %subscriber, "signature by an unknown key");
        return Err(
            Unauthenticated::new(format!("key {key_id} of {subscriber} is not registered or not valid now")).into()
        );
    };
    signature::check_window(&header, now.as_second(), signer.valid_until).map_err(wrong)?;
    let mut verdict = signature::verify(&header, body, &signer.key);
    if verdict.is_err()
        && let Some(newer) = deps.registry.newer_key(&signer, key_id).await.map_err(unavailable)?
    {
        verdict = signature::verify(&header, body, &newer.key);
        signer = newer;
    }
    verdict.map_err(|error| {
        warn!(signer = %subscriber, "signature does not verify");
        wrong(error)
    })?;
    Ok(signer)
}

/// The message is by its signer, for us, of now.
fn check_identity(
    deps: &Deps,
    envelope: &Envelope,
    signer: &PeerKey,
    verb: Verb,
    now: Timestamp,
) -> Result<Timestamp, Fault> {
    let context = &envelope.context;
    let us = &deps.participant.subscriber_id;
    let (their_id, their_uri, their_path, our_id, our_path, role) = match verb {
        Verb::Request(_) => {
            (&context.bap_id, &context.bap_uri, "bap", &context.bpp_id, "context.bpp_id", SubscriberType::Bap)
        }
        Verb::Callback(_) => {
            (&context.bpp_id, &context.bpp_uri, "bpp", &context.bap_id, "context.bap_id", SubscriberType::Bpp)
        }
    };
    let subscriber = &signer.peer.subscriber_id;
    if their_id.as_ref() != Some(subscriber) {
        return Err(Fault::new(
            Code::InvalidRequest,
            format!("context.{their_path}_id"),
            format!("expected {subscriber}, who signed the message"),
        ));
    }
    if signer.role != role {
        return Err(Fault::new(
            Code::InvalidRequest,
            format!("context.{their_path}_id"),
            format!("{subscriber} is not registered as a {their_path}"),
        ));
    }
    // A search through a gateway names no provider; anything else must be meant for us.
    let to_anybody = verb == Verb::Request(Action::Search) && our_id.is_none();
    let to_gateway = deps.participant.role == SubscriberType::Bg;
    if !to_anybody && !to_gateway && our_id.as_ref().is_some_and(|id| id != us) {
        return Err(Fault::new(Code::InvalidRequest, our_path.to_owned(), format!("expected {us}")));
    }
    if let Some(uri) = their_uri.as_deref()
        && host_of(uri) != host_of(&signer.peer.url)
    {
        return Err(Fault::new(
            Code::InvalidRequest,
            format!("context.{their_path}_uri"),
            "expected the host registered for this subscriber".to_owned(),
        ));
    }
    let timestamp = context.timestamp.unwrap_or(now);
    if timestamp > now.saturating_add(CLOCK_SKEW).unwrap_or(Timestamp::MAX) {
        return Err(Fault::new(
            Code::StaleRequest,
            "context.timestamp".to_owned(),
            format!("lies in the future; our clock shows {now}"),
        ));
    }
    let expires_at =
        context.expires_at().unwrap_or_else(|| timestamp.saturating_add(DEFAULT_TTL).unwrap_or(Timestamp::MAX));
    if expires_at < now {
        return Err(Fault::new(
            Code::StaleRequest,
            "context.ttl".to_owned(),
            format!("the message lapsed at {expires_at}; our clock shows {now}"),
        ));
    }
    Ok(expires_at)
}

/// Host and port: what tells one participant's endpoint from another's.
fn host_of(uri: &str) -> Option<(String, Option<u16>)> {
    let url = url::Url::parse(uri).ok()?;
    Some((url.host_str()?.to_owned(), url.port_or_known_default()))
}

fn refuse(subscriber: &SubscriberId, verb: Verb, fault: Fault) -> Response {
    info!(subscriber = %subscriber, action = verb.as_str(), code = %fault.code, path = %fault.path, "refused");
    json(StatusCode::OK, &ack::Response::nack(fault.into()))
}

/// `200 ACK`: a callback will follow.
pub fn acknowledged() -> Response {
    json(StatusCode::OK, &ack::Response::ack())
}

/// A NACK with its reason.
pub fn nack(status: StatusCode, code: Code, path: &str, message: String) -> Response {
    json(status, &ack::Response::nack(at(Error::new(code, message), path)))
}

/// Our own fault: the sender tries again later.
pub fn unavailable() -> Response {
    json(StatusCode::SERVICE_UNAVAILABLE, &serde_json::json!({}))
}

/// A JSON response.
pub fn json(status: StatusCode, body: &impl serde::Serialize) -> Response {
    let (status, body) = match serde_json::to_vec(body) {
        Ok(body) => (status, body),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, b"{}".to_vec()),
    };
    let mut response = http::Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

/// An error with its path, if it has one.
fn at(error: Error, path: &str) -> Error {
    if path.is_empty() { error } else { error.at(path) }
}
