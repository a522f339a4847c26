//! What our network sends, against the schema of Beckn 1.1.0 as it was published.

use std::collections::BTreeMap;

use beckn_health_protocol::action::{Action, Callback};
use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::flow::Flow;
use crate::{published, yaml};

const FILE: &str = "data/beckn-core-1.1.0/transaction.yaml";
const SCHEMAS: &str = "#/components/schemas/";

/// A schema of the document as JSON Schema: its own part, with all components beside it.
fn validator(document: &Value, schema: &Value, formats: bool) -> Validator {
    let mut whole = schema.as_object().cloned().unwrap_or_else(|| panic!("{FILE}: no such schema"));
    whole.insert("$defs".to_owned(), document["components"]["schemas"].clone());
    let mut whole = Value::Object(whole);
    localise(&mut whole);
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(formats)
        .build(&whole)
        .unwrap_or_else(|error| panic!("{FILE}: {error}"))
}

/// Lets every reference to a component point to where it is now. OpenAPI 3.0 ignores what stands beside
/// a `$ref`, so that goes.
fn localise(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if let Some(name) = object.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix(SCHEMAS)) {
                let local = json!(format!("#/$defs/{name}"));
                *object = Map::from_iter([("$ref".to_owned(), local)]);
            }
            object.values_mut().for_each(localise);
        }
        Value::Array(items) => items.iter_mut().for_each(localise),
        _ => {}
    }
}

fn request<'a>(document: &'a Value, action: &str) -> &'a Value {
    &document["paths"][format!("/{action}")]["post"]["requestBody"]["content"]["application/json"]["schema"]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_of_our_network_fits_the_published_schema() {
    let Some(text) = published::text(FILE) else { return };
    let document = yaml::parse(&text);
    let flow = Flow::run().await;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for message in &flow.messages {
        let action = message["context"]["action"].as_str().unwrap();
        *counts.entry(action.to_owned()).or_default() += 1;
        for formats in [false, true] {
            let validator = validator(&document, request(&document, action), formats);
            let errors = validator.iter_errors(message);
            wrong.extend(
                errors.map(|error| format!("{action} (formats {formats}) at {}: {error}", error.instance_path())),
            );
        }
    }
    let acknowledgement = &document["paths"]["/init"]["post"]["responses"]["default"]["content"]["application/json"];
    let validator = validator(&document, &acknowledgement["schema"], true);
    for refusal in &flow.refusals {
        assert_eq!(refusal["message"]["ack"]["status"], "NACK");
        wrong.extend(validator.iter_errors(refusal).map(|error| format!("NACK at {}: {error}", error.instance_path())));
    }
    eprintln!("{} messages and {} refusals validated: {counts:?}", flow.messages.len(), flow.refusals.len());
    assert!(wrong.is_empty(), "{} violations:\n  {}", wrong.len(), wrong.join("\n  "));
    for name in Action::ALL.map(Action::as_str).into_iter().chain(Callback::ALL.map(Callback::as_str)) {
        assert!(counts.contains_key(name), "no {name} was sent");
    }
}

#[test]
fn the_schema_refuses_what_it_should() {
    let Some(text) = published::text(FILE) else { return };
    let document = yaml::parse(&text);
    let message = |timestamp: &str, status: &str| {
        json!({ "context": { "action": "on_status", "timestamp": timestamp },
            "message": { "order": { "status": status, "fulfillments": [{ "stops": [{ "location": { "gps": "12.9,77.5" } }] }] } } })
    };
    let (loose, exact) = (
        validator(&document, request(&document, "on_status"), false),
        validator(&document, request(&document, "on_status"), true),
    );
    let good = message("2026-11-23T04:00:00Z", "ACTIVE");
    assert!(loose.is_valid(&good) && exact.is_valid(&good));
    let undated = message("this morning", "ACTIVE");
    assert!(loose.is_valid(&undated) && !exact.is_valid(&undated));
    assert!(!loose.is_valid(&message("2026-11-23T04:00:00Z", "PERHAPS")));
    let mut misplaced = good;
    misplaced["message"]["order"]["fulfillments"][0]["stops"][0]["location"]["gps"] = json!("here");
    assert!(!loose.is_valid(&misplaced));
}
