//! `beckn-health events`: the sample events under `events/`.
//!
//! Signatures expire and messages lapse, so a sample that is to be accepted has to be dated and
//! signed anew. Invariant: the same events dated with the same instant are the same bytes; ids are
//! never changed, and nothing is signed with any key but the published one.

use std::path::{Path, PathBuf};

use beckn_health_protocol::action::Verb;
use beckn_health_protocol::dialect::{self, Reading};
use beckn_health_protocol::ids::{KeyId, SubscriberId};
use beckn_health_protocol::signature::{self, SigningKey};
use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use super::say;
use crate::failure::Failure;

/// The seed of the key that signs the samples. It is printed here for everyone to read: whoever
/// registers it in a real network lets everyone sign in their name.
pub const SAMPLE_SEED: [u8; 32] = *b"beckn-health: sample events only";
/// The seed of the key that signs forged samples in the name of the sample participants.
const STRANGER_SEED: [u8; 32] = *b"beckn-health: some stranger's...";
/// How long the signatures of samples live: as long as those of a deployment.
const SIGNATURE_LIFETIME: SignedDuration =
    SignedDuration::from_secs(beckn_health_platform::participant::SIGNATURE_LIFETIME_SECONDS);
/// Cases whose name begins so carry a signature by a key that is not their sender's.
const FORGED: &str = "forged";

/// Keep the sample events usable.
#[derive(Subcommand)]
pub enum Events {
    /// Date and sign every sample event anew, in place
    #[command(
        after_help = "Examples:\n  beckn-health events sign\n  beckn-health events sign --dir events --at 2026-11-23T04:00:00Z"
    )]
    Sign {
        /// Folder of the events, `<function>/<case>.json`
        #[arg(long, default_value = "events")]
        dir: PathBuf,
        /// The instant the events happen at, RFC 3339; now when absent
        #[arg(long)]
        at: Option<Timestamp>,
    },
}

impl Events {
    /// Runs the command.
    ///
    /// # Errors
    /// The folder holds no events, or a file is no event or cannot be written.
    pub fn run(self) -> Result<(), Failure> {
        let Self::Sign { dir, at } = self;
        let at = at.unwrap_or_else(now);
        let events = files(&dir)?;
        if events.is_empty() {
            return Err(Failure(format!("{} holds no events: expected <function>/<case>.json", dir.display())));
        }
        for path in &events {
            let bytes = super::read(path)?;
            let signed = signed(path, &bytes, at)?;
            if signed != bytes {
                super::write(Some(path), &signed)?;
            }
        }
        say(&format!("{} events dated {at} and signed", events.len()));
        Ok(())
    }
}

