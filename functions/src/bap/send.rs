//! What all senders share: the app's message in, a signed Beckn request out.
//!
//! Invariant: a message is recorded before it is sent, so its callback always finds the
//! transaction; the app's message is checked as strictly as a peer would before it leaves. A transaction
//! goes on with messages of the caller who began it alone.

use beckn_health_platform::caller::Caller;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::egress::EgressError;
use beckn_health_platform::function::{Request, Response};
use beckn_health_platform::hop::{self, Outcome};
use beckn_health_platform::receive::{MAX_REQUEST, ending, json};
use beckn_health_platform::registry::Peer;
use beckn_health_platform::store::transactions::{Begun, Sent, Transactions};
use beckn_health_protocol::ack;
use beckn_health_protocol::action::{Action, Verb};
use beckn_health_protocol::context::Context;
use beckn_health_protocol::dialect::{self, Reading};
use beckn_health_protocol::duration::Ttl;
use beckn_health_protocol::error::{Code, Error};
use beckn_health_protocol::ids::{MessageId, SubscriberId, TransactionId};
use beckn_health_protocol::model::Location;
use beckn_health_protocol::registry::SubscriberType;
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json as value};
use tracing::{error, warn};

use super::UNKNOWN_TRANSACTION;

/// The domain of a message whose app names none.
const DEFAULT_DOMAIN: &str = "dhp:0.7.3";
/// Version of the protocol we speak.
const VERSION: &str = "1.1.0";
/// How long the peer may take to answer.
const TTL: &str = "PT10M";

/// What the app posts.
#[derive(Deserialize)]
struct Order {
    #[serde(default)]
    context: AppContext,
    #[serde(default)]
    message: Value,
}

impl Order {
    /// Reads an object with objects in it; a derived reader alone would also take lists, by position.
    fn parse(body: &[u8]) -> Result<Self, String> {
        let asked = beckn_health_protocol::json::parse(body).map_err(|fault| fault.to_string())?;
        let object = |value: Option<&Value>| value.is_none_or(Value::is_object);
        if !asked.is_object() || !object(asked.get("context")) {
            return Err("found something else".to_owned());
        }
        serde_json::from_value(asked).map_err(|problem| problem.to_string())
    }
}

/// The part of the context that the app decides.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AppContext {
    transaction_id: Option<TransactionId>,
    bpp_id: Option<SubscriberId>,
    domain: Option<String>,
    location: Option<Location>,
}

/// Where a message goes.
struct Target {
    url: String,
    name: String,
    bpp: Option<Peer>,
}

/// Builds, signs, records and sends one request; answers the app with the peer's acknowledgement.
pub(super) async fn send(deps: &Deps, request: Request, action: Action) -> Response {
    hop::verb(Verb::Request(action));
    let caller = Caller::of(&request).cloned();
    match prepare(deps, request, action).await {
        Ok(prepared) => prepared.send(deps, caller.as_ref()).await,
        Err(response) => response,
    }
}

struct Prepared {
    action: Action,
    transaction_id: TransactionId,
    message_id: MessageId,
    body: Vec<u8>,
    target: Target,
}

