//! What must come of an event, by the name of its case.

use beckn_health_platform::function::Trigger;
use serde_json::Value;

use crate::sample::Sample;

/// What the name of a case promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It is taken and answered with what was asked for.
    Answered,
    /// It is understood and refused.
    Refused,
    /// Its signature is not its sender's.
    Forged,
    /// It goes back to its queue.
    Failed,
    /// Nothing comes of it.
    Ignored,
}

impl Expected {
    pub(crate) fn of(sample: &Sample) -> Self {
        match sample.case.split('-').next().unwrap() {
            "refused" => Self::Refused,
            "forged" => Self::Forged,
            "failed" => Self::Failed,
            "ignored" => Self::Ignored,
            _ => Self::Answered,
        }
    }
}

/// Who speaks HTTP to a function.
enum Caller {
    /// A participant of the network: it gets an acknowledgement.
    Participant,
    /// The app, which sends: 202.
    App,
    /// Somebody who asks for something: it gets it.
    Reader,
    /// Somebody who joins, or the registry whom it joins.
    Joining,
}

fn caller(sample: &Sample) -> Caller {
    match sample.function.name {
        "registry-subscribe" | "registry-keys" => Caller::Joining,
        name if name.ends_with("-on-subscribe") => Caller::Joining,
        "bap-transaction" | "registry-lookup" => Caller::Reader,
        name if name.starts_with("bap-") && !name.starts_with("bap-on-") => Caller::App,
        _ => Caller::Participant,
    }
}

/// Checks what an HTTP function answered.
pub(crate) fn check_response(sample: &Sample, response: &Value) -> Result<(), String> {
    assert!(matches!(sample.function.trigger, Trigger::Http { .. }));
    let status = response["statusCode"].as_u64().unwrap();
    let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap_or_default();
    let ack = body["message"]["ack"]["status"].as_str().unwrap_or_default();
    let named = body["error"]["code"].is_string() && body["error"]["message"].is_string();
    let holds = match (Expected::of(sample), caller(sample)) {
        (Expected::Answered, Caller::Participant) => status == 200 && ack == "ACK" && body["error"].is_null(),
        (Expected::Answered, Caller::App) => status == 202 && body["ack"]["status"] == "ACK",
        (Expected::Answered, Caller::Reader) if body.is_array() => {
            status == 200 && body[0]["subscriber_id"].is_string()
        }
        (Expected::Answered, Caller::Reader) => {
            let asked = &sample.event["pathParameters"]["transaction_id"];
            status == 200 && body["transaction_id"] == *asked && body["messages"][0].is_object()
        }
        (Expected::Refused, Caller::Participant) => status == 200 && ack == "NACK" && named,
        (Expected::Answered, Caller::Joining) => status == 200 && is_step_of_joining(sample, &body),
        (Expected::Refused, Caller::App | Caller::Reader | Caller::Joining) => {
            (400..500).contains(&status) && status != 401 && named
        }
        (Expected::Forged, _) => {
            let challenge = if sample.case == "forged-gateway" { "proxy-authenticate" } else { "www-authenticate" };
            status == 401 && ack == "NACK" && response["headers"][challenge].is_string()
        }
        (Expected::Failed | Expected::Ignored, _) => false,
    };
    if holds { Ok(()) } else { Err(format!("expected it {:?}, got {status} {body}", Expected::of(sample))) }
}

/// Whether it is the answer by which one who joins gets further.
fn is_step_of_joining(sample: &Sample, body: &Value) -> bool {
    match sample.function.name {
        "registry-keys" => body["signing_public_key"].is_string() && body["encr_public_key"].is_string(),
        "registry-subscribe" => body["status"] == "UNDER_SUBSCRIPTION",
        _ if sample.message()["challenge"].is_string() => body["answer"]
            .as_str()
            .is_some_and(|answer| answer.len() == 32 && answer.bytes().all(|it| it.is_ascii_digit())),
        _ => *body == serde_json::json!({}),
    }
}

/// Checks what the registry left in its batch, and what it sent to whom it challenges.
pub(crate) fn check_challenge(sample: &Sample, response: &Value, told: &[Value]) -> Result<(), String> {
    let failures = response["batchItemFailures"].as_array().unwrap().len();
    let challenged = told.iter().filter(|body| body["challenge"].is_string()).count();
    let holds = match Expected::of(sample) {
        Expected::Answered => failures == 0 && challenged == 1,
        Expected::Ignored => failures == 0,
        Expected::Failed => failures == 1,
        Expected::Refused | Expected::Forged => false,
    };
    if holds { Ok(()) } else { Err(format!("expected it {:?}, got {response}, told {told:?}", Expected::of(sample))) }
}

/// Checks what a queue function left in its batch, and what it sent for the message.
pub(crate) fn check_batch(sample: &Sample, response: &Value, sent: &[Value]) -> Result<(), String> {
    let failures = response["batchItemFailures"].as_array().unwrap();
    if Expected::of(sample) == Expected::Failed {
        let id = &sample.event["Records"][0]["messageId"];
        let failed = failures.len() == 1 && failures[0]["itemIdentifier"] == *id && sent.is_empty();
        return if failed { Ok(()) } else { Err(format!("expected {id} to fail, got {response}")) };
    }
    if !failures.is_empty() {
        return Err(format!("it failed: {response}"));
    }
    let [sent] = sent else { return Err(format!("expected one message to be sent for it, found {}", sent.len())) };
    let refused = !sent["error"].is_null();
    if refused == (Expected::of(sample) == Expected::Refused) {
        Ok(())
    } else {
        Err(format!("expected it {:?}, sent {sent}", Expected::of(sample)))
    }
}

/// Checks what a function of the slots' stream told the consumer of the order whose hold is gone.
pub(crate) fn check_lapse(sample: &Sample, told: &[Value]) -> Result<(), String> {
    let statuses: Vec<&Value> = told.iter().map(|message| &message["message"]["order"]["status"]).collect();
    let holds = match Expected::of(sample) {
        Expected::Answered => statuses == ["CANCELLED"],
        Expected::Ignored => statuses.is_empty(),
        Expected::Refused | Expected::Forged | Expected::Failed => false,
    };
    if holds { Ok(()) } else { Err(format!("expected it {:?}, told {statuses:?}", Expected::of(sample))) }
}
