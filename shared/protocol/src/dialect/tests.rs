//! What is read, and what is refused and where.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::json;

use crate::action::{Action, Callback};
use crate::message::{ConfirmMessage, OrderMessage, RatingMessage, SearchMessage};

use super::*;

mod checked;
mod known_faults;

fn context(verb: Verb) -> Value {
    json!({
        "domain": "dhp:consultation:0.1.0",
        "location": {"country": {"code": "IND"}, "city": {"code": "std:080"}},
        "action": verb.as_str(),
        "version": "1.1.0",
        "bap_id": "bap.example",
        "bap_uri": "https://bap.example/beckn",
        "bpp_id": "bpp.example",
        "bpp_uri": "https://bpp.example/beckn",
        "transaction_id": "7e5e0a4f-6f3b-4c5b-8a53-1f6d0d3b2a11",
        "message_id": "0c6be1b0-90d0-4b7e-a8de-4c2f9dc0a3a5",
        "timestamp": "2026-01-31T09:30:00.000Z",
        "ttl": "PT30S"
    })
}

fn order() -> Value {
    json!({
        "id": "order-1",
        "provider": {"id": "clinic-1"},
        "items": [{
            "id": "visit",
            "price": {"value": "450.00", "currency": "INR"},
            "quantity": {"selected": {"count": 1}}
        }],
        "fulfillments": [{
            "id": "f-1",
            "rateable": true,
            "agent": {"person": {"name": "Dr Mehta", "creds": [{"id": "reg-1"}]}},
            "stops": [{
                "location": {"gps": "12.93,77.61", "city": {"code": "std:080"}},
                "time": {"range": {"start": "2026-02-01T10:00:00Z", "end": "2026-02-01T10:15:00Z"}}
            }]
        }],
        "quote": {"price": {"value": "450.00"}, "ttl": "PT15M"},
        "cancellation_terms": [{"cancellation_fee": {"percentage": "10"}}]
    })
}

fn body(verb: Verb) -> Value {
    match verb.as_str() {
        "search" => json!({"intent": {"item": {"descriptor": {"name": "consultation"}}}}),
        "status" | "track" | "cancel" => json!({"order_id": "order-1"}),
        "update" => json!({"update_target": "order.billing", "order": order()}),
        "rating" => json!({"ratings": [{"rating_category": "Agent", "id": "a-1", "value": "5"}]}),
        "support" | "on_support" => json!({"support": {"ref_id": "order-1"}}),
        "on_search" => json!({"catalog": {"providers": [{"id": "clinic-1"}]}}),
        "on_track" => json!({"tracking": {"status": "active"}}),
        "on_rating" => json!({"feedback_form": {"form": {"url": "https://forms.example/1"}}}),
        _ => json!({"order": order()}),
    }
}

fn message(verb: impl Into<Verb>) -> Value {
    let verb = verb.into();
    json!({"context": context(verb), "message": body(verb)})
}

/// Reads a message. Whoever only checks it is told the same.
fn read_value(message: &Value, verb: impl Into<Verb>, reading: Reading) -> Result<Envelope, Fault> {
    let (text, verb) = (message.to_string(), verb.into());
    let read = read(text.as_bytes(), verb, reading);
    let checked = check(text.as_bytes(), verb, reading);
    assert_eq!(checked.as_ref().map(|checked| &checked.context), read.as_ref().map(|envelope| &envelope.context));
    assert_eq!(checked.map(|checked| checked.tolerated), read.clone().map(|envelope| envelope.tolerated));
    read
}

fn verbs() -> impl Iterator<Item = Verb> {
    Action::ALL.into_iter().map(Verb::from).chain(Callback::ALL.into_iter().map(Verb::from))
}

#[test]
fn a_good_message_of_every_verb_is_read_strictly_and_as_it_is() {
    for verb in verbs() {
        let sent = message(verb);
        for reading in [Reading::Strict, Reading::Compat] {
            let envelope = read_value(&sent, verb, reading).unwrap();
            assert_eq!(envelope.tolerated, [], "{verb}");
            assert_eq!(envelope.message, sent["message"], "{verb}");
            assert_eq!(envelope.context.action, verb.as_str());
        }
    }
}

#[test]
fn a_message_is_read_for_its_own_action_only() {
    for verb in verbs() {
        let other =
            if verb == Verb::from(Action::Select) { Verb::from(Action::Init) } else { Verb::from(Action::Select) };
        let fault = read_value(&message(verb), other, Reading::Strict).unwrap_err();
        assert_eq!(fault.path, "context.action", "{verb} as {other}");
        // A callback is never read as the request it answers.
        if let Verb::Callback(callback) = verb {
            assert!(read_value(&message(verb), callback.request(), Reading::Compat).is_err());
        }
    }
}