async fn prepare(deps: &Deps, request: Request, action: Action) -> Result<Prepared, Response> {
    let body = request.into_body();
    if body.len() > MAX_REQUEST {
        let message = format!("the body has {} bytes; at most {MAX_REQUEST} are accepted", body.len());
        return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, Error::new(Code::InvalidRequest, message), None));
    }
    let asked = Order::parse(&body).map_err(|problem| {
        let message = format!("expected {{\"context\": {{…}}, \"message\": {{…}}}}: {problem}");
        refuse(StatusCode::BAD_REQUEST, Error::new(Code::InvalidRequest, message), None)
    })?;
    let fresh = |kind: &str| format!("{kind}{}", deps.fresh_id());
    let message_id = MessageId::parse(fresh("")).map_err(|_| unavailable())?;
    let transaction_id = match asked.context.transaction_id {
        Some(id) => id,
        None => TransactionId::parse(fresh("")).map_err(|_| unavailable())?,
    };
    let ids = Some((&transaction_id, &message_id));
    hop::ids(Some(&transaction_id), Some(&message_id));
    let target =
        target(deps, action, asked.context.bpp_id).await.map_err(|(status, error)| refuse(status, error, ids))?;
    let context = Context {
        domain: Some(asked.context.domain.unwrap_or_else(|| DEFAULT_DOMAIN.to_owned())),
        location: asked.context.location,
        action: action.to_string(),
        version: Some(VERSION.to_owned()),
        bap_id: Some(deps.participant.subscriber_id.clone()),
        bap_uri: Some(deps.participant.url.clone()),
        bpp_id: target.bpp.as_ref().map(|peer| peer.subscriber_id.clone()),
        bpp_uri: target.bpp.as_ref().map(|peer| peer.url.clone()),
        transaction_id: Some(transaction_id.clone()),
        message_id: Some(message_id.clone()),
        timestamp: Some(deps.clock.now()),
        ttl: TTL.parse::<Ttl>().ok(),
        ..Context::default()
    };
    let body =
        serde_json::to_vec(&value!({ "context": context, "message": asked.message })).map_err(|_| unavailable())?;
    // What a strict peer would refuse must not leave: the app learns the path of its mistake.
    dialect::read(&body, Verb::Request(action), Reading::Strict)
        .map_err(|fault| refuse(StatusCode::BAD_REQUEST, fault.into(), ids))?;
    Ok(Prepared { action, transaction_id, message_id, body, target })
}

/// A search without `bpp_id` goes to the gateway, everything else to the BPP.
async fn target(deps: &Deps, action: Action, bpp: Option<SubscriberId>) -> Result<Target, (StatusCode, Error)> {
    let Some(bpp) = bpp else {
        return match (&deps.settings.gateway_url, action) {
            (Some(gateway), Action::Search) => {
                Ok(Target { url: gateway.clone(), name: "gateway".to_owned(), bpp: None })
            }
            (None, Action::Search) => {
                let message = "this app's platform has no gateway: name the provider".to_owned();
                Err((StatusCode::BAD_REQUEST, Error::new(Code::InvalidRequest, message).at("context.bpp_id")))
            }
            _ => {
                let message = "expected the provider's id, as its on_search gave it".to_owned();
                Err((StatusCode::BAD_REQUEST, Error::new(Code::InvalidRequest, message).at("context.bpp_id")))
            }
        };
    };
    match deps.registry.peer(&bpp, SubscriberType::Bpp).await {
        Ok(Some(peer)) => Ok(Target { url: peer.url.clone(), name: peer.subscriber_id.to_string(), bpp: Some(peer) }),
        Ok(None) => {
            let message = format!("{bpp} is not a provider of this network");
            Err((StatusCode::NOT_FOUND, Error::new(Code::ProviderNotFound, message).at("context.bpp_id")))
        }
        Err(fault) => {
            error!(%fault, "provider not looked up");
            let message = "the registry cannot be asked; try again".to_owned();
            Err((StatusCode::SERVICE_UNAVAILABLE, Error::new(internal(), message)))
        }
    }
}