/// Every `<function>/<case>.json` of a folder, in the order of their names.
///
/// # Errors
/// The folder cannot be read.
pub fn files(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable =
        |path: &Path, error: std::io::Error| Failure(format!("{} cannot be read: {error}", path.display()));
    let mut found = Vec::new();
    for function in std::fs::read_dir(dir).map_err(|error| unreadable(dir, error))? {
        let function = function?.path();
        if !function.is_dir() {
            continue;
        }
        for case in std::fs::read_dir(&function).map_err(|error| unreadable(&function, error))? {
            let case = case?.path();
            if case.extension().is_some_and(|extension| extension == "json") {
                found.push(case);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The bytes of the event file at `path`, dated `at` and signed.
///
/// # Errors
/// It is no event; the sentence names the file and the field at fault.
pub fn signed(path: &Path, bytes: &[u8], at: Timestamp) -> Result<Vec<u8>, Failure> {
    let wrong = |problem: String| Failure(format!("{}: {problem}", path.display()));
    let mut event: Value = serde_json::from_slice(bytes).map_err(|error| wrong(format!("it is no JSON: {error}")))?;
    let forged = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(FORGED));
    let key = SigningKey::generate(if forged { STRANGER_SEED } else { SAMPLE_SEED });
    if event["requestContext"]["http"].is_object() {
        request(&mut event, at, &key).map_err(wrong)?;
    } else if event["source"] == "aws.scheduler" {
        event["time"] = json!(at.to_string());
    } else if let Some(records) = event["Records"].as_array_mut() {
        for (index, entry) in records.iter_mut().enumerate() {
            record(entry, at, &key).map_err(|problem| wrong(format!("Records[{index}].{problem}")))?;
        }
    } else {
        return Err(wrong("expected requestContext.http, the source aws.scheduler or Records".to_owned()));
    }
    let mut text = serde_json::to_vec_pretty(&event)?;
    text.push(b'\n');
    Ok(text)
}

/// An HTTP API event, payload format 2.0.
fn request(event: &mut Value, at: Timestamp, key: &SigningKey) -> Result<(), String> {
    event["requestContext"]["timeEpoch"] = json!(at.as_millisecond());
    event["requestContext"]["time"] = json!(at.strftime("%d/%b/%Y:%H:%M:%S %z").to_string());
    if !event["headers"]["authorization"].as_str().is_some_and(|header| header.starts_with("Signature ")) {
        // The app's own API takes a token; its messages are neither signed nor dated.
        return Ok(());
    }
    let body = dated(event["body"].as_str().ok_or("body: expected text")?, at)?;
    for name in ["authorization", "x-gateway-authorization"] {
        if let Some(header) = event["headers"].get_mut(name) {
            *header = json!(resigned(header, &body, at, key).map_err(|problem| format!("headers.{name}: {problem}"))?);
        }
    }
    event["body"] = json!(body);
    Ok(())
}

/// One record of an SQS or a DynamoDB stream event.
fn record(record: &mut Value, at: Timestamp, key: &SigningKey) -> Result<(), String> {
    if record["eventSource"] == "aws:dynamodb" {
        return change(&mut record["dynamodb"], at).map_err(|problem| format!("dynamodb.{problem}"));
    }
    let body = dated(record["body"].as_str().ok_or("body: expected text")?, at)?;
    record["md5OfBody"] = json!(hex(&Md5::digest(body.as_bytes())));
    for name in ["SentTimestamp", "ApproximateFirstReceiveTimestamp"] {
        record["attributes"][name] = json!(at.as_millisecond().to_string());
    }
    let attributes = &mut record["messageAttributes"];
    let mut signed_until = Timestamp::MAX;
    if let Some(authorization) = attributes.get_mut("authorization") {
        let value = resigned(&authorization["stringValue"], &body, at, key)
            .map_err(|problem| format!("messageAttributes.authorization: {problem}"))?;
        authorization["stringValue"] = json!(value);
        signed_until = at.saturating_add(SIGNATURE_LIFETIME).unwrap_or(Timestamp::MAX);
    }
    if let Some(expires_at) = attributes.get_mut("expires_at") {
        // A gateway carries a message no longer than its sender's signature lives.
        expires_at["stringValue"] = json!(expiry(&body, at)?.min(signed_until).to_string());
    }
    record["body"] = json!(body);
    Ok(())
}

/// A change of a table. A hold in it lapses as long before or after the change as it did.
fn change(change: &mut Value, at: Timestamp) -> Result<(), String> {
    let was = change["ApproximateCreationDateTime"].as_i64().ok_or("ApproximateCreationDateTime: expected seconds")?;
    change["ApproximateCreationDateTime"] = json!(at.as_second());
    let Some(row) = change.get_mut("OldImage") else { return Ok(()) };
    let expected = "OldImage.expires_at: expected a number of seconds";
    let lapsed: i64 = row["expires_at"]["N"].as_str().and_then(|seconds| seconds.parse().ok()).ok_or(expected)?;
    let lapses = at.as_second().saturating_add(lapsed.saturating_sub(was));
    row["expires_at"]["N"] = json!(lapses.to_string());
    if let Some(due) = row.get_mut("due_pk") {
        let expected = "OldImage.due_pk: expected <minute>#<shard>";
        let shard = due["S"].as_str().and_then(|due| due.split_once('#')).ok_or(expected)?.1.to_owned();
        due["S"] = json!(format!("{}#{shard}", lapses / 60));
    }
    Ok(())
}

/// A body whose message, if it is one, is of the instant `at`.
fn dated(body: &str, at: Timestamp) -> Result<String, String> {
    let mut message: Value = serde_json::from_str(body).map_err(|error| format!("body: it is no JSON: {error}"))?;
    if message["context"].is_object() {
        message["context"]["timestamp"] = json!(at.to_string());
    }
    Ok(message.to_string())
}

/// When a queued message stops being answerable, as its receiver would have written it.
fn expiry(body: &str, at: Timestamp) -> Result<Timestamp, String> {
    let message: Value = serde_json::from_str(body).map_err(|error| format!("body: it is no JSON: {error}"))?;
    let verb: Verb = message["context"]["action"]
        .as_str()
        .and_then(|action| action.parse().ok())
        .ok_or("body: expected context.action")?;
    let read = dialect::read(body.as_bytes(), verb, Reading::Compat).map_err(|fault| format!("body: {fault}"))?;
    let default = at.saturating_add(beckn_health_platform::receive::DEFAULT_TTL).unwrap_or(Timestamp::MAX);
    Ok(read.context.expires_at().unwrap_or(default))
}

/// A header by the same participant with the same key id, over these bytes.
fn resigned(header: &Value, body: &str, at: Timestamp, key: &SigningKey) -> Result<String, String> {
    let expected = "expected keyId=\"<subscriber id>|<key id>|ed25519\"";
    let text = header.as_str().ok_or(expected)?;
    let triple = text.split_once("keyId=\"").and_then(|(_, rest)| rest.split_once('"')).ok_or(expected)?.0;
    let mut parts = triple.split('|');
    let (subscriber, key_id) = (parts.next().unwrap_or_default(), parts.next().ok_or(expected)?);
    let subscriber = SubscriberId::parse(subscriber).map_err(|error| error.to_string())?;
    let key_id = KeyId::parse(key_id).map_err(|error| error.to_string())?;
    let created = at.as_second();
    let expires = created.saturating_add(SIGNATURE_LIFETIME.as_secs());
    Ok(signature::sign(body.as_bytes(), &subscriber, &key_id, key, created, expires))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[expect(clippy::disallowed_methods, reason = "samples are dated now unless told otherwise")]
fn now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use beckn_health_protocol::signature::AuthorizationHeader;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    fn event(name: &str) -> Value {
        let unsigned = json!({
            "headers": { "authorization": "Signature keyId=\"bap.example|k|ed25519\"" },
            "requestContext": { "http": { "method": "POST" }, "time": "", "timeEpoch": 0 },
            "body": "{\"context\":{\"message_id\":\"m\",\"timestamp\":\"\"},\"message\":{}}",
        });
        let bytes = signed(Path::new(name), unsigned.to_string().as_bytes(), AT).unwrap();
        // Dating what is dated so already changes nothing.
        assert_eq!(signed(Path::new(name), &bytes, AT).unwrap(), bytes);
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn a_sample_is_dated_and_signed() {
        let event = event("quote.json");
        assert_eq!(event["requestContext"]["time"], "01/Jan/1970:00:00:00 +0000");
        assert_eq!(event["body"], r#"{"context":{"message_id":"m","timestamp":"1970-01-01T00:00:00Z"},"message":{}}"#);
        let header = AuthorizationHeader::parse(event["headers"]["authorization"].as_str().unwrap()).unwrap();
        let body = event["body"].as_str().unwrap().as_bytes();
        signature::verify(&header, body, &SigningKey::generate(SAMPLE_SEED).verifying_key()).unwrap();
    }

    #[test]
    fn a_forged_sample_is_signed_by_a_stranger() {
        let event = event("forged.json");
        let header = AuthorizationHeader::parse(event["headers"]["authorization"].as_str().unwrap()).unwrap();
        let body = event["body"].as_str().unwrap().as_bytes();
        let sample = SigningKey::generate(SAMPLE_SEED).verifying_key();
        assert!(signature::verify(&header, body, &sample).is_err());
    }

    #[test]
    fn a_hold_lapses_as_long_before_its_deletion_as_it_did() {
        let record = json!({ "eventSource": "aws:dynamodb", "dynamodb": {
            "ApproximateCreationDateTime": 6000,
            "OldImage": { "expires_at": { "N": "5940" }, "due_pk": { "S": "99#2" }, "state": { "S": "held" } },
        } });
        let at = Timestamp::from_second(12_000).unwrap();
        let bytes =
            signed(Path::new("lapsed.json"), json!({ "Records": [record] }).to_string().as_bytes(), at).unwrap();
        assert_eq!(signed(Path::new("lapsed.json"), &bytes, at).unwrap(), bytes);
        let event: Value = serde_json::from_slice(&bytes).unwrap();
        let expected = json!({
            "ApproximateCreationDateTime": 12_000,
            "OldImage": { "expires_at": { "N": "11940" }, "due_pk": { "S": "199#2" }, "state": { "S": "held" } },
        });
        assert_eq!(event["Records"][0]["dynamodb"], expected);
    }

    #[test]
    fn a_scheduled_event_is_dated() {
        let event = json!({ "source": "aws.scheduler", "time": "2026-11-23T04:00:00Z", "detail": "{}" });
        let bytes = signed(Path::new("minute.json"), event.to_string().as_bytes(), AT).unwrap();
        let event: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(event, json!({ "source": "aws.scheduler", "time": "1970-01-01T00:00:00Z", "detail": "{}" }));
    }

    #[test]
    fn what_is_no_event_is_named() {
        let Failure(sentence) = signed(Path::new("odd.json"), b"{}", AT).unwrap_err();
        assert!(sentence.starts_with("odd.json: expected requestContext.http"), "{sentence}");
    }
}
