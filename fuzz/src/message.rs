//! The messages of every action, in both readings.

use beckn_health_protocol::action::{Action, Callback, Verb};
use beckn_health_protocol::dialect::{self, Checked, Envelope, Reading};
use beckn_health_protocol::fault::Fault;
use beckn_health_protocol::message::{
    CancelMessage, CatalogMessage, ConfirmMessage, FeedbackFormMessage, InitMessage, Message, OrderMessage,
    RatingMessage, SearchMessage, SelectMessage, StatusMessage, SupportMessage, TrackMessage, TrackingMessage,
    UpdateMessage,
};
use beckn_health_protocol::{Ack, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads the input as the message it says it is and as one other, which follows from its bytes: all twenty are
/// reached without reading each input forty times.
pub(crate) fn run(input: &[u8]) {
    let verbs: Vec<Verb> =
        Action::ALL.into_iter().map(Verb::from).chain(Callback::ALL.into_iter().map(Verb::from)).collect();
    let sum = input.iter().fold(0_usize, |sum, byte| sum.wrapping_add(usize::from(*byte)));
    let other = verbs.get(sum % verbs.len().max(1)).copied();
    for verb in named(input).into_iter().chain(other) {
        both_readings(input, verb);
    }
    if let Ok(response) = Response::parse(input) {
        let written = serde_json::to_vec(&response).unwrap_or_default();
        assert_eq!(Response::parse(&written).as_ref(), Ok(&response));
        let Ack { status, .. } = response.message.ack;
        assert_eq!(response.is_ack(), status == beckn_health_protocol::AckStatus::Ack);
    }
}

/// The message the text says it is, wherever it says so.
fn named(input: &[u8]) -> Option<Verb> {
    let text = std::str::from_utf8(input).ok()?;
    let (_, rest) = text.split_once("\"action\"")?;
    rest.split('"').nth(1)?.parse().ok()
}

/// What is read strictly has no fault to settle and reads the same in compat; what is read is what is checked.
fn both_readings(input: &[u8], verb: Verb) {
    let compat = dialect::read(input, verb, Reading::Compat);
    let strict = dialect::read(input, verb, Reading::Strict);
    for (read, reading) in [(&compat, Reading::Compat), (&strict, Reading::Strict)] {
        let read = read.as_ref().map(|Envelope { context, tolerated, .. }| (context, tolerated));
        let checked = dialect::check(input, verb, reading);
        let checked = checked.as_ref().map(|Checked { context, tolerated }| (context, tolerated));
        assert_eq!(checked, read, "{verb} is checked otherwise than read");
    }
    if let Ok(strict) = &strict {
        assert_eq!(strict.tolerated, []);
        assert_eq!(compat.as_ref(), Ok(strict), "{verb} reads otherwise in compat");
        rewritten(strict, verb, Reading::Strict);
    }
    if let Ok(compat) = &compat {
        assert_eq!(compat.tolerated.is_empty(), strict.is_ok(), "{verb}: {:?}", strict.err());
        rewritten(compat, verb, Reading::Compat);
    }
}

/// A message that was read fits its type, and written from it reads as the same again.
fn rewritten(envelope: &Envelope, verb: Verb, reading: Reading) {
    assert_eq!(envelope.context.action, verb.as_str());
    match verb {
        Verb::Request(action) => match action {
            Action::Search => again::<SearchMessage>(envelope, verb, reading),
            Action::Select => again::<SelectMessage>(envelope, verb, reading),
            Action::Init => again::<InitMessage>(envelope, verb, reading),
            Action::Confirm => again::<ConfirmMessage>(envelope, verb, reading),
            Action::Status => again::<StatusMessage>(envelope, verb, reading),
            Action::Track => again::<TrackMessage>(envelope, verb, reading),
            Action::Cancel => again::<CancelMessage>(envelope, verb, reading),
            Action::Update => again::<UpdateMessage>(envelope, verb, reading),
            Action::Rating => again::<RatingMessage>(envelope, verb, reading),
            Action::Support => again::<SupportMessage>(envelope, verb, reading),
        },
        Verb::Callback(callback) => match callback {
            Callback::OnSearch => again::<CatalogMessage>(envelope, verb, reading),
            Callback::OnTrack => again::<TrackingMessage>(envelope, verb, reading),
            Callback::OnRating => again::<FeedbackFormMessage>(envelope, verb, reading),
            Callback::OnSupport => again::<SupportMessage>(envelope, verb, reading),
            Callback::OnSelect
            | Callback::OnInit
            | Callback::OnConfirm
            | Callback::OnStatus
            | Callback::OnCancel
            | Callback::OnUpdate => again::<OrderMessage>(envelope, verb, reading),
        },
    }
}

fn again<T>(envelope: &Envelope, verb: Verb, reading: Reading)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let (first, second) = match envelope.message::<T>() {
        Ok(message) => {
            let written = write(envelope, message);
            let read = read(&written, verb, reading);
            let Ok(message) = read.message::<T>() else {
                assert!(envelope.error.is_some(), "{verb} does not fit its type when it is read again");
                return;
            };
            (written, (write(&read, message), read))
        }
        // Beside an error the body may be partial, and no more than JSON; so it may be none at all.
        Err(fault) => {
            assert!(envelope.error.is_some(), "{verb} was accepted and does not fit its type: {fault}");
            let written = write(envelope, envelope.message.clone());
            let read = read(&written, verb, reading);
            (written, (write(&read, read.message.clone()), read))
        }
    };
    let (second, read) = second;
    assert_eq!(read.context, envelope.context, "{verb}: another context");
    assert_eq!(read.error, envelope.error, "{verb}: another error");
    assert_eq!(parsed(&first), parsed(&second), "{verb}: written otherwise the second time");
}

fn write<T: Serialize>(envelope: &Envelope, message: T) -> Vec<u8> {
    dialect::write(&Message {
        context: envelope.context.clone(),
        message: Some(message),
        error: envelope.error.clone(),
    })
}

fn read(written: &[u8], verb: Verb, reading: Reading) -> Envelope {
    let read: Result<Envelope, Fault> = dialect::read(written, verb, reading);
    assert!(read.is_ok(), "{verb} was accepted, written and refused: {:?}", read.err());
    // What an assertion passed needs no second branch.
    read.unwrap_or_else(|_| std::process::abort())
}

fn parsed(written: &[u8]) -> Option<Value> {
    serde_json::from_slice(written).ok()
}