#[test]
fn the_body_is_given_its_type() {
    let envelope = read_value(&message(Action::Confirm), Action::Confirm, Reading::Strict).unwrap();
    let confirm: ConfirmMessage = envelope.message().unwrap();
    assert_eq!(confirm.order.provider.unwrap().id.unwrap().as_str(), "clinic-1");
    // The wrong type is a fault with a path, not a panic.
    let fault = envelope.message::<RatingMessage>().map(|rating| rating.extra.len());
    assert_eq!(fault, Ok(1));
    assert_eq!(envelope.message::<crate::message::StatusMessage>().unwrap_err().path, "message");
}

#[test]
fn what_is_written_reads_back() {
    let envelope = read_value(&message(Callback::OnConfirm), Callback::OnConfirm, Reading::Strict).unwrap();
    let whole = Message::new(envelope.context.clone(), envelope.message::<OrderMessage>().unwrap());
    let again = read(&write(&whole), Callback::OnConfirm.into(), Reading::Strict).unwrap();
    assert_eq!(again, envelope);
}

#[test]
fn what_the_profile_requires_is_required_in_both_readings() {
    let required = ["domain", "version", "action", "bap_id", "bap_uri", "message_id", "timestamp"];
    for verb in verbs() {
        for name in required {
            for reading in [Reading::Strict, Reading::Compat] {
                let mut sent = message(verb);
                sent["context"].as_object_mut().unwrap().remove(name);
                let fault = read_value(&sent, verb, reading).unwrap_err();
                assert_eq!(fault.path, format!("context.{name}"), "{verb}");
                sent["context"][name] = json!("");
                let fault = read_value(&sent, verb, reading).unwrap_err();
                assert_eq!(fault.path, format!("context.{name}"), "{verb}, empty");
            }
        }
    }
    for callback in Callback::ALL {
        for name in ["bpp_id", "bpp_uri"] {
            let mut sent = message(callback);
            sent["context"].as_object_mut().unwrap().remove(name);
            let fault = read_value(&sent, callback, Reading::Compat).unwrap_err();
            assert_eq!(fault.path, format!("context.{name}"), "{callback}");
        }
    }
    for action in [Action::Search, Action::Select, Action::Init, Action::Confirm] {
        let mut sent = message(action);
        sent["context"].as_object_mut().unwrap().remove("transaction_id");
        let fault = read_value(&sent, action, Reading::Compat).unwrap_err();
        assert_eq!(fault.path, "context.transaction_id", "{action}");
    }
}

#[test]
fn what_each_action_requires_is_required() {
    for (verb, path) in [
        (Verb::from(Action::Select), "message.order"),
        (Action::Init.into(), "message.order"),
        (Action::Confirm.into(), "message.order"),
        (Action::Status.into(), "message.order_id"),
        (Action::Track.into(), "message.order_id"),
        (Action::Cancel.into(), "message.order_id"),
        (Action::Update.into(), "message.update_target"),
        (Callback::OnSearch.into(), "message.catalog"),
        (Callback::OnConfirm.into(), "message.order"),
        (Callback::OnTrack.into(), "message.tracking"),
    ] {
        let mut sent = message(verb);
        sent["message"] = json!({});
        assert_eq!(read_value(&sent, verb, Reading::Compat).unwrap_err().path, path, "{verb}");
    }
    for verb in verbs() {
        let mut sent = message(verb);
        sent.as_object_mut().unwrap().remove("message");
        assert_eq!(read_value(&sent, verb, Reading::Compat).unwrap_err().path, "message", "{verb}");
        sent["error"] = json!({"code": "40002", "message": "taken"});
        let read = read_value(&sent, verb, Reading::Strict);
        match verb {
            Verb::Request(_) => assert_eq!(read.unwrap_err().path, "message", "{verb}"),
            Verb::Callback(_) => {
                let envelope = read.unwrap();
                assert_eq!(
                    (envelope.error.unwrap().code, envelope.message),
                    (Code::ItemQuantityUnavailable, Value::Null)
                );
            }
        }
    }
}

#[test]
fn a_search_needs_no_provider_platform_and_no_intent() {
    let mut sent = message(Action::Search);
    for name in ["bpp_id", "bpp_uri"] {
        sent["context"].as_object_mut().unwrap().remove(name);
    }
    sent["message"] = json!({});
    let envelope = read_value(&sent, Action::Search, Reading::Strict).unwrap();
    assert_eq!(envelope.message::<SearchMessage>().unwrap(), SearchMessage::default());
}

