//! The verification pipeline: what every protocol message passes before anything is done with it.
//!
//! Invariant: the order is fixed (size, content type, header, algorithm, time window, key,
//! signature over the raw bytes, JSON, identity, staleness, required fields) and each step answers
//! in its own way: 413, 415, 401 with the challenge header, 200 NACK, or 5xx when the fault is ours.
//! Nothing is stored, sent or even parsed before the signature has been verified.

use beckn_health_protocol::ack;
use beckn_health_protocol::action::{Action, Verb};
use beckn_health_protocol::context::Context;
use beckn_health_protocol::dialect::{self, Checked};
use beckn_health_protocol::error::{Code, Error};
use beckn_health_protocol::fault::Fault;
use beckn_health_protocol::ids::SubscriberId;
use beckn_health_protocol::registry::SubscriberType;
use beckn_health_protocol::signature::{self, AuthorizationHeader};
use bytes::Bytes;
use http::header::{AUTHORIZATION, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderName, StatusCode};
use jiff::{SignedDuration, Timestamp};
use tracing::{debug, error};

use crate::deps::Deps;
use crate::function::{Request, Response};
use crate::hop::{self, Outcome};
use crate::registry::{Endpoint, PeerKey};

/// Largest request body, in bytes. With its attributes it stays below what one queue message holds.
pub const MAX_REQUEST: usize = 256 * 1024;
/// Largest callback body, in bytes: a catalogue is larger than a question.
pub const MAX_CALLBACK: usize = 1024 * 1024;
/// How long a message without `context.ttl` stays answerable.
pub const DEFAULT_TTL: SignedDuration = SignedDuration::from_mins(10);
/// How far `context.timestamp` may lie in our future.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);
/// Where a gateway puts its signature (BECKN-006).
const X_GATEWAY_AUTHORIZATION: HeaderName = HeaderName::from_static("x-gateway-authorization");

/// A message whose signature, identity and form have been checked.
#[derive(Debug)]
pub struct Verified {
    /// Who signed it; equal to the id in its context.
    pub subscriber: SubscriberId,
    /// Its context. The body was checked too; whoever wants it reads it from the bytes.
    pub context: Context,
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
    hop::verb(verb);
    let (parts, body) = request.into_parts();
    let cap = match verb {
        Verb::Request(_) => MAX_REQUEST,
        Verb::Callback(_) => MAX_CALLBACK,
    };
    check_shape(&parts.headers, &body, cap)?;
    let now = deps.clock.now();
    // BECKN-006 step 4 before step 5: the gateway's signature first, then the sender's.
    for value in gateway_headers(&parts.headers) {
        check_gateway(deps, value, &body, now).await.map_err(|refusal| refusal.response(deps, Via::Gateway))?;
    }
    let authorization = header(&parts.headers, &AUTHORIZATION)
        .unwrap_or_else(|| Err(Unauthenticated::new("the Authorization header is missing").into()))
        .map_err(|refusal: Refusal| refusal.response(deps, Via::Sender))?;
    let signer =
        authenticate(deps, authorization, &body, now).await.map_err(|refusal| refusal.response(deps, Via::Sender))?;
    let subscriber = signer.peer.subscriber_id.clone();
    let reading = deps.settings.reading_of(&subscriber);
    let Checked { context, tolerated } =
        dialect::check(&body, verb, reading).map_err(|fault| refuse(StatusCode::OK, fault))?;
    hop::about(&context);
    let expires_at =
        check_identity(deps, &context, &signer, verb, now).map_err(|fault| refuse(StatusCode::OK, fault))?;
    for tolerated in &tolerated {
        debug!(subscriber = %subscriber, action = verb.as_str(), fault = tolerated.id, path = tolerated.path, "tolerated");
    }
    Ok(Verified { subscriber, context, authorization: authorization.to_owned(), raw: body, expires_at })
}

/// Checks who signed a request that is no protocol message (a registry lookup).
///
/// # Errors
/// The response to give instead.
pub async fn authenticate_only(deps: &Deps, headers: &HeaderMap, body: &Bytes) -> Result<SubscriberId, Response> {
    check_shape(headers, body, MAX_REQUEST)?;
    let authorization = header(headers, &AUTHORIZATION)
        .unwrap_or_else(|| Err(Unauthenticated::new("the Authorization header is missing").into()))
        .map_err(|refusal: Refusal| refusal.response(deps, Via::Sender))?;
    let signer = authenticate(deps, authorization, body, deps.clock.now())
        .await
        .map_err(|refusal| refusal.response(deps, Via::Sender))?;
    Ok(signer.peer.subscriber_id)
}

/// Size, content type and coding.
///
/// # Errors
/// The response to give instead.
pub fn check_shape(headers: &HeaderMap, body: &Bytes, cap: usize) -> Result<(), Response> {
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
    // The signature is over the bytes as they come, so they are read as they come.
    let coded = |value: &http::HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(http::header::CONTENT_ENCODING).iter().any(coded) {
        return Err(nack(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::InvalidRequest,
            "",
            "expected a body without content-encoding".to_owned(),
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
        unauthenticated(deps, challenge, error)
    }
}

/// 401 with the challenge of BECKN-006 in the named header.
pub(crate) fn unauthenticated(deps: &Deps, challenge: &'static str, error: Error) -> Response {
    let outcome = Outcome::SignatureFailure(error.code.clone());
    let mut response = ending(outcome, json(StatusCode::UNAUTHORIZED, &ack::Response::nack(error)));
    if let Ok(value) = http::HeaderValue::from_str(&signature::challenge(&deps.participant.subscriber_id)) {
        response.headers_mut().insert(challenge, value);
    }
    response
}

/// A header that may stand only once.
fn header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<Result<&'h str, Refusal>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    if values.next().is_some() {
        return Some(Err(Unauthenticated::new(format!("the {name} header is given twice")).into()));
    }
    Some(first.to_str().map_err(|_| Unauthenticated::new(format!("the {name} header is not ASCII")).into()))
}

