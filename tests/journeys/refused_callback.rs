//! Callbacks at our BAP: only what was asked for is believed.

use beckn_health_platform::store::table;
use beckn_health_protocol::registry::SubscriberType;
use beckn_health_tests::app::App;
use beckn_health_tests::fixture::{self, FIRST};
use beckn_health_tests::fresh_id;
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::Stranger;
use serde_json::{Value, json};

/// An order as a BPP that we did not write might show it.
fn order(state: &str) -> Value {
    json!({ "order": { "id": "o-77", "fulfillments": [{ "state": { "descriptor": { "code": state } } }] } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_nobody_asked_for_is_refused() {
    let network = TestNetwork::start().await;
    let app = App::of(&network);
    let asked = Stranger::bpp(&network, "asked.example").await;
    let other = Stranger::bpp(&network, "other.example").await;
    let sent = app.accepted("select", json!({ "bpp_id": asked.id }), fixture::selection(FIRST)).await;
    let request = asked.heard(1).await[0].json();
    assert_eq!(request["context"]["message_id"], sent.message_id.as_str());
    let before = network.rows().await;

    let answer = |from: &Stranger, callback: &str, message_id: &str| {
        let mut message = from.message_in(&sent.transaction_id, callback, order("slot-booked"));
        message["context"]["message_id"] = json!(message_id);
        message
    };
    // Another transaction, another provider, another message.
    asked.send(&asked.message("on_select", order("x"))).await.nack(200, "30000", "context.transaction_id");
    other.send(&answer(&other, "on_select", &sent.message_id)).await.nack(200, "30000", "context.bpp_id");
    other.send(&answer(&other, "on_status", &fresh_id())).await.nack(200, "30000", "context.message_id");
    asked.send(&answer(&asked, "on_select", &fresh_id())).await.nack(200, "30000", "context.message_id");
    asked.send(&answer(&asked, "on_init", &sent.message_id)).await.nack(200, "30000", "context.message_id");
    let mut found = answer(&asked, "on_search", &sent.message_id);
    found["message"] = json!({ "catalog": {} });
    asked.send(&found).await.nack(200, "30000", "context.message_id");
    // Somebody else's BAP, and somebody else's name.
    let mut astray = answer(&asked, "on_select", &sent.message_id);
    astray["context"]["bap_id"] = json!("bap.other.example");
    asked.send(&astray).await.nack(200, "30000", "context.bap_id");
    let posing = answer(&asked, "on_select", &sent.message_id);
    other.send(&posing).await.nack(200, "30000", "context.bpp_id");
    // A BAP does not call back.
    let bap = Stranger::join(&network, "posing.example", SubscriberType::Bap).await;
    let mut posing = answer(&asked, "on_select", &sent.message_id);
    posing["context"]["bpp_id"] = json!(bap.id);
    posing["context"]["bpp_uri"] = json!(bap.url());
    bap.send(&posing).await.nack(200, "30000", "context.bpp_id");
    // Neither body nor error.
    let mut empty = answer(&asked, "on_select", &sent.message_id);
    empty["message"] = Value::Null;
    asked.send(&empty).await.nack(200, "30000", "message");
    // No signature: our BAP's own challenge.
    let bytes = posing.to_string().into_bytes();
    let reply = asked.post("/bap/on_select", &[("content-type", "application/json")], bytes).await;
    reply.nack(401, "30016", "");
    assert_eq!(
        reply.header("www-authenticate"),
        Some("Signature realm=\"bap.beckn-health.localhost\",headers=\"(created) (expires) digest\"")
    );
    let now = network.rows().await;
    assert_eq!(now.without(table::PARTICIPANTS), before.without(table::PARTICIPANTS));
    let shown = app.transaction(&sent.transaction_id, "").await.body;
    assert_eq!((shown["messages"].as_array().unwrap().len(), &shown["order"]), (1, &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_callback_is_kept_once_and_a_contradiction_not_at_all() {
    let network = TestNetwork::start().await;
    let app = App::of(&network);
    let bpp = Stranger::bpp(&network, "asked.example").await;
    let sent = app.accepted("init", json!({ "bpp_id": bpp.id }), fixture::booking(FIRST)).await;
    let mut callback = bpp.message_in(&sent.transaction_id, "on_init", order("slot-booked"));
    callback["context"]["message_id"] = json!(sent.message_id);
    bpp.send(&callback).await.ack();
    let once = network.rows().await;
    for _ in 0..3 {
        bpp.send(&callback).await.ack();
    }
    assert_eq!(network.rows().await, once);

    let mut other = callback.clone();
    other["message"] = order("slot-cancelled");
    bpp.send(&other).await.nack(200, "30000", "context.message_id");
    assert_eq!(network.rows().await, once);
    let shown = app.transaction(&sent.transaction_id, "").await.body;
    assert_eq!(shown["order"]["fulfillments"][0]["state"]["descriptor"]["code"], "slot-booked");

    // What a provider may tell unasked, in a transaction we have with it.
    network.advance(jiff::SignedDuration::from_secs(1));
    for (name, state) in
        [("on_status", "appointment-in-progress"), ("on_update", "rescheduled"), ("on_cancel", "slot-cancelled")]
    {
        network.advance(jiff::SignedDuration::from_secs(1));
        bpp.send(&bpp.message_in(&sent.transaction_id, name, order(state))).await.ack();
        let shown = app.transaction(&sent.transaction_id, "").await.body;
        assert_eq!(shown["order"]["fulfillments"][0]["state"]["descriptor"]["code"], state);
    }
    // An error does not replace what is known of the order.
    network.advance(jiff::SignedDuration::from_secs(1));
    let mut failed = bpp.message_in(&sent.transaction_id, "on_status", Value::Null);
    failed["error"] = json!({ "code": "40000", "message": "not now" });
    bpp.send(&failed).await.ack();
    let shown = app.transaction(&sent.transaction_id, "").await.body;
    assert_eq!(shown["order"]["fulfillments"][0]["state"]["descriptor"]["code"], "slot-cancelled");
}
