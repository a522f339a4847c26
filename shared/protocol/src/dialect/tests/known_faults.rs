//! Each known fault in both readings, and what is no known fault.

use std::collections::BTreeSet;

use super::*;

/// A known fault: in which message, what is done to it, where it is found, and what is read in its place.
struct Case {
    id: &'static str,
    verb: Verb,
    spoil: fn(&mut Value),
    path: &'static str,
    settled: (&'static str, Value),
}

fn case(
    id: &'static str,
    verb: impl Into<Verb>,
    spoil: fn(&mut Value),
    path: &'static str,
    settled: (&'static str, Value),
) -> Case {
    Case { id, verb: verb.into(), spoil, path, settled }
}

fn rename_in_context(message: &mut Value, from: &str, to: &str) {
    let context = message["context"].as_object_mut().unwrap();
    let value = context.remove(from).unwrap();
    context.insert(to.to_owned(), value);
}

const START: &str = "/message/order/fulfillments/0/stops/0/time/range/start";

fn start(message: &mut Value, text: &str) {
    *message.pointer_mut(START).unwrap() = json!(text);
}

fn gps(message: &mut Value, text: &str) {
    *message.pointer_mut("/message/order/fulfillments/0/stops/0/location/gps").unwrap() = json!(text);
}

fn cases() -> Vec<Case> {
    const ON: Callback = Callback::OnConfirm;
    const START_PATH: &str = "message.order.fulfillments[0].stops[0].time.range.start";
    const GPS: &str = "/message/order/fulfillments/0/stops/0/location/gps";
    const GPS_PATH: &str = "message.order.fulfillments[0].stops[0].location.gps";
    vec![
        case(
            "core-version",
            ON,
            |m| rename_in_context(m, "version", "core_version"),
            "context.core_version",
            ("/context/version", json!("1.1.0")),
        ),
        case(
            "flat-country",
            ON,
            |m| {
                m["context"]["location"] = json!({"city": {"code": "std:080"}});
                m["context"]["country"] = json!("IND");
            },
            "context.country",
            ("/context/location/country/code", json!("IND")),
        ),
        case(
            "flat-city",
            ON,
            |m| {
                m["context"].as_object_mut().unwrap().remove("location");
                m["context"]["city"] = json!("std:080");
            },
            "context.city",
            ("/context/location/city/code", json!("std:080")),
        ),
        case(
            "bap-url",
            ON,
            |m| rename_in_context(m, "bap_uri", "bap_url"),
            "context.bap_url",
            ("/context/bap_uri", json!("https://bap.example/beckn")),
        ),
        case(
            "bpp-url",
            ON,
            |m| rename_in_context(m, "bpp_uri", "bpp_url"),
            "context.bpp_url",
            ("/context/bpp_uri", json!("https://bpp.example/beckn")),
        ),
        case(
            "callback-named-as-request",
            ON,
            |m| m["context"]["action"] = json!("confirm"),
            "context.action",
            ("/context/action", json!("on_confirm")),
        ),
        case(
            "bap-id-is-url",
            ON,
            |m| m["context"]["bap_id"] = json!("https://bap.example:8443/x"),
            "context.bap_id",
            ("/context/bap_id", json!("bap.example")),
        ),
        case(
            "bpp-id-is-url",
            ON,
            |m| m["context"]["bpp_id"] = json!("http://bpp.example"),
            "context.bpp_id",
            ("/context/bpp_id", json!("bpp.example")),
        ),
        case(
            "transaction-id-missing",
            Action::Status,
            |m| {
                m["context"].as_object_mut().unwrap().remove("transaction_id");
            },
            "context.transaction_id",
            ("/context/transaction_id", Value::Null),
        ),
        case(
            "transaction-id-not-uuid",
            ON,
            |m| m["context"]["transaction_id"] = json!("t-1"),
            "context.transaction_id",
            ("/context/transaction_id", json!("t-1")),
        ),
        case(
            "message-id-not-uuid",
            ON,
            |m| m["context"]["message_id"] = json!("$0c6be1b0-90d0-4b7e-a8de-4c2f9dc0a3a5"),
            "context.message_id",
            ("/context/message_id", json!("$0c6be1b0-90d0-4b7e-a8de-4c2f9dc0a3a5")),
        ),
        case(
            "bpp-id-missing",
            Action::Confirm,
            |m| {
                m["context"].as_object_mut().unwrap().remove("bpp_id");
            },
            "context.bpp_id",
            ("/context/bpp_id", Value::Null),
        ),
        case(
            "bpp-uri-missing",
            Action::Confirm,
            |m| {
                m["context"].as_object_mut().unwrap().remove("bpp_uri");
            },
            "context.bpp_uri",
            ("/context/bpp_uri", Value::Null),
        ),
        case(
            "place-as-text",
            ON,
            |m| m["context"]["location"]["city"] = json!("std:080"),
            "context.location.city",
            ("/context/location/city/code", json!("std:080")),
        ),
        case(
            "number-as-text-expected",
            ON,
            |m| m["message"]["order"]["items"][0]["price"]["value"] = json!(450.5),
            "message.order.items[0].price.value",
            ("/message/order/items/0/price/value", json!("450.5")),
        ),
        case(
            "text-as-number-expected",
            ON,
            |m| m["message"]["order"]["fulfillments"][0]["rateable"] = json!("true"),
            "message.order.fulfillments[0].rateable",
            ("/message/order/fulfillments/0/rateable", json!(true)),
        ),
        case(
            "text-as-number-expected",
            ON,
            |m| m["message"]["order"]["items"][0]["quantity"] = json!({"selected": {"count": "2"}}),
            "message.order.items[0].quantity.selected.count",
            ("/message/order/items/0/quantity/selected/count", json!(2)),
        ),
        case(
            "ttl-in-seconds",
            ON,
            |m| m["context"]["ttl"] = json!(30),
            "context.ttl",
            ("/context/ttl", json!("PT30S")),
        ),
        case(
            "ttl-in-seconds",
            ON,
            |m| m["message"]["order"]["quote"]["ttl"] = json!("900"),
            "message.order.quote.ttl",
            ("/message/order/quote/ttl", json!("PT900S")),
        ),
        case(
            "percent-sign",
            ON,
            |m| m["message"]["order"]["cancellation_terms"][0]["cancellation_fee"]["percentage"] = json!("30 %"),
            "message.order.cancellation_terms[0].cancellation_fee.percentage",
            ("/message/order/cancellation_terms/0/cancellation_fee/percentage", json!("30")),
        ),
        case(
            "time-zone-doubled",
            ON,
            |m| start(m, "2026-02-01T10:00:00Z+5:30"),
            START_PATH,
            (START, json!("2026-02-01T10:00:00+05:30")),
        ),
        case(
            "time-without-zone",
            ON,
            |m| start(m, "2026-02-01 10:00"),
            START_PATH,
            (START, json!("2026-02-01T10:00:00+05:30")),
        ),
        case(
            "time-without-zone",
            ON,
            |m| {
                m["context"]["location"]["country"]["code"] = json!("FRA");
                start(m, "2026-02-01T10:00:00");
            },
            START_PATH,
            (START, json!("2026-02-01T10:00:00Z")),
        ),
        case(
            "time-without-zone",
            ON,
            |m| m["context"]["timestamp"] = json!("2026-01-31"),
            "context.timestamp",
            ("/context/timestamp", json!("2026-01-30T18:30:00Z")),
        ),
        case(
            "time-with-blank",
            ON,
            |m| start(m, "2026-02-01 10:00:00Z"),
            START_PATH,
            (START, json!("2026-02-01T10:00:00Z")),
        ),
        case(
            "time-with-blank",
            ON,
            |m| start(m, "2026-02-01 10:00:00 +0530"),
            START_PATH,
            (START, json!("2026-02-01T10:00:00+0530")),
        ),
        case(
            "time-of-day",
            ON,
            |m| start(m, "0000-00-00T10:00:00Z"),
            START_PATH,
            ("/message/order/fulfillments/0/stops/0/time/range/start_as_sent", json!("0000-00-00T10:00:00Z")),
        ),
        case(
            "time-of-day",
            ON,
            |m| start(m, "10:00"),
            START_PATH,
            ("/message/order/fulfillments/0/stops/0/time/range/start_as_sent", json!("10:00")),
        ),
        case("gps-form", ON, |m| gps(m, "12.9716° N, 77.5946° E"), GPS_PATH, (GPS, json!("12.9716,77.5946"))),
        case("gps-form", ON, |m| gps(m, "33.86 S,151.21° E"), GPS_PATH, (GPS, json!("-33.86,151.21"))),
        case("gps-form", ON, |m| gps(m, " 12.9716 , 77.5946 "), GPS_PATH, (GPS, json!("12.9716,77.5946"))),
        case(
            "single-for-list",
            ON,
            |m| m["message"]["order"]["fulfillments"][0]["agent"]["person"]["creds"] = json!({"id": "reg-1"}),
            "message.order.fulfillments[0].agent.person.creds",
            ("/message/order/fulfillments/0/agent/person/creds", json!([{"id": "reg-1"}])),
        ),
        case(
            "singular-for-plural",
            ON,
            |m| {
                let order = m["message"]["order"].as_object_mut().unwrap();
                let items = order.remove("items").unwrap();
                order.insert("item".to_owned(), items[0].clone());
            },
            "message.order.item",
            ("/message/order/items/0/id", json!("visit")),
        ),
        case(
            "singular-for-plural",
            Action::Rating,
            |m| m["message"] = json!({"rating": {"id": "a-1", "value": "5"}}),
            "message.rating",
            ("/message/ratings/0/id", json!("a-1")),
        ),
    ]
}

#[test]
fn each_known_fault_is_refused_strictly_and_settled_otherwise() {
    for Case { id, verb, spoil, path, settled: (pointer, expected) } in cases() {
        let mut sent = message(verb);
        spoil(&mut sent);

        let fault = read_value(&sent, verb, Reading::Strict).unwrap_err();
        assert_eq!(fault.path, path, "{id}");
        assert!(fault.message.contains(id), "{id}: {fault}");

        let envelope = read_value(&sent, verb, Reading::Compat).unwrap_or_else(|fault| panic!("{id}: {fault}"));
        assert_eq!(envelope.tolerated, [Tolerated { id, path: path.to_owned() }], "{id}");
        let read = json!({"context": envelope.context, "message": envelope.message});
        assert_eq!(read.pointer(pointer).unwrap_or(&Value::Null), &expected, "{id}");
    }
}

#[test]
fn every_known_fault_has_a_case_and_a_name_of_its_own() {
    let listed: Vec<_> = KNOWN_FAULTS.iter().map(|fault| fault.id).collect();
    let unique: BTreeSet<_> = listed.iter().copied().collect();
    assert_eq!(unique.len(), listed.len());
    let tested: BTreeSet<_> = cases().iter().map(|case| case.id).collect();
    assert_eq!(tested, unique);
    assert!(KNOWN_FAULTS.iter().all(|fault| fault.sentence.ends_with('.')));
}

#[test]
fn several_faults_are_settled_together() {
    let mut sent = message(Action::Status);
    sent["context"] = json!({
        "domain": "nic2004:85110", "country": "IND", "city": "std:080", "core_version": "0.9.4", "action": "status",
        "bap_id": "https://bap.example/", "bap_url": "https://bap.example/x", "message_id": "m 1",
        "timestamp": "2026-01-31T15:00:00", "ttl": 10
    });
    let envelope = read_value(&sent, Action::Status, Reading::Compat).unwrap();
    let settled: Vec<_> = envelope.tolerated.iter().map(|tolerated| tolerated.id).collect();
    assert_eq!(
        settled,
        [
            "core-version",
            "flat-country",
            "flat-city",
            "bap-url",
            "bap-id-is-url",
            "transaction-id-missing",
            "message-id-not-uuid",
            "bpp-id-missing",
            "bpp-uri-missing",
            "time-without-zone",
            "ttl-in-seconds"
        ]
    );
    let context = envelope.context;
    assert_eq!(context.timestamp.unwrap().to_string(), "2026-01-31T09:30:00Z");
    assert_eq!((context.country_code(), context.city_code()), (Some("IND"), Some("std:080")));
    assert_eq!(context.extra.len(), 0);
}

#[test]
fn a_fault_that_could_mean_two_things_is_not_settled() {
    for (pointer, wrong) in
        [("/context/bap_id", json!("https://user@evil.example/")), ("/context/bap_id", json!("https://"))]
    {
        let mut sent = message(Action::Status);
        *sent.pointer_mut(pointer).unwrap() = wrong;
        let envelope = read_value(&sent, Action::Status, Reading::Compat).unwrap();
        // It stays what it is: an id no registry knows.
        assert!(envelope.context.bap_id.unwrap().as_str().starts_with("https://"));
    }
    for text in ["-12.9° S, 77.5° E", "N, E", "91° N, 0° E", "12.9,77.5,3"] {
        let mut sent = message(Callback::OnConfirm);
        gps(&mut sent, text);
        assert!(read_value(&sent, Callback::OnConfirm, Reading::Compat).is_err(), "{text}");
    }
    for text in ["tomorrow", "2026-13-01", "10", "10:00 am", "2026-02-01T25:00", "2026-02-30"] {
        let mut sent = message(Callback::OnConfirm);
        start(&mut sent, text);
        assert!(read_value(&sent, Callback::OnConfirm, Reading::Compat).is_err(), "{text}");
    }
    // A time of day is no timestamp a message could do with.
    let mut sent = message(Action::Status);
    sent["context"]["timestamp"] = json!("10:00");
    assert_eq!(read_value(&sent, Action::Status, Reading::Compat).unwrap_err().path, "context.timestamp");
    // Both names at once: neither wins silently.
    let mut sent = message(Callback::OnConfirm);
    sent["message"]["order"]["item"] = json!([{"id": "other"}]);
    let envelope = read_value(&sent, Callback::OnConfirm, Reading::Compat).unwrap();
    assert_eq!(envelope.tolerated, []);
    assert_eq!(envelope.message::<OrderMessage>().unwrap().order.items[0].id.as_ref().unwrap().as_str(), "visit");
}
