//! Search by every criterion, alone and combined.

use std::collections::BTreeSet;

use beckn_health_tests::fixture::{self, FIRST, HEART, NEAR_HEART};
use beckn_health_tests::network::{Setup, TestNetwork};
use beckn_health_tests::stranger::Stranger;
use serde_json::{Value, json};

async fn search(bap: &Stranger, intent: Value) -> Value {
    bap.ask(&bap.message("search", json!({ "intent": intent }))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_criterion_alone_and_combined() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let person = |person: Value| json!({ "fulfillment": { "agent": { "person": person } } });
    let stops = |stops: Value| json!({ "fulfillment": { "stops": stops } });
    let tag =
        |code: &str, value: &str| json!({ "tags": [{ "list": [{ "descriptor": { "code": code }, "value": value }] }] });
    let near =
        |radius: &str| json!([{ "location": { "gps": NEAR_HEART, "radius": { "value": radius, "unit": "km" } } }]);
    const ALL: &[&str] = &["cons-01", "cons-01-tele", "gen-01", "derm-01", "ayu-01"];
    let cases: Vec<(&str, Value, &[&str])> = vec![
        ("nothing asked", json!({}), ALL),
        ("speciality", json!({ "category": { "descriptor": { "name": "Cardiology" } } }), &["cons-01", "cons-01-tele"]),
        ("speciality by code", json!({ "category": { "descriptor": { "code": "dermatology" } } }), &["derm-01"]),
        (
            "speciality as an occupation",
            json!({ "category": { "descriptor": { "name": "cardiologist" } } }),
            &["cons-01", "cons-01-tele"],
        ),
        (
            "speciality as a skill",
            person(json!({ "skills": [{ "code": "cardiology" }] })),
            &["cons-01", "cons-01-tele"],
        ),
        ("speciality as a tag", tag("speciality", "dermatology"), &["derm-01"]),
        ("practitioner's name", person(json!({ "name": "asha" })), &["cons-01", "cons-01-tele"]),
        ("practitioner's id", person(json!({ "id": "p-bharat" })), &["gen-01"]),
        ("practitioner's registration", person(json!({ "creds": [{ "id": "chitra.102@hpr.example" }] })), &["derm-01"]),
        ("practitioner's gender", person(json!({ "gender": "male" })), &["gen-01"]),
        ("facility's name", json!({ "provider": { "descriptor": { "name": "green lane" } } }), &["derm-01", "ayu-01"]),
        ("facility's id", json!({ "provider": { "id": HEART } }), &["cons-01", "cons-01-tele", "gen-01"]),
        ("service's id", json!({ "item": { "id": "gen-01" } }), &["gen-01"]),
        ("service's name", json!({ "item": { "descriptor": { "name": "consultation" } } }), ALL),
        ("physical", json!({ "fulfillment": { "type": "OPD" } }), &["cons-01", "gen-01", "derm-01"]),
        ("digital", json!({ "fulfillment": { "type": "DIGITAL-CONSULT" } }), &["cons-01-tele", "ayu-01"]),
        ("a language", person(json!({ "languages": [{ "code": "mal" }] })), &["derm-01"]),
        ("two languages", person(json!({ "languages": [{ "name": "English" }, { "code": "hin" }] })), &["gen-01"]),
        ("languages as a tag", tag("languages", "kan,hin"), &["ayu-01"]),
        ("system of medicine", tag("system_of_medicine", "ayurveda"), &["ayu-01"]),
        (
            "availability as a range",
            stops(json!([{ "time": { "range": { "start": "2026-11-24T03:30:00Z", "end": "2026-11-24T04:00:00Z" } } }])),
            &["gen-01"],
        ),
        (
            "availability as two stops",
            stops(json!([
                { "type": "start", "time": { "timestamp": "2026-11-23T10:30:00Z" } },
                { "type": "end", "time": { "timestamp": "2026-11-23T10:31:00Z" } }
            ])),
            &["ayu-01"],
        ),
        ("radius", stops(near("5")), &["cons-01", "cons-01-tele", "gen-01"]),
        ("a wide radius", stops(near("2000")), ALL),
        ("city", stops(json!([{ "location": { "city": { "code": "std:022" } } }])), &["derm-01", "ayu-01"]),
        (
            "most expensive",
            json!({ "item": { "price": { "maximum_value": "400" } } }),
            &["cons-01-tele", "gen-01", "ayu-01"],
        ),
        (
            "price range",
            json!({ "item": { "price": { "minimum_value": "333.33", "maximum_value": "500" } } }),
            &["cons-01", "cons-01-tele", "ayu-01"],
        ),
        ("rating at least", json!({ "item": { "rating": "4" } }), &["cons-01", "cons-01-tele", "derm-01"]),
        ("rating range", json!({ "fulfillment": { "agent": { "rating": "3.5-4.2" } } }), &["gen-01", "derm-01"]),
        (
            "all at once",
            json!({
                "category": { "descriptor": { "name": "cardiology" } },
                "provider": { "descriptor": { "name": "Tulsi" } },
                "item": { "descriptor": { "name": "consultation" }, "price": { "maximum_value": "450" } },
                "fulfillment": {
                    "type": "TeleConsultation",
                    "agent": { "rating": "4.5", "person": { "name": "Venkat", "gender": "female", "languages": [{ "code": "eng" }] } },
                    "stops": [
                        { "location": { "gps": NEAR_HEART, "radius": { "value": "5000", "unit": "m" } },
                          "time": { "range": { "start": "2026-11-25T00:00:00Z", "end": "2026-11-26T00:00:00Z" } } }
                    ]
                },
                "tags": [{ "list": [{ "descriptor": { "code": "system_of_medicine" }, "value": "Allopathy" }] }]
            }),
            &["cons-01-tele"],
        ),
        (
            "a combination that nobody fits",
            json!({ "category": { "descriptor": { "name": "cardiology" } },
                "tags": [{ "list": [{ "descriptor": { "code": "system_of_medicine" }, "value": "Ayurveda" }] }] }),
            &[],
        ),
        ("a word that nobody bears", person(json!({ "name": "Zebulon" })), &[]),
    ];
    let before = network.rows().await;
    for (what, intent, expected) in cases {
        let found = search(&bap, intent).await;
        assert_eq!(found["error"], Value::Null, "{what}");
        assert!(found["message"]["catalog"].is_object(), "{what}");
        let items: BTreeSet<String> = fixture::items(&found).into_iter().collect();
        assert_eq!(items, expected.iter().map(|item| (*item).to_owned()).collect(), "{what}");
    }
    // The place of the context counts when the intent names none.
    let mut message = bap.message("search", json!({ "intent": {} }));
    message["context"]["location"] = json!({ "country": { "code": "IND" }, "city": { "code": "std:022" } });
    let found = bap.ask(&message).await;
    assert_eq!(
        fixture::items(&found).into_iter().collect::<BTreeSet<_>>(),
        ["derm-01".to_owned(), "ayu-01".to_owned()].into()
    );
    network.idle().await;
    assert_eq!(network.rows().await, before, "a search writes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_shows_only_its_own_slots_and_taken_ones_are_not_shown() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let intent = json!({ "item": { "id": "cons-01" }, "fulfillment": { "stops": [
        { "time": { "range": { "start": "2026-11-23T04:30:00Z", "end": "2026-11-23T05:30:00Z" } } }] } });
    let slots = |found: &Value| -> Vec<String> {
        let shown = found["message"]["catalog"]["providers"][0]["fulfillments"].as_array().cloned().unwrap_or_default();
        shown.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(slots(&search(&bap, intent.clone()).await), [FIRST, fixture::SECOND]);
    bap.ask(&bap.message("init", fixture::booking(FIRST))).await;
    assert_eq!(slots(&search(&bap, intent.clone()).await), [fixture::SECOND]);
    bap.ask(&bap.message("init", fixture::booking(fixture::SECOND))).await;
    assert!(fixture::items(&search(&bap, intent.clone()).await).is_empty(), "nothing is free in that hour");
    // Holds that lapsed are free slots again, with nobody sweeping.
    network.advance(jiff::SignedDuration::from_secs(601));
    assert_eq!(slots(&search(&bap, intent).await), [FIRST, fixture::SECOND]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_criterion_that_cannot_be_understood_is_named() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let at = |location: Value| json!({ "fulfillment": { "stops": [{ "location": location }] } });
    for (intent, path) in [
        (json!({ "fulfillment": { "type": "by pigeon" } }), "message.intent.fulfillment.type"),
        (json!({ "item": { "rating": "very good" } }), "message.intent.item.rating"),
        (json!({ "item": { "price": { "minimum_value": "2", "maximum_value": "1" } } }), "message.intent.item.price"),
        (json!({ "provider": { "id": "a b" } }), "message.intent.provider.id"),
        (
            at(json!({ "gps": NEAR_HEART, "radius": { "value": "0", "unit": "km" } })),
            "message.intent.fulfillment.stops[0].location.radius",
        ),
        (
            at(json!({ "gps": NEAR_HEART, "radius": { "value": "1", "unit": "furlong" } })),
            "message.intent.fulfillment.stops[0].location.radius.unit",
        ),
        (
            json!({ "fulfillment": { "agent": { "person": { "languages": [{ "code": "Not a language" }] } } } }),
            "message.intent.fulfillment.agent.person.languages[0]",
        ),
    ] {
        let answer = search(&bap, intent.clone()).await;
        let found = (&answer["error"]["code"], &answer["error"]["paths"]);
        assert_eq!(found, (&json!("30000"), &json!(path)), "{intent}");
        assert_eq!(answer["message"], Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_capped_and_always_in_the_same_order() {
    let catalogue = beckn_health::commands::shipped_catalogue().ok().unwrap();
    let network = TestNetwork::with(Setup { catalogue: Some(catalogue), ..Setup::default() }).await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let intent = json!({ "item": { "descriptor": { "name": "consultation" } } });
    let first = search(&bap, intent.clone()).await;
    assert_eq!(fixture::items(&first).len(), 20);
    for _ in 0..3 {
        assert_eq!(search(&bap, intent.clone()).await["message"], first["message"]);
    }
    // With a point, the nearest come first.
    let near = json!({ "fulfillment": { "stops": [{ "location": { "gps": "12.94,77.60", "radius": { "value": "3", "unit": "km" } } }] } });
    let found = search(&bap, near.clone()).await;
    let providers = found["message"]["catalog"]["providers"].as_array().unwrap();
    let distances: Vec<f64> = providers
        .iter()
        .map(|provider| {
            let tags = provider["items"][0]["tags"][0]["list"].as_array().unwrap();
            let distance = tags.iter().find(|tag| tag["descriptor"]["code"] == "distance_km").unwrap();
            distance["value"].as_str().unwrap().parse().unwrap()
        })
        .collect();
    assert!(!distances.is_empty() && distances.is_sorted() && distances.iter().all(|km| *km <= 3.0), "{distances:?}");
    assert_eq!(search(&bap, near).await["message"], found["message"]);
}