#[test]
fn a_partial_body_may_stand_beside_an_error() {
    let mut sent = message(Callback::OnSelect);
    sent["error"] = json!({"code": 40003});
    for body in [json!({}), json!({"order": {"id": "order-1"}})] {
        sent["message"] = body.clone();
        assert_eq!(read_value(&sent, Callback::OnSelect, Reading::Strict).unwrap().message, body);
    }
    sent["message"] = json!({"order": {"id": []}});
    assert_eq!(read_value(&sent, Callback::OnSelect, Reading::Strict).unwrap_err().path, "message.order.id");
    sent["error"] = json!("no");
    sent["message"] = json!({"order": {}});
    assert_eq!(read_value(&sent, Callback::OnSelect, Reading::Strict).unwrap().error.unwrap().message.unwrap(), "no");
    sent["error"] = json!([]);
    assert_eq!(read_value(&sent, Callback::OnSelect, Reading::Strict).unwrap_err().path, "error");
}

#[test]
fn a_field_without_its_form_is_named_and_its_value_is_not() {
    for (pointer, wrong, path) in [
        ("/message/order/items/0/id", json!({"SECRET": 1}), "message.order.items[0].id"),
        ("/message/order/items/0/id", json!(""), "message.order.items[0].id"),
        ("/message/order/items/0", json!("SECRET"), "message.order.items[0]"),
        ("/message/order/items/0", Value::Null, "message.order.items[0]"),
        ("/message/order/items/0/price/value", json!("SECRET"), "message.order.items[0].price.value"),
        ("/message/order/items/0/price", json!("SECRET"), "message.order.items[0].price"),
        (
            "/message/order/fulfillments/0/agent/person/name",
            json!(["SECRET"]),
            "message.order.fulfillments[0].agent.person.name",
        ),
        ("/message/order/fulfillments/0/rateable", json!("SECRET"), "message.order.fulfillments[0].rateable"),
        (
            "/message/order/fulfillments/0/stops/0/location/gps",
            json!("SECRET"),
            "message.order.fulfillments[0].stops[0].location.gps",
        ),
        ("/message/order/quote/ttl", json!("SECRET"), "message.order.quote.ttl"),
        ("/context/timestamp", json!("SECRET"), "context.timestamp"),
        ("/context/ttl", json!("10 minutes"), "context.ttl"),
        ("/context/bap_id", json!(["SECRET"]), "context.bap_id"),
        ("/context/location", json!("SECRET"), "context.location"),
        ("/context", json!("SECRET"), "context"),
        ("/message", json!("SECRET"), "message"),
    ] {
        for reading in [Reading::Strict, Reading::Compat] {
            let mut sent = message(Callback::OnConfirm);
            *sent.pointer_mut(pointer).unwrap() = wrong.clone();
            let fault = read_value(&sent, Callback::OnConfirm, reading).unwrap_err();
            assert_eq!(fault.path, path);
            assert!(!fault.to_string().contains("SECRET"), "{fault}");
            assert!(!fault.is_malformed());
            assert_eq!(fault.code, Code::InvalidRequest);
        }
    }
}

#[test]
fn a_body_that_is_no_message_is_malformed() {
    for body in ["", "[]", "{", r#"{"context":{},"context":{}}"#, r#"{"message":{"a":1,"a":2}}"#] {
        let fault = read(body.as_bytes(), Action::Search.into(), Reading::Compat).unwrap_err();
        assert!(fault.is_malformed(), "{body}: {fault}");
    }
    let fault = read(b"{}", Action::Search.into(), Reading::Compat).unwrap_err();
    assert!(!fault.is_malformed() && fault.path == "context");
}

#[test]
fn typed_faults_do_not_repeat_values() {
    assert_eq!(without_values("invalid type: string \"SECRET, expected x\", expected a map"), "expected a map");
    assert_eq!(without_values("SECRET"), "expected another form");
    assert_eq!(without_values("missing field `order_id`"), "missing field `order_id`");
}

#[test]
fn debug_shows_no_body() {
    let mut sent = message(Callback::OnConfirm);
    sent["message"]["order"]["note"] = json!("SECRET");
    let envelope = read_value(&sent, Callback::OnConfirm, Reading::Strict).unwrap();
    let shown = format!("{envelope:?}");
    assert!(shown.contains("bap.example") && !shown.contains("SECRET") && !shown.contains("Mehta"), "{shown}");
}
