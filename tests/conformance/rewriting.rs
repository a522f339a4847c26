//! A message read into its types and written again has lost nothing.

use beckn_health_protocol::action::{Action, Callback, Verb};
use beckn_health_protocol::dialect::{self, Checked, Envelope, Reading};
use beckn_health_protocol::fault::Fault;
use beckn_health_protocol::message::{
    CancelMessage, CatalogMessage, ConfirmMessage, FeedbackFormMessage, InitMessage, Message, OrderMessage,
    RatingMessage, SearchMessage, SelectMessage, StatusMessage, SupportMessage, TrackMessage, TrackingMessage,
    UpdateMessage,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The name of a field no schema knows.
const UNKNOWN: &str = "x-unknown-to-us";

/// Reads `message` in the compat reading and writes it from its types. Whoever only checks it believes the same.
pub(crate) fn rewritten(message: &Value, verb: Verb) -> Result<(Envelope, Value), Fault> {
    let text = message.to_string();
    let read = dialect::read(text.as_bytes(), verb, Reading::Compat);
    let checked = dialect::check(text.as_bytes(), verb, Reading::Compat);
    let believed = read.as_ref().map(|Envelope { context, tolerated, .. }| (context, tolerated));
    assert_eq!(checked.as_ref().map(|Checked { context, tolerated }| (context, tolerated)), believed, "{verb}");
    let envelope = read?;
    let bytes = match verb {
        Verb::Request(action) => match action {
            Action::Search => write::<SearchMessage>(&envelope),
            Action::Select => write::<SelectMessage>(&envelope),
            Action::Init => write::<InitMessage>(&envelope),
            Action::Confirm => write::<ConfirmMessage>(&envelope),
            Action::Status => write::<StatusMessage>(&envelope),
            Action::Track => write::<TrackMessage>(&envelope),
            Action::Cancel => write::<CancelMessage>(&envelope),
            Action::Update => write::<UpdateMessage>(&envelope),
            Action::Rating => write::<RatingMessage>(&envelope),
            Action::Support => write::<SupportMessage>(&envelope),
        },
        Verb::Callback(callback) => match callback {
            Callback::OnSearch => write::<CatalogMessage>(&envelope),
            Callback::OnTrack => write::<TrackingMessage>(&envelope),
            Callback::OnRating => write::<FeedbackFormMessage>(&envelope),
            Callback::OnSupport => write::<SupportMessage>(&envelope),
            Callback::OnSelect
            | Callback::OnInit
            | Callback::OnConfirm
            | Callback::OnStatus
            | Callback::OnCancel
            | Callback::OnUpdate => write::<OrderMessage>(&envelope),
        },
    }?;
    Ok((envelope, serde_json::from_slice(&bytes).unwrap()))
}

fn write<T: Serialize + DeserializeOwned>(envelope: &Envelope) -> Result<Vec<u8>, Fault> {
    let message = Message { context: envelope.context.clone(), message: Some(envelope.message::<T>()?), error: None };
    Ok(dialect::write(&message))
}

/// Puts a field that no schema knows into every object below `context` and `message`; how many there are.
pub(crate) fn add_unknown(value: &mut Value) -> usize {
    fn add(value: &mut Value, count: &mut usize) {
        match value {
            Value::Object(object) => {
                object.values_mut().for_each(|inner| add(inner, count));
                *count += 1;
                object.insert(UNKNOWN.to_owned(), json!({ "number": *count, "list": [1, "two", null] }));
            }
            Value::Array(items) => items.iter_mut().for_each(|inner| add(inner, count)),
            _ => {}
        }
    }
    let mut count = 0;
    for part in ["context", "message"] {
        add(&mut value[part], &mut count);
    }
    count
}

/// How many of the unknown fields are in a value.
pub(crate) fn count_unknown(value: &Value) -> usize {
    match value {
        Value::Object(object) => {
            object.iter().map(|(name, inner)| if name == UNKNOWN { 1 } else { count_unknown(inner) }).sum()
        }
        Value::Array(items) => items.iter().map(count_unknown).sum(),
        _ => 0,
    }
}

/// The paths at which `written` does not say what `read` says. Where a fault was settled it says what was
/// meant instead, so those places are left out.
pub(crate) fn lost(read: &Value, written: &Value, settled: &[&str]) -> Vec<String> {
    let mut paths = Vec::new();
    compare(read, written, String::new(), settled, &mut paths);
    paths
}

fn compare(read: &Value, written: &Value, path: String, settled: &[&str], lost: &mut Vec<String>) {
    if settled.contains(&path.as_str()) {
        return;
    }
    match (read, written) {
        (Value::Object(all), Value::Object(_)) => {
            for (name, inner) in all {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(inner, &written[name], path, settled, lost);
            }
        }
        (Value::Array(all), Value::Array(others)) if all.len() == others.len() => {
            for (index, (inner, other)) in all.iter().zip(others).enumerate() {
                compare(inner, other, format!("{path}[{index}]"), settled, lost);
            }
        }
        (read, written) if read == written => {}
        _ => lost.push(path),
    }
}
