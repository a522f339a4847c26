//! The small catalogue of the journeys, and the orders they make from it.
//!
//! Two facilities in two cities, four practitioners, five services, all in Indian time.

use beckn_health_domain::catalogue::Catalogue;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The facility with a help desk, in `std:080`.
pub const HEART: &str = "289edce4-d002-4962-b311-4c025e22b4f6";
/// The facility without one, in `std:022`.
pub const GREEN: &str = "green-lane";
/// A point close to [`HEART`].
pub const NEAR_HEART: &str = "12.423423,77.325647";
/// Dr Asha's first slot on the Monday, 10:00 in India.
pub const FIRST: &str = "cons-01@20261123T043000Z";
/// Her second.
pub const SECOND: &str = "cons-01@20261123T050000Z";
/// Her third.
pub const THIRD: &str = "cons-01@20261123T053000Z";

/// Monday, 23 November 2026, 08:30 in India: before anybody's first slot.
pub fn monday() -> Timestamp {
    "2026-11-23T03:00:00Z".parse().unwrap()
}

/// The catalogue.
pub fn catalogue() -> Catalogue {
    Catalogue::parse(include_bytes!("catalogue.json")).unwrap()
}

/// `message` of a `select` of one slot at [`HEART`].
pub fn selection(fulfillment: &str) -> Value {
    let item = fulfillment.split('@').next().unwrap();
    json!({ "order": { "provider": { "id": HEART }, "items": [{ "id": item }], "fulfillments": [{ "id": fulfillment }] } })
}

/// `message` of an `init` of one slot at [`HEART`], with everything a patient gives.
pub fn booking(fulfillment: &str) -> Value {
    let mut message = selection(fulfillment);
    message["order"]["billing"] = billing();
    message["order"]["fulfillments"][0]["customer"] = customer();
    message
}

/// A payer.
pub fn billing() -> Value {
    json!({ "name": "Nila Raman", "address": "7 Canal Street, Tulsipur", "email": "nila@mail.example", "phone": "+91-5550-111" })
}

/// A patient.
pub fn customer() -> Value {
    json!({
        "person": { "name": "Nila Raman", "age": "41", "gender": "female" },
        "contact": { "phone": "+91-5550-111" }
    })
}

/// `message` of a `confirm` of an order.
pub fn confirmation(order_id: &str) -> Value {
    json!({ "order": { "id": order_id } })
}

/// The items of an `on_search`, in its order.
pub fn items(callback: &Value) -> Vec<String> {
    let providers = callback["message"]["catalog"]["providers"].as_array().cloned().unwrap_or_default();
    let items = providers.iter().flat_map(|provider| provider["items"].as_array().cloned().unwrap_or_default());
    items.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}
