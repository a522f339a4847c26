//! The ten actions of a BAP that we did not write, straight at our BPP.

use beckn_health::network::identity::Role;
use beckn_health_domain::order::{Event, State};
use beckn_health_platform::store::orders::Orders;
use beckn_health_platform::store::table;
use beckn_health_tests::fixture::{self, FIRST, HEART};
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::Stranger;
use beckn_health_tests::{fresh_id, within};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::booking::{assert_first_slot, assert_quote_of_cons_01};

/// What happens at the provider's desk, of which no message tells.
async fn at_the_desk(network: &TestNetwork, order_id: &str, event: Event) {
    let deps = network.role(Role::Bpp);
    let orders = Orders::new(deps.tables.clone());
    let stored = orders.find(order_id).await.unwrap().unwrap();
    let next = stored.order.apply(event, network.now()).unwrap();
    within("the order to change", deps.tables.commit(vec![orders.replace(&stored, &next, &stored.details)]))
        .await
        .unwrap();
}

fn code(order: &Value) -> &Value {
    &order["message"]["order"]["fulfillments"][0]["state"]["descriptor"]["code"]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_action_gets_its_callback() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let transaction = fresh_id();
    let tx = transaction.as_str();

    let search = bap.message_in(tx, "search", json!({ "intent": { "provider": { "id": HEART } } }));
    let found = bap.ask(&search).await;
    assert_eq!(fixture::items(&found).len(), 3);
    // A callback repeats the ids of its request and says who answers.
    for same in ["transaction_id", "message_id", "bap_id", "bap_uri", "domain", "version", "ttl"] {
        assert_eq!(found["context"][same], search["context"][same], "{same}");
    }
    assert_eq!(found["context"]["action"], "on_search");
    assert_eq!(found["context"]["bpp_id"], network.id(Role::Bpp).as_str());
    assert_eq!(found["context"]["bpp_uri"], format!("{}/bpp", network.url()).as_str());

    let selected = bap.ask_in(tx, "select", fixture::selection(FIRST)).await;
    assert_first_slot(&selected["message"]["order"]);
    let held = bap.ask_in(tx, "init", fixture::booking(FIRST)).await;
    assert_quote_of_cons_01(&held["message"]["order"]);
    assert_eq!(code(&held), "slot-booked");
    // A confirm may name the order by its transaction alone.
    let confirmed = bap.ask_in(tx, "confirm", json!({ "order": {} })).await;
    assert_eq!(code(&confirmed), "slot-confirmed");
    let order_id = confirmed["message"]["order"]["id"].as_str().unwrap().to_owned();
    let by_id = json!({ "order_id": order_id });

    let tracking = bap.ask_in(tx, "track", by_id.clone()).await;
    assert_eq!(tracking["message"]["tracking"]["status"], "active");
    let support = bap.ask_in(tx, "support", json!({ "support": { "ref_id": order_id } })).await;
    assert_eq!(support["message"]["support"]["order_id"], order_id.as_str());
    let update =
        json!({ "update_target": "order.billing", "order": { "id": order_id, "billing": { "name": "Somebody" } } });
    assert_eq!(bap.ask_in(tx, "update", update).await["message"]["order"]["billing"], json!({ "name": "Somebody" }));

    // What would change without being named is refused whole.
    let update = json!({ "update_target": "order.billing", "order": { "id": order_id, "billing": { "name": "Else" },
        "fulfillments": [{ "customer": { "person": { "name": "Else" } } }] } });
    let refused = bap.ask_in(tx, "update", update).await;
    assert_eq!(refused["error"]["code"], "30013");
    assert_eq!(refused["error"]["paths"], "message.order.fulfillments[0].customer");
    let status = bap.ask_in(tx, "status", by_id.clone()).await;
    assert_eq!(status["message"]["order"]["billing"], json!({ "name": "Somebody" }));

    let cancelled = bap.ask_in(tx, "cancel", by_id.clone()).await;
    assert_eq!(code(&cancelled), "slot-cancelled");
    let again = bap.ask_in(tx, "cancel", by_id.clone()).await;
    assert_eq!((&again["error"]["code"], &again["error"]["paths"]), (&json!("50001"), &json!("message.order_id")));
    let tracking = bap.ask_in(tx, "track", by_id).await;
    assert_eq!(tracking["message"]["tracking"]["status"], "inactive");

    // Everything that came is signed by our BPP, over the bytes that came.
    let deps = network.role(Role::Bpp);
    let key = deps.participant.keys.held().unwrap().active().signing.verifying_key();
    for received in bap.received() {
        use beckn_health_protocol::signature::{AuthorizationHeader, verify};
        let header = AuthorizationHeader::parse(received.headers["authorization"].to_str().unwrap()).unwrap();
        assert_eq!(header.key_id.subscriber_id, deps.participant.subscriber_id);
        verify(&header, &received.body, &key).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consultation_that_took_place_is_rated() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let transaction = fresh_id();
    let tx = transaction.as_str();
    let held = bap.ask_in(tx, "init", fixture::booking(FIRST)).await;
    let order_id = held["message"]["order"]["id"].as_str().unwrap().to_owned();
    let refused = bap.ask_in(tx, "track", json!({ "order_id": order_id })).await;
    assert_eq!(refused["error"]["code"], "40005", "a hold cannot be tracked");
    bap.ask_in(tx, "confirm", fixture::confirmation(&order_id)).await;

    let rating = |category: &str, id: &str, value: &str| json!({ "ratings": [{ "rating_category": category, "id": id, "value": value }] });
    let early = bap.ask_in(tx, "rating", rating("Agent", "p-asha", "5")).await;
    assert_eq!(early["error"]["code"], "50003");

    let start: Timestamp = "2026-11-23T04:30:00Z".parse().unwrap();
    network.set(start);
    at_the_desk(&network, &order_id, Event::StartConsultation).await;
    let status = bap.ask_in(tx, "status", json!({ "order_id": order_id })).await;
    assert_eq!(code(&status), "appointment-in-progress");
    let refused = bap.ask_in(tx, "cancel", json!({ "order_id": order_id })).await;
    assert_eq!(refused["error"]["code"], "50001");
    network.advance(SignedDuration::from_mins(20));
    at_the_desk(&network, &order_id, Event::Complete).await;
    let status = bap.ask_in(tx, "status", json!({ "order_id": order_id })).await;
    assert_eq!(code(&status), "appointment-completed");
    assert_eq!(status["message"]["order"]["status"], "COMPLETE");

    let before = network.rows().await;
    for (ratings, code, path) in [
        (rating("Agent", "p-bharat", "5"), "30014", "message.ratings[0].id"),
        (rating("Item", "gen-01", "5"), "30014", "message.ratings[0].id"),
        (rating("Agent", "p-asha", "6"), "30015", "message.ratings[0].value"),
        (rating("Agent", "p-asha", "lots"), "30015", "message.ratings[0].value"),
        (rating("Weather", "x", "5"), "50003", "message.ratings[0].rating_category"),
        (json!({ "ratings": [] }), "30000", "message.ratings"),
        (json!({}), "30000", "message.ratings"),
    ] {
        let refused = bap.ask_in(tx, "rating", ratings.clone()).await;
        let found = (&refused["error"]["code"], &refused["error"]["paths"]);
        assert_eq!(found, (&json!(code), &json!(path)), "{ratings}");
    }
    // Only the claims on the refused messages are new.
    assert_eq!(network.rows().await.without(table::REPLIES), before.without(table::REPLIES));

    let all = json!({ "ratings": [
        { "rating_category": "Order", "id": order_id, "value": "4" },
        { "rating_category": "Agent", "id": "p-asha", "value": "5" },
        { "rating_category": "Provider", "id": HEART, "value": "3" },
        { "rating_category": "Item", "id": "cons-01", "value": "4" },
        { "rating_category": "Fulfillment", "id": FIRST, "value": "5" },
        { "rating_category": "Support", "id": order_id, "value": "2" },
    ] });
    let rated = bap.ask_in(tx, "rating", all).await;
    assert_eq!(rated["error"], Value::Null);
    assert!(rated["message"].is_object());
    assert_eq!(network.rows().await.count_with(table::ORDERS, &[&order_id, "rating#"]), 6);
    let orders = Orders::new(network.role(Role::Bpp).tables.clone());
    let stored = orders.find(&order_id).await.unwrap().unwrap();
    assert!(matches!(stored.order.state(), State::Completed { .. }), "a rating changes no order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_without_contact_has_no_support() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let transaction = fresh_id();
    let init = json!({ "order": { "provider": { "id": fixture::GREEN }, "items": [{ "id": "derm-01" }] } });
    let held = bap.ask_in(&transaction, "init", init).await;
    assert_eq!(held["message"]["order"]["quote"]["price"]["value"], "890");
    let order_id = held["message"]["order"]["id"].as_str().unwrap();
    let refused = bap.ask_in(&transaction, "support", json!({ "support": { "order_id": order_id } })).await;
    assert_eq!(refused["error"]["code"], "50004");
    assert_eq!(refused["error"]["paths"], "message.support.order_id");
    let refused = bap.ask_in(&transaction, "support", json!({ "support": {} })).await;
    assert_eq!(refused["error"]["code"], "30000");
}
