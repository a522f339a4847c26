//! The forms of a subscription and of a lookup.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use serde_json::{Value, json};

use super::*;

fn specified() -> Value {
    json!({
        "subscriber_id": "bpp.example",
        "url": "https://bpp.example/beckn",
        "type": "BPP",
        "domain": "dhp:consultation:0.1.0",
        "location": {"country": {"code": "IND"}, "city": {"code": "std:080"}},
        "key_id": "k-1",
        "signing_public_key": "s",
        "encr_public_key": "e",
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": "2027-01-01T00:00:00Z",
        "status": "SUBSCRIBED",
        "created": "2026-01-01T00:00:00Z",
        "updated": "2026-01-01T00:00:00Z",
        "nonce": "kept"
    })
}

#[test]
fn the_specified_form_survives() {
    let entry = Subscription::from_value(specified()).unwrap();
    assert_eq!(serde_json::to_value(&entry).unwrap(), specified());
    assert_eq!(serde_json::from_value::<Subscription>(specified()).unwrap(), entry);
}

#[test]
fn every_deployed_form_reads_as_the_specified_one() {
    let expected = Subscription::from_value(specified()).unwrap();
    for key in ["key_id", "unique_key_id", "ukId", "pub_key_id"] {
        for url in ["url", "subscriber_url", "cb_url"] {
            let entry = json!({
                "subscriber_id": "bpp.example",
                url: "https://bpp.example/beckn",
                "type": "bpp",
                "domain": "dhp:consultation:0.1.0",
                "country": "IND",
                "city": "std:080",
                key: "k-1",
                "signing_public_key": "s",
                "encryption_public_key": "e",
                "valid_from": 1_767_225_600,
                "valid_until": "2027-01-01T00:00:00",
                "status": "Subscribed",
                "created": 1_767_225_600_000_i64,
                "updated": "2026-01-01",
                "nonce": "kept"
            });
            assert_eq!(Subscription::from_value(entry).unwrap(), expected, "{key} {url}");
        }
    }
    let mut text_places = specified();
    text_places["location"] = json!({"country": "IND", "city": "std:080"});
    assert_eq!(Subscription::from_value(text_places).unwrap(), expected);
}

#[test]
fn what_cannot_be_read_is_named() {
    let fault = Subscription::from_value(json!({"valid_until": "soon"})).unwrap_err();
    assert_eq!(fault.path, "valid_until");
    let listed = Listed::parse(br#"[{}, {"subscriber_id": 7}, {"domain": "d"}]"#).unwrap();
    let readable = |domain: Option<&str>| Subscription { domain: domain.map(str::to_owned), ..Subscription::default() };
    assert_eq!(listed.entries, [readable(None), readable(Some("d"))]);
    assert_eq!(listed.unreadable.iter().map(|fault| fault.path.as_str()).collect::<Vec<_>>(), ["[1].subscriber_id"]);
    assert_eq!(Listed::parse(br#"[{"subscriber_id": 7}]"#).unwrap_err().path, "[0].subscriber_id");
    assert!(Listed::parse(b"7").is_err());
    assert_eq!(Listed::parse(b"[]").unwrap(), Listed::default());
    assert_eq!(Subscription::from_value(json!({"city": "", "url": null})).unwrap(), Subscription::default());
}

#[test]
fn a_place_that_is_not_told_is_every_place() {
    for place in [json!({"code": ""}), json!({"code": null}), json!({}), json!(""), Value::Null] {
        for entry in [json!({"location": {"city": place}}), json!({"city": place})] {
            let row = Subscription::from_value(entry.clone()).unwrap();
            let asked = LookupRequest { city: Some("std:080".to_owned()), ..LookupRequest::default() };
            assert!(asked.matches(&row), "{entry}");
            assert_eq!(LookupRequest::from(row), LookupRequest::default(), "{entry}");
        }
    }
    // What is told in one form stands, whatever the other leaves out.
    let row = Subscription::from_value(json!({"city": "std:080", "location": {"city": ""}})).unwrap();
    assert_eq!(LookupRequest::from(row).city.as_deref(), Some("std:080"));
}

#[test]
fn an_entry_is_in_force_between_its_times() {
    let entry = Subscription::from_value(specified()).unwrap();
    let at = |text: &str| entry.is_in_force(text.parse().unwrap());
    assert!(at("2026-01-01T00:00:00Z") && at("2026-12-31T23:59:59Z"));
    assert!(!at("2025-12-31T23:59:59Z") && !at("2027-01-01T00:00:00Z"));
    let expired = Subscription { status: Some(SubscriptionStatus::Expired), ..entry };
    assert!(!expired.is_in_force("2026-06-01T00:00:00Z".parse().unwrap()));
}

#[test]
fn a_lookup_asks_for_any_combination() {
    let entry = Subscription::from_value(specified()).unwrap();
    let matches = |body: &str| LookupRequest::parse(body.as_bytes()).unwrap().matches(&entry);
    for body in [
        "{}",
        r#"{"subscriber_id":"bpp.example","ukId":"k-1"}"#,
        r#"{"type":"bpp","domain":"dhp:consultation:0.1.0"}"#,
        r#"{"city":"std:080","country":"IND"}"#,
        r#"{"location":{"city":{"code":"std:080"}}}"#,
    ] {
        assert!(matches(body), "{body}");
    }
    for body in [
        r#"{"subscriber_id":"other.example"}"#,
        r#"{"unique_key_id":"k-2"}"#,
        r#"{"type":"BAP"}"#,
        r#"{"domain":"retail"}"#,
        r#"{"city":"std:011"}"#,
    ] {
        assert!(!matches(body), "{body}");
    }
    let asked = LookupRequest { city: Some("std:080".to_owned()), ..LookupRequest::default() };
    assert_eq!(serde_json::to_string(&asked).unwrap(), r#"{"city":"std:080"}"#);
    assert_eq!(serde_json::from_str::<LookupRequest>(r#"{"city":"std:080"}"#).unwrap(), asked);
    // An entry without a place operates everywhere.
    assert!(asked.matches(&Subscription { location: None, ..entry }));
}
