//! Values of the right kind that nobody means: ids, prices and places at the ends of what can be written.

use beckn_health_protocol::dialect::Reading;
use beckn_health_tests::app::App;
use beckn_health_tests::fixture::{self, FIRST, HEART, NEAR_HEART};
use beckn_health_tests::fresh_id;
use beckn_health_tests::network::{Setup, TestNetwork};
use beckn_health_tests::stranger::Stranger;
use serde_json::{Value, json};

/// 255 characters, the most an id may have, of four bytes each: 1 020 bytes, where a sort key holds 1 024.
fn longest() -> String {
    "\u{1f9a0}".repeat(255)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_breaks_no_line_and_no_header() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let before = network.rows().await;
    for name in ["bap_id", "bpp_id", "message_id", "transaction_id"] {
        for id in [
            "a\r\nX-Evil: 1",
            "a\nb",
            "\r",
            "a\tb",
            "\u{7f}",
            "\u{85}",
            "\u{0}",
            "",
            &"m".repeat(256),
            &format!("{}x", longest()),
        ] {
            let mut message = bap.message("init", fixture::booking(FIRST));
            message["context"][name] = json!(id);
            let reply = bap.send(&message).await;
            assert!(!reply.is_ack(), "{name} {id:?}");
            reply.nack(200, "30000", &format!("context.{name}"));
            assert!(reply.header("x-evil").is_none());
        }
        for other in [json!(true), json!(["a"]), json!({ "id": "a" }), Value::Null] {
            let mut message = bap.message("init", fixture::booking(FIRST));
            message["context"][name] = other.clone();
            if name == "bpp_id" && other.is_null() {
                // None is named, but the address is ours.
                continue;
            }
            bap.send(&message).await.nack(200, "30000", &format!("context.{name}"));
        }
    }
    network.idle().await;
    assert_eq!(network.rows().await, before);
    assert!(bap.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_may_be_as_long_as_ids_are() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    // No UUIDs, and the longest there are: carried, claimed and answered like others.
    for (place, id) in
        [longest(), "$(uuidgen)".to_owned(), "../../etc/passwd".to_owned(), "\u{202e}\u{2028}".to_owned()]
            .into_iter()
            .enumerate()
    {
        let mut message = bap.message_in(
            &id,
            "init",
            fixture::booking([FIRST, fixture::SECOND, fixture::THIRD, "cons-01@20261123T060000Z"][place]),
        );
        message["context"]["message_id"] = json!(id);
        let answer = bap.ask(&message).await;
        assert_eq!((&answer["error"], &answer["context"]["transaction_id"]), (&Value::Null, &json!(id)));
        bap.send(&message).await.ack();
        let again = bap.callbacks("on_init", &id, 2).await.remove(1).json();
        assert_eq!(again, answer);
    }
    // Names of things we do not have: an answer, not a record that fails until it is dead.
    let order = |provider: &str, item: &str, fulfillment: &str| json!({ "order": { "provider": { "id": provider }, "items": [{ "id": item }], "fulfillments": [{ "id": fulfillment }] } });
    for name in [longest(), "a#b".to_owned(), "a|b".to_owned(), "x".repeat(255)] {
        for (action, message) in [
            ("select", order(&name, "cons-01", FIRST)),
            ("select", order(HEART, &name, FIRST)),
            ("init", order(HEART, "cons-01", &name)),
            ("init", order(HEART, "cons-01", &format!("{name}@20261123T043000Z"))),
            ("status", json!({ "order_id": name })),
            ("rating", json!({ "ratings": [{ "rating_category": "Order", "id": name, "value": "1" }] })),
            ("rating", json!({ "ratings": [{ "rating_category": name, "id": name, "value": "1" }] })),
            ("support", json!({ "support": { "order_id": name } })),
            ("update", json!({ "update_target": name, "order": { "id": name } })),
        ] {
            // A fulfilment id may be too long to be read at all.
            let message = bap.message(action, message);
            let reply = bap.send(&message).await;
            if reply.is_ack() {
                let answer = bap.callback(&message).await;
                assert_ne!(answer["error"], Value::Null, "{action} {name}");
            } else {
                assert_eq!(
                    (reply.status, &reply.body["error"]["code"]),
                    (200, &json!("30000")),
                    "{action} {}",
                    reply.body
                );
            }
        }
    }
    network.idle().await;
    assert_eq!(network.queued().await, 0);

    // The same of callbacks: what a provider tells unasked under an id of its own.
    let app = App::of(&network);
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    let sent = app.accepted("init", json!({ "bpp_id": bpp.id }), fixture::booking(FIRST)).await;
    for callback in ["on_status", "on_update", "on_cancel"] {
        let mut told = bpp.message_in(&sent.transaction_id, callback, json!({ "order": { "id": "o-1" } }));
        told["context"]["message_id"] = json!(longest());
        bpp.send(&told).await.ack();
        bpp.send(&told).await.ack();
        told["message"]["order"]["id"] = json!("o-2");
        bpp.send(&told).await.nack(200, "30000", "context.message_id");
    }
    for callback in ["on_search", "on_select", "on_init"] {
        let mut told = bpp.message_in(&sent.transaction_id, callback, json!({ "order": {}, "catalog": {} }));
        told["context"]["message_id"] = json!(longest());
        bpp.send(&told).await.nack(200, "30000", "context.message_id");
        told["context"]["transaction_id"] = json!(longest());
        bpp.send(&told).await.nack(200, "30000", "context.transaction_id");
    }
    let shown = app.transaction(&sent.transaction_id, "").await.body;
    let received = shown["messages"].as_array().unwrap().iter().filter(|one| one["message_id"] == longest().as_str());
    assert_eq!(received.count(), 3);

    // Read strictly, an id is a UUID.
    let strict = TestNetwork::with(Setup { reading: Reading::Strict, ..Setup::default() }).await;
    let bap = Stranger::bap(&strict, "bap.stranger.example").await;
    for name in ["message_id", "transaction_id"] {
        for id in [
            "t-1",
            &fresh_id().replace('-', ""),
            &format!("{{{}}}", fresh_id()),
            &format!("urn:uuid:{}", fresh_id()),
            &longest(),
        ] {
            let mut message = bap.message("init", fixture::booking(FIRST));
            message["context"][name] = json!(id);
            bap.send(&message).await.nack(200, "30000", &format!("context.{name}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_a_number() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let before = network.rows().await;
    let odd = [
        "NaN",
        "nan",
        "Infinity",
        "-inf",
        "1e308",
        "1E5",
        "0x10",
        "1_000",
        "1,000",
        "--1",
        "",
        " ",
        "\u{661}\u{662}",
        "\u{ff11}",
        "1\u{0}",
        "9e99999",
        &"9".repeat(100_000),
    ];
    for value in odd {
        let mut priced = fixture::booking(FIRST);
        priced["order"]["items"][0]["price"] = json!({ "currency": "INR", "value": value });
        let reply = bap.send(&bap.message("init", priced)).await;
        assert!(!reply.is_ack(), "{value}");
        reply.nack(200, "30000", "message.order.items[0].price.value");
        let place = json!({ "gps": NEAR_HEART, "radius": { "value": value, "unit": "km" } });
        let near = json!({ "intent": { "fulfillment": { "stops": [{ "location": place }] } } });
        bap.send(&bap.message("search", near)).await.nack(
            200,
            "30000",
            "message.intent.fulfillment.stops[0].location.radius.value",
        );
    }
    for gps in [
        "NaN,NaN",
        "91,0",
        "0,181",
        "-90.0001,0",
        "1e2,1e2",
        "inf,inf",
        "12.4",
        "12.4,77.3,1",
        ",",
        "12.4 77.3",
        &format!("{},0", "1".repeat(10_000)),
    ] {
        let near = json!({ "intent": { "fulfillment": { "stops": [{ "location": { "gps": gps } }] } } });
        bap.send(&bap.message("search", near)).await.nack(
            200,
            "30000",
            "message.intent.fulfillment.stops[0].location.gps",
        );
    }
    network.idle().await;
    assert_eq!(network.rows().await, before);
    assert!(bap.received().is_empty());

    // A price that the consumer names is a number, and still not the price.
    for value in ["0", "-1", "0.000000000000000000001", "79228162514264337593543950335"] {
        let mut priced = fixture::booking(FIRST);
        priced["order"]["items"][0]["price"] = json!({ "currency": "INR", "value": value });
        priced["order"]["quote"] = json!({ "price": { "currency": "INR", "value": value } });
        let answer = bap.ask(&bap.message("select", priced)).await;
        assert_ne!(answer["message"]["order"]["quote"]["price"]["value"], value);
    }
    // The poles, the date line, and a circle around the whole earth.
    for gps in ["90,0", "-90,180", "0,-180", "0,180", "-0,-0"] {
        let place = json!({ "gps": gps, "radius": { "value": "99999999999999999999", "unit": "km" } });
        let near = json!({ "intent": { "fulfillment": { "stops": [{ "location": place }] } } });
        let answer = bap.ask(&bap.message("search", near)).await;
        assert_eq!(fixture::items(&answer).len(), 5, "{gps}");
    }
}