impl Prepared {
    async fn send(self, deps: &Deps, caller: Option<&Caller>) -> Response {
        let Self { action, transaction_id, message_id, body, target } = self;
        let ids = Some((&transaction_id, &message_id));
        let transactions = Transactions::new(deps.tables.clone());
        let sent = Sent {
            action,
            message_id: message_id.clone(),
            body: body.clone(),
            at: deps.clock.now(),
            to: target.name.clone(),
            outcome: "pending".to_owned(),
            milliseconds: None,
        };
        let bpp = target.bpp.as_ref().map(|peer| &peer.subscriber_id);
        if let Some(bpp) = bpp {
            hop::peer(bpp);
        }
        match transactions.begin(&transaction_id, &sent, bpp, caller).await {
            Ok(Begun::Recorded) => {}
            Ok(Begun::SomebodyElses) => {
                let error = Error::new(Code::InvalidRequest, UNKNOWN_TRANSACTION).at("context.transaction_id");
                return refuse(StatusCode::NOT_FOUND, error, None);
            }
            Err(fault) => {
                error!(transaction_id = %transaction_id, message_id = %message_id, %action, %fault, "not sent");
                let message = "the message could not be recorded and was not sent; try again".to_owned();
                return refuse(StatusCode::SERVICE_UNAVAILABLE, Error::new(internal(), message), ids);
            }
        }
        let authorization = match deps.participant.sign(&body, deps.clock.now()).await {
            Ok(authorization) => authorization,
            Err(fault) => {
                error!(transaction_id = %transaction_id, message_id = %message_id, %action, %fault, "not sent");
                return unavailable();
            }
        };
        let url = format!("{}/{action}", target.url);
        let answer = deps.egress.post(&url, &[("authorization", authorization)], Bytes::from(body)).await;
        let milliseconds = deps.clock.now().as_millisecond() - sent.at.as_millisecond();
        let (outcome, response) = match answer {
            Err(problem) => {
                let message = match &problem {
                    EgressError::Refused(_) | EgressError::TooLarge(_) => {
                        format!("{} cannot be used: {problem}", target.name)
                    }
                    EgressError::Unreachable(_) => format!("{} did not answer: {problem}", target.name),
                };
                ("unreachable", refuse(StatusCode::BAD_GATEWAY, Error::new(internal(), message), ids))
            }
            Ok(answer) => match ack::Response::parse(&answer.body) {
                Ok(response) if response.is_ack() && answer.status < 300 => {
                    ("ACK", accepted(&transaction_id, &message_id))
                }
                Ok(response) => {
                    let error = response.error.unwrap_or_else(|| {
                        Error::new(
                            Code::InvalidRequest,
                            format!("{} refused the message without saying why", target.name),
                        )
                    });
                    ("NACK", refuse(StatusCode::UNPROCESSABLE_ENTITY, error, ids))
                }
                Err(_) => {
                    let message =
                        format!("{} answered with status {} and no acknowledgement", target.name, answer.status);
                    ("no acknowledgement", refuse(StatusCode::BAD_GATEWAY, Error::new(internal(), message), ids))
                }
            },
        };
        if let Err(fault) = transactions.acknowledged(&transaction_id, action, &message_id, outcome, milliseconds).await
        {
            // The message is out; the timeline shows it as pending.
            warn!(transaction_id = %transaction_id, message_id = %message_id, %fault, "acknowledgement not recorded");
        }
        response
    }
}

fn accepted(transaction_id: &TransactionId, message_id: &MessageId) -> Response {
    let told = value!({ "transaction_id": transaction_id, "message_id": message_id, "ack": { "status": "ACK" } });
    ending(Outcome::Delivered, json(StatusCode::ACCEPTED, &told))
}

fn refuse(status: StatusCode, error: Error, ids: Option<(&TransactionId, &MessageId)>) -> Response {
    let outcome = match status {
        // The peer's refusal; the others are about what the app asked for, or a fault on the way.
        StatusCode::UNPROCESSABLE_ENTITY => Outcome::Refused,
        status if status.is_server_error() => Outcome::Failed,
        _ => Outcome::Rejected(error.code.clone()),
    };
    hop::code(&error.code);
    if let (Outcome::Rejected(_), Some(path)) = (&outcome, &error.paths) {
        hop::path(path);
    }
    let mut body = value!({ "error": error });
    if let Some((transaction_id, message_id)) = ids {
        body["transaction_id"] = value!(transaction_id);
        body["message_id"] = value!(message_id);
    }
    ending(outcome, json(status, &body))
}

fn unavailable() -> Response {
    beckn_health_platform::receive::unavailable()
}

/// A fault of ours or of the way to the peer, in the code that Beckn networks use for it.
fn internal() -> Code {
    Code::Other("31001".to_owned())
}
