//! Nobody reads or changes what is between two others.

use beckn_health_platform::store::table;
use beckn_health_tests::app::App;
use beckn_health_tests::fixture::{self, FIRST, SECOND};
use beckn_health_tests::fresh_id;
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::Stranger;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// What a thief learns from an answer: nothing of the owner's.
fn tells_nothing(answer: &Value, of: &[&str]) {
    let text = answer.to_string();
    for secret in of {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_transaction_and_order_open_nothing() {
    let network = TestNetwork::start().await;
    let owner = Stranger::bap(&network, "owner.stranger.example").await;
    let thief = Stranger::bap(&network, "thief.stranger.example").await;
    let tx = fresh_id();
    let held = owner.ask_in(&tx, "init", fixture::booking(FIRST)).await;
    let order = held["message"]["order"]["id"].as_str().unwrap().to_owned();
    owner.ask_in(&tx, "confirm", json!({ "order": { "id": order } })).await;
    network.idle().await;
    let owned = |rows: &beckn_health_tests::network::Rows| rows.count_with(table::ORDERS, &[&order]);
    let before = network.rows().await;
    let secrets = ["Nila", "Canal Street", "nila@mail", "5550", "owner.stranger"];

    // In the owner's transaction, the owner's slot: taken, by nobody who is named.
    for action in ["select", "init"] {
        let answer = thief.ask_in(&tx, action, fixture::selection(FIRST)).await;
        tells_nothing(&answer, &secrets);
        if action == "init" {
            assert_eq!((answer["error"]["code"].as_str(), &answer["message"]), (Some("30008"), &Value::Null));
        }
    }
    // Orders that might be: the owner's in other spellings, names of our tables' keys, and all of them at once.
    let upper = order.to_uppercase();
    let plain = order.replace('-', "");
    let guesses = [
        order.as_str(),
        &upper,
        &plain,
        &format!("{order} "),
        &format!("{order}#"),
        &format!("{order}/order"),
        &format!("{order}#order"),
        "order",
        "*",
        "%",
        "../",
        "' OR '1'='1",
        "{\"S\":\"x\"}",
        "00000000-0000-0000-0000-000000000000",
    ];
    for guess in guesses {
        for (action, message) in [
            ("status", json!({ "order_id": guess })),
            ("track", json!({ "order_id": guess })),
            ("cancel", json!({ "order_id": guess, "cancellation_reason_id": "1" })),
            ("confirm", json!({ "order": { "id": guess } })),
            (
                "update",
                json!({ "update_target": "order.billing", "order": { "id": guess, "billing": { "name": "Me" } } }),
            ),
            ("rating", json!({ "ratings": [{ "rating_category": "Order", "id": guess, "value": "1" }] })),
            ("support", json!({ "support": { "order_id": guess } })),
            ("support", json!({ "support": { "ref_id": guess } })),
        ] {
            let answer = thief.ask_in(&tx, action, message).await;
            tells_nothing(&answer, &secrets);
            assert!(
                answer["message"]["order"].is_null() && answer["message"]["tracking"].is_null(),
                "{action} {guess}: {answer}"
            );
        }
    }
    network.idle().await;
    let after = network.rows().await;
    assert_eq!(owned(&after), owned(&before));
    assert_eq!(after.without(table::REPLIES), before.without(table::REPLIES), "not a row of anybody's has changed");
    assert_eq!(network.queued().await, 0);
    let mine = owner.ask_in(&tx, "status", json!({ "order_id": order })).await;
    assert_eq!(mine["message"]["order"]["billing"]["name"], "Nila Raman");
    assert!(thief.received().iter().all(|one| !String::from_utf8_lossy(&one.body).contains("Nila")));
}

/// Two providers are asked for a quote; one of them is booked. The other knows the transaction.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_was_not_chosen_has_no_say_in_the_order() {
    let network = TestNetwork::start().await;
    let app = App::of(&network);
    let chosen = Stranger::bpp(&network, "chosen.example").await;
    let spurned = Stranger::bpp(&network, "spurned.example").await;
    let tx = fresh_id();
    let order = |state: &str| json!({ "order": { "id": "o-77", "fulfillments": [{ "state": { "descriptor": { "code": state } } }] } });
    let context = |bpp: &Stranger| json!({ "bpp_id": bpp.id, "transaction_id": tx });
    let answer = |bpp: &Stranger, callback: &str, message_id: &str, state: &str| {
        let mut message = bpp.message_in(&tx, callback, order(state));
        message["context"]["message_id"] = json!(message_id);
        message
    };
    let state = async || {
        let shown = app.transaction(&tx, "").await.body;
        shown["order"]["fulfillments"][0]["state"]["descriptor"]["code"].clone()
    };
    for bpp in [&spurned, &chosen] {
        let quote = app.accepted("select", context(bpp), fixture::selection(FIRST)).await;
        bpp.send(&answer(bpp, "on_select", &quote.message_id, "quoted")).await.ack();
    }
    network.advance(SignedDuration::from_secs(1));
    let placed = app.accepted("init", context(&chosen), fixture::booking(FIRST)).await;
    chosen.send(&answer(&chosen, "on_init", &placed.message_id, "slot-booked")).await.ack();
    assert_eq!(state().await, "slot-booked");

    // It answers what was sent to the other, whose message id it came to know.
    network.advance(SignedDuration::from_secs(1));
    for callback in ["on_init", "on_select"] {
        let reply = spurned.send(&answer(&spurned, callback, &placed.message_id, "slot-cancelled")).await;
        assert!(!reply.is_ack(), "{callback}");
    }
    let again = answer(&spurned, "on_init", &placed.message_id, "slot-cancelled");
    spurned.send(&again).await.nack(200, "30000", "context.bpp_id");
    // It tells something unasked. That is its own word about its own order, and shown as such.
    for callback in ["on_status", "on_update", "on_cancel"] {
        network.advance(SignedDuration::from_secs(1));
        spurned.send(&spurned.message_in(&tx, callback, order("slot-cancelled"))).await.ack();
        assert_eq!(state().await, "slot-booked", "{callback}");
    }
    network.advance(SignedDuration::from_secs(1));
    chosen.send(&chosen.message_in(&tx, "on_status", order("appointment-in-progress"))).await.ack();
    assert_eq!(state().await, "appointment-in-progress");

    // In a transaction of which it is no part it is not heard at all.
    let other = app.accepted("select", json!({ "bpp_id": chosen.id }), fixture::selection(SECOND)).await;
    let mut elsewhere = spurned.message_in(&other.transaction_id, "on_status", order("slot-cancelled"));
    spurned.send(&elsewhere).await.nack(200, "30000", "context.message_id");
    elsewhere["context"]["message_id"] = json!(other.message_id);
    assert!(!spurned.send(&elsewhere).await.is_ack());
    // A search that was sent to one provider is not answered by another.
    let asked = app.accepted("search", json!({ "bpp_id": chosen.id }), json!({ "intent": {} })).await;
    let mut catalogue = spurned.message_in(&asked.transaction_id, "on_search", json!({ "catalog": {} }));
    catalogue["context"]["message_id"] = json!(asked.message_id);
    spurned.send(&catalogue).await.nack(200, "30000", "context.bpp_id");
}

/// The app's own view: a transaction is found by its whole id, and by nothing that is stored beside it.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_transaction_is_no_transaction() {
    let network = TestNetwork::start().await;
    let app = App::of(&network);
    let bpp = Stranger::bpp(&network, "asked.example").await;
    let sent = app.accepted("select", json!({ "bpp_id": bpp.id }), fixture::selection(FIRST)).await;
    let mut callback = bpp.message_in(&sent.transaction_id, "on_select", json!({ "order": { "id": "o-1" } }));
    callback["context"]["message_id"] = json!(sent.message_id);
    bpp.send(&callback).await.ack();
    let id = &sent.transaction_id;
    for part in [
        format!("{id}%230"),
        format!("{id}%231"),
        format!("{id}%232"),
        format!("{id}%233"),
        format!("{id}%00"),
        id[..35].to_owned(),
        id.to_uppercase(),
        "%2A".to_owned(),
        ".".to_owned(),
    ] {
        let reply = app.transaction(&part, "").await;
        assert!(matches!(reply.status, 400 | 404), "{part}: {} {}", reply.status, reply.body);
    }
    // Nor can an app begin one that would share the other's rows.
    for number in 0..4 {
        let reply =
            app.send("search", json!({ "transaction_id": format!("{id}#{number}") }), json!({ "intent": {} })).await;
        assert_eq!((reply.status, &reply.body["error"]["paths"]), (400, &json!("context.transaction_id")));
    }
    assert_eq!(app.transaction(id, "").await.status, 200);
}
