//! What the component objects promise together.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

fn survives<T: DeserializeOwned + serde::Serialize>(value: &Value) {
    let read: T = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(&serde_json::to_value(&read).unwrap(), value);
}

#[test]
fn an_order_survives_a_round_trip() {
    survives::<Order>(&json!({
        "id": "o-1",
        "status": "ON-HOLD",
        "type": "DRAFT",
        "provider": {"id": "p-1", "ttl": 30},
        "items": [{
            "id": "i-1",
            "price": {"currency": "INR", "value": "300.50", "note": "kept"},
            "fulfillment_ids": ["f-1"],
            "xinput": {"form": {"url": "https://forms.example/1", "data": {"a": "b"}}},
            "ttl": "PT15M"
        }],
        "billing": {"name": "A", "phone": "1"},
        "fulfillments": [{
            "id": "f-1",
            "type": "OPD",
            "customer": {"person": {"name": "A", "age": "26", "creds": [{"id": "c"}]}},
            "stops": [{
                "location": {"gps": "12.50, 77.60", "radius": {"value": "5", "unit": "km"}, "3dspace": "x"},
                "type": "start",
                "time": {"timestamp": "2026-01-31T09:30:00Z", "range": {"start": "2026-01-31T09:30:00Z"}}
            }]
        }],
        "cancellation": {"cancelled_by": "CONSUMER"},
        "quote": {"price": {"value": "300.50"}, "ttl": "PT5M"},
        "payments": [{"params": {"amount": "300.50", "url": "payto:x"}, "type": "PRE-ORDER", "status": "PENDING"}],
        "docs": [1, 2, {"x": null}]
    }));
}

#[test]
fn instants_are_written_in_utc() {
    let time: Time = serde_json::from_value(json!({"timestamp": "2026-01-31T15:00:00+05:30"})).unwrap();
    assert_eq!(serde_json::to_value(time).unwrap(), json!({"timestamp": "2026-01-31T09:30:00Z"}));
}

#[test]
fn money_keeps_its_digits() {
    let price: Price = serde_json::from_value(json!({"value": "0.10"})).unwrap();
    assert_eq!(price.value.unwrap().to_string(), "0.10");
    assert!(serde_json::from_value::<Price>(json!({"value": "ten"})).is_err());
}

#[test]
fn positions_are_checked_and_kept_as_written() {
    for good in ["12.9716,77.5946", "12.50, 77.60", "-90,180", "+0.0,-0.0"] {
        assert_eq!(Gps::parse(good).unwrap().as_str(), good);
    }
    for bad in [
        "",
        "12.9",
        "91,0",
        "0,181",
        "12.9,77.6,1",
        "1e1,0",
        "inf,0",
        "NaN,0",
        "12.9716° N, 77.5946° E",
        ".5,1",
        "5.,1",
        "1 ,2",
    ] {
        assert!(Gps::parse(bad).is_err(), "{bad}");
    }
    assert!(Gps::new(f64::NAN, 0.0).is_err());
    let position = Gps::new(12.5, 77.25).unwrap();
    assert_eq!((position.as_str(), position.latitude(), position.longitude()), ("12.5,77.25", 12.5, 77.25));
}

#[test]
fn debug_shows_no_personal_or_health_data() {
    let order: Order = serde_json::from_value(json!({
        "id": "order-7",
        "items": [{"id": "item-7", "descriptor": {"name": "SECRET medicine"}, "tags": [{"list": [{"value": "SECRET"}]}]}],
        "billing": {"name": "SECRET", "phone": "SECRET", "note": "SECRET"},
        "fulfillments": [{
            "customer": {"person": {"name": "SECRET"}, "contact": {"phone": "SECRET"}},
            "agent": {"person": {"name": "SECRET"}},
            "stops": [{
                "location": {"gps": "12.123456,77.5", "address": "SECRET"},
                "authorization": {"token": "SECRET"},
                "person": {"name": "SECRET"}
            }],
            "note": "SECRET"
        }],
        "payments": [{"params": {"bank_account_number": "SECRET"}}],
        "docs": ["SECRET"],
    }))
    .unwrap();
    let shown = format!("{order:?}");
    assert!(!shown.contains("SECRET") && !shown.contains("12.123456"), "{shown}");
    assert!(shown.contains("order-7") && shown.contains("item-7") && shown.contains("docs"), "{shown}");
}

#[test]
fn unknown_names_survive() {
    assert_eq!(PaymentStatus::parse("PAID"), PaymentStatus::Paid);
    let payment: Payment = serde_json::from_value(json!({"status": "REFUNDED"})).unwrap();
    assert_eq!(payment.status, Some(PaymentStatus::Other("REFUNDED".to_owned())));
}