/// `X-Gateway-Authorization`, and the `Proxy-Authorization` of older gateways: each that is there must hold.
fn gateway_headers(headers: &HeaderMap) -> impl Iterator<Item = Result<&str, Refusal>> {
    [X_GATEWAY_AUTHORIZATION, PROXY_AUTHORIZATION].into_iter().filter_map(|name| header(headers, &name))
}

/// The gateway's signature, by a participant that is a gateway.
async fn check_gateway(deps: &Deps, value: Result<&str, Refusal>, body: &[u8], now: Timestamp) -> Result<(), Refusal> {
    let signer = authenticate(deps, value?, body, now).await?;
    if signer.role == SubscriberType::Bg {
        return Ok(());
    }
    Err(Unauthenticated::new("the gateway header is signed by a participant that is no gateway").into())
}

/// Header, algorithm, time window, key, signature.
async fn authenticate(deps: &Deps, value: &str, body: &[u8], now: Timestamp) -> Result<PeerKey, Refusal> {
    let wrong = Unauthenticated::from;
    let header = AuthorizationHeader::parse(value).map_err(wrong)?;
    signature::check_window(&header, now.as_second(), None).map_err(wrong)?;
    let (subscriber, key_id) = (&header.key_id.subscriber_id, &header.key_id.key_id);
    hop::peer(subscriber);
    let unavailable = |error: crate::registry::RegistryError| {
        error!(signer = %subscriber, %error, "signature cannot be checked");
        Refusal::Unavailable
    };
    let Some(mut signer) = deps.registry.key(subscriber, key_id).await.map_err(unavailable)? else {
        return Err(
            Unauthenticated::new(format!("key {key_id} of {subscriber} is not registered or not valid now")).into()
        );
    };
    let check = |signer: &PeerKey| {
        signature::check_window(&header, now.as_second(), signer.valid_until)?;
        signature::verify(&header, body, &signer.key)
    };
    let mut verdict = check(&signer);
    if verdict.is_err()
        && let Some(newer) = deps.registry.newer_key(&signer, key_id).await.map_err(unavailable)?
    {
        verdict = check(&newer);
        signer = newer;
    }
    verdict.map_err(wrong)?;
    Ok(signer)
}

/// The message is by its signer, for us, of now.
fn check_identity(
    deps: &Deps,
    context: &Context,
    signer: &PeerKey,
    verb: Verb,
    now: Timestamp,
) -> Result<Timestamp, Fault> {
    let us = &deps.participant.subscriber_id;
    let bap = (&context.bap_id, &context.bap_uri);
    let bpp = (&context.bpp_id, &context.bpp_uri);
    let ((their_id, their_uri), their_path, (our_id, our_uri), our_path, role) = match verb {
        Verb::Request(_) => (bap, "bap", bpp, "context.bpp_id", SubscriberType::Bap),
        Verb::Callback(_) => (bpp, "bpp", bap, "context.bap_id", SubscriberType::Bpp),
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
    // A search through a gateway names no provider; anything else must be meant for us. Where a peer's known
    // fault lets the id be missing, an address still says for whom it was meant.
    let to_gateway = deps.participant.role == SubscriberType::Bg;
    let for_us = match (our_id, our_uri) {
        (Some(id), _) => id == us,
        (None, _) if verb == Verb::Request(Action::Search) => true,
        (None, Some(uri)) => Endpoint::of(uri).is_some_and(|meant| Some(meant) == Endpoint::of(&deps.participant.url)),
        (None, None) => true,
    };
    if !to_gateway && !for_us {
        return Err(Fault::new(Code::InvalidRequest, our_path.to_owned(), format!("expected {us}")));
    }
    if !signer.serves(context.domain.as_deref()) {
        return Err(Fault::new(
            Code::InvalidRequest,
            "context.domain".to_owned(),
            format!("expected a domain for which the key of {subscriber} is registered"),
        ));
    }
    if let Some(uri) = their_uri.as_deref()
        && !signer.is_at(uri)
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

/// A NACK for a fault of the message.
pub fn refuse(status: StatusCode, fault: Fault) -> Response {
    // The path of a body that is no message is made of the sender's own words, not of names of fields.
    if !fault.is_malformed() {
        hop::path(&fault.path);
    }
    ending(Outcome::Nack(fault.code.clone()), json(status, &ack::Response::nack(fault.into())))
}

/// The response, with how it ends the hop it is the answer of.
pub fn ending(outcome: Outcome, mut response: Response) -> Response {
    response.extensions_mut().insert(outcome);
    response
}

/// `200 ACK`: a callback will follow.
pub fn acknowledged() -> Response {
    ending(Outcome::Ack, json(StatusCode::OK, &ack::Response::ack()))
}

/// A NACK with its reason.
pub fn nack(status: StatusCode, code: Code, path: &str, message: String) -> Response {
    hop::path(path);
    ending(Outcome::Nack(code.clone()), json(status, &ack::Response::nack(at(Error::new(code, message), path))))
}

/// Our own fault: the sender tries again later.
pub fn unavailable() -> Response {
    ending(Outcome::Failed, json(StatusCode::SERVICE_UNAVAILABLE, &serde_json::json!({})))
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
