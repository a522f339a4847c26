//! What is acknowledged and then answered with an error, and what a repetition gets.

use beckn_health_platform::store::table;
use beckn_health_tests::fixture::{self, FIRST, HEART};
use beckn_health_tests::fresh_id;
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::Stranger;
use serde_json::{Value, json};

fn refusal(callback: &Value) -> (&str, &str) {
    // `on_rating` must have a body by the schema, be it an empty one.
    let body = if callback["context"]["action"] == "on_rating" { json!({}) } else { Value::Null };
    assert_eq!(callback["message"], body, "an error comes without an order");
    (callback["error"]["code"].as_str().unwrap_or(""), callback["error"]["paths"].as_str().unwrap_or(""))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_cannot_be_ordered() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let before = network.rows().await;
    const SLOT: &str = "message.order.fulfillments[0].id";
    const ITEM: &str = "message.order.items[0].id";
    const PROVIDER: &str = "message.order.provider.id";
    let order = |provider: Value, items: Value, fulfillments: Value| json!({ "order": { "provider": provider, "items": items, "fulfillments": fulfillments } });
    let slot = |id: &str| order(json!({ "id": HEART }), json!([{ "id": "cons-01" }]), json!([{ "id": id }]));
    let cases = [
        (order(json!({ "id": "nowhere" }), json!([{ "id": "cons-01" }]), json!([])), "30001", PROVIDER),
        (order(json!({ "id": "no where" }), json!([{ "id": "cons-01" }]), json!([])), "30001", PROVIDER),
        (order(json!({}), json!([{ "id": "cons-01" }]), json!([])), "30000", PROVIDER),
        (order(json!({ "id": HEART }), json!([{ "id": "cons-99" }]), json!([])), "30004", ITEM),
        (order(json!({ "id": HEART }), json!([{ "id": "derm-01" }]), json!([])), "30004", ITEM),
        (order(json!({ "id": HEART }), json!([{ "id": "facility" }]), json!([])), "30004", ITEM),
        (order(json!({ "id": HEART }), json!([{}]), json!([])), "30000", ITEM),
        (order(json!({ "id": HEART }), json!([]), json!([])), "30000", "message.order.items"),
        (
            order(json!({ "id": HEART }), json!([{ "id": "cons-01" }, { "id": "gen-01" }]), json!([])),
            "30000",
            "message.order.items",
        ),
        (slot("nonsense"), "30008", SLOT),
        (slot("gen-01@20261123T043000Z"), "30008", SLOT),
        (slot("cons-01@20261123T043100Z"), "30008", SLOT),
        (slot("cons-01@20261123T033000Z"), "30008", SLOT),
        // Yesterday's slot, one of the last century, and one of the next.
        (slot("cons-01@20261122T043000Z"), "30008", SLOT),
        (slot("cons-01@19261123T043000Z"), "30008", SLOT),
        (slot("cons-01@99991123T043000Z"), "30008", SLOT),
        // Sixty-one days ahead.
        (slot("cons-01@20270123T043000Z"), "30008", SLOT),
        (
            order(
                json!({ "id": HEART }),
                json!([{ "id": "cons-01" }]),
                json!([{ "stops": [{ "time": { "timestamp": "2026-11-22T04:30:00Z" } }] }]),
            ),
            "30008",
            SLOT,
        ),
    ];
    for action in ["select", "init"] {
        for (message, code, path) in &cases {
            let answer = bap.ask(&bap.message(action, message.clone())).await;
            assert_eq!(refusal(&answer), (*code, *path), "{action} {message}");
        }
    }
    network.idle().await;
    assert_eq!(network.rows().await.without(table::REPLIES), before.without(table::REPLIES));
    // The last day that can be booked, by the time of the first stop.
    let last = order(
        json!({ "id": HEART }),
        json!([{ "id": "cons-01" }]),
        json!([{ "stops": [{ "time": { "timestamp": "2027-01-21T04:30:00Z" } }] }]),
    );
    let held = bap.ask(&bap.message("init", last)).await;
    assert_eq!(held["message"]["order"]["fulfillments"][0]["id"], "cons-01@20270121T043000Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_its_consumers_alone() {
    let network = TestNetwork::start().await;
    let owner = Stranger::bap(&network, "owner.stranger.example").await;
    let thief = Stranger::bap(&network, "thief.stranger.example").await;
    let tx = fresh_id();
    let order = owner.ask_in(&tx, "init", fixture::booking(FIRST)).await["message"]["order"]["id"].clone();
    let before = network.rows().await;
    for known in [order.clone(), json!("never-existed")] {
        let requests = [
            ("status", json!({ "order_id": known }), "message.order_id"),
            ("track", json!({ "order_id": known }), "message.order_id"),
            ("cancel", json!({ "order_id": known }), "message.order_id"),
            ("confirm", json!({ "order": { "id": known } }), "message.order.id"),
            (
                "update",
                json!({ "update_target": "order.billing", "order": { "id": known, "billing": { "name": "Me" } } }),
                "message.order.id",
            ),
            (
                "rating",
                json!({ "ratings": [{ "rating_category": "Order", "id": known, "value": "1" }] }),
                "message.ratings",
            ),
            ("support", json!({ "support": { "order_id": known } }), "message.support.order_id"),
        ];
        for (action, message, path) in requests {
            // Even within the owner's own transaction id, which is no secret.
            let answer = thief.ask_in(&tx, action, message).await;
            assert_eq!(refusal(&answer), ("30010", path), "{action}");
            assert_eq!(answer["error"]["message"], "there is no such order of yours", "existence is not told");
        }
    }
    // The transaction id alone is no key either.
    assert_eq!(
        refusal(&thief.ask_in(&tx, "confirm", json!({ "order": {} })).await),
        ("30010", "context.transaction_id")
    );
    network.idle().await;
    assert_eq!(network.rows().await.without(table::REPLIES), before.without(table::REPLIES));
    let confirmed = owner.ask_in(&tx, "confirm", json!({ "order": { "id": order } })).await;
    assert_eq!(confirmed["error"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_message_has_one_effect_and_the_same_answer() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let message = bap.message("init", fixture::booking(FIRST));
    let id = message["context"]["message_id"].as_str().unwrap().to_owned();
    bap.ask(&message).await;
    network.idle().await;
    let before = network.rows().await;
    for _ in 0..3 {
        bap.send(&message).await.ack();
    }
    let answers = bap.callbacks("on_init", &id, 4).await;
    assert!(answers.iter().all(|answer| answer.body == answers[0].body), "the stored bytes, not a new answer");
    network.idle().await;
    assert_eq!(network.rows().await, before);

    // The same bytes signed again later are the same message.
    network.advance(jiff::SignedDuration::from_secs(90));
    bap.send(&message).await.ack();
    assert_eq!(bap.callbacks("on_init", &id, 5).await[4].body, answers[0].body);

    // Another body under the id is refused and changes nothing.
    let mut other = message.clone();
    other["message"]["order"]["fulfillments"][0]["id"] = json!(fixture::SECOND);
    bap.send(&other).await.ack();
    let contradiction = bap.callbacks("on_init", &id, 6).await[5].json();
    assert_eq!(refusal(&contradiction), ("30000", "context.message_id"));
    network.idle().await;
    assert_eq!(network.rows().await, before);
    // The first is still answered as before.
    bap.send(&message).await.ack();
    assert_eq!(bap.callbacks("on_init", &id, 7).await[6].body, answers[0].body);

    // The same id for another action is another message.
    let mut status = bap.message("status", json!({ "order_id": answers[0].json()["message"]["order"]["id"] }));
    status["context"]["message_id"] = json!(id);
    assert_eq!(bap.ask(&status).await["error"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirm_cannot_mean_anything_but_what_is_held() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let tx = fresh_id();
    let order = bap.ask_in(&tx, "init", fixture::booking(FIRST)).await["message"]["order"]["id"].clone();
    for (change, path) in [
        (json!({ "provider": { "id": fixture::GREEN } }), "message.order.provider.id"),
        (json!({ "items": [{ "id": "cons-01-tele" }] }), "message.order.items[0].id"),
        (json!({ "fulfillments": [{ "id": fixture::SECOND }] }), "message.order.fulfillments[0].id"),
    ] {
        let mut wanted = json!({ "order": { "id": order } });
        wanted["order"].as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(refusal(&bap.ask_in(&tx, "confirm", wanted).await), ("30000", path));
    }
    assert_eq!(network.rows().await.count_with(table::SLOTS, &["held"]), 1);
    // Without an init there is nothing to confirm.
    let unknown = bap.ask(&bap.message("confirm", fixture::booking(FIRST))).await;
    assert_eq!(refusal(&unknown), ("30010", "context.transaction_id"));
}
