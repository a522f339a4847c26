//! What a NACK answers: messages that are signed well and still not acceptable.

use beckn_health_protocol::registry::SubscriberType;
use beckn_health_tests::fixture::{self, FIRST};
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::Stranger;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_not_acceptable_gets_a_nack_and_changes_nothing() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    let before = network.rows().await;

    let with = |action: &'static str, change: &dyn Fn(&mut Value)| {
        let body = match action {
            "status" | "track" | "cancel" => json!({ "order_id": "o-1" }),
            "search" => json!({ "intent": {} }),
            "update" => json!({ "update_target": "order.billing", "order": { "id": "o-1", "billing": {} } }),
            "support" => json!({ "support": { "order_id": "o-1" } }),
            _ => fixture::booking(FIRST),
        };
        let mut message = bap.message(action, body);
        change(&mut message);
        (action, message)
    };
    let context =
        |field: &'static str, value: Value| with("init", &|message| message["context"][field] = value.clone());
    let without = |action: &'static str, path: [&str; 2]| {
        with(action, &|message| {
            message[path[0]].as_object_mut().unwrap().shift_remove(path[1]);
        })
    };
    let port = bap.url().rsplit(':').next().unwrap().to_owned();

    let cases: Vec<(&str, (&str, Value), &str, &str)> = vec![
        // Who, to whom, what.
        ("not the signer", context("bap_id", json!("other.example")), "30000", "context.bap_id"),
        ("for another BPP", context("bpp_id", json!("bpp.other.example")), "30000", "context.bpp_id"),
        ("another host", context("bap_uri", json!(format!("http://localhost:{port}"))), "30000", "context.bap_uri"),
        ("another port", context("bap_uri", json!("http://127.0.0.1:1")), "30000", "context.bap_uri"),
        (
            "a host in the user's place",
            context("bap_uri", json!(format!("{}@evil.example", bap.url()))),
            "30000",
            "context.bap_uri",
        ),
        ("not a URL", context("bap_uri", json!("here")), "30000", "context.bap_uri"),
        ("another action", context("action", json!("confirm")), "30000", "context.action"),
        ("its own callback", context("action", json!("on_init")), "30000", "context.action"),
        ("no known action", context("action", json!("dance")), "30000", "context.action"),
        // When.
        ("lapsed", context("timestamp", json!("2026-11-23T02:49:59Z")), "30022", "context.ttl"),
        ("a minute ahead", context("timestamp", json!("2026-11-23T03:01:01Z")), "30022", "context.timestamp"),
        ("the last year there is", context("timestamp", json!("9999-12-30T00:00:00Z")), "30022", "context.timestamp"),
        ("a year beyond", context("timestamp", json!("99999-01-01T00:00:00Z")), "30000", "context.timestamp"),
        ("no time", context("timestamp", json!("yesterday")), "30000", "context.timestamp"),
        ("a negative lifetime", context("ttl", json!("-PT10M")), "30000", "context.ttl"),
        ("no lifetime", context("ttl", json!("a while")), "30000", "context.ttl"),
        // Required fields.
        ("no context", with("init", &|message| message["context"] = Value::Null), "30000", "context"),
        ("a list for a context", with("init", &|message| message["context"] = json!([])), "30000", "context"),
        ("no domain", without("init", ["context", "domain"]), "30000", "context.domain"),
        ("no version", without("init", ["context", "version"]), "30000", "context.version"),
        ("no bap_id", without("init", ["context", "bap_id"]), "30000", "context.bap_id"),
        ("no bap_uri", without("init", ["context", "bap_uri"]), "30000", "context.bap_uri"),
        ("no message id", without("init", ["context", "message_id"]), "30000", "context.message_id"),
        ("an empty message id", context("message_id", json!("")), "30000", "context.message_id"),
        ("a very long message id", context("message_id", json!("m".repeat(256))), "30000", "context.message_id"),
        ("a message id with a line break", context("message_id", json!("a\nb")), "30000", "context.message_id"),
        ("no transaction id", without("init", ["context", "transaction_id"]), "30000", "context.transaction_id"),
        ("no timestamp", without("init", ["context", "timestamp"]), "30000", "context.timestamp"),
        ("no message", with("init", &|message| message["message"] = Value::Null), "30000", "message"),
        ("no order", without("init", ["message", "order"]), "30000", "message.order"),
        ("no order in select", without("select", ["message", "order"]), "30000", "message.order"),
        ("no order in confirm", without("confirm", ["message", "order"]), "30000", "message.order"),
        ("no order id in status", without("status", ["message", "order_id"]), "30000", "message.order_id"),
        ("no order id in track", without("track", ["message", "order_id"]), "30000", "message.order_id"),
        ("no order id in cancel", without("cancel", ["message", "order_id"]), "30000", "message.order_id"),
        ("no target in update", without("update", ["message", "update_target"]), "30000", "message.update_target"),
        ("no order in update", without("update", ["message", "order"]), "30000", "message.order"),
        // Form.
        (
            "a list for an order",
            with("init", &|message| message["message"]["order"] = json!([1])),
            "30000",
            "message.order",
        ),
        (
            "a number for a provider",
            with("init", &|message| message["message"]["order"]["provider"] = json!(7)),
            "30000",
            "message.order.provider",
        ),
        (
            "an exponent for a price",
            with("init", &|message| message["message"]["order"]["items"][0]["price"] = json!({ "value": "-1e308" })),
            "30000",
            "message.order.items[0].price.value",
        ),
        (
            "more digits than a price has",
            with("init", &|message| {
                message["message"]["order"]["items"][0]["price"] = json!({ "value": "9".repeat(400) })
            }),
            "30000",
            "message.order.items[0].price.value",
        ),
        (
            "a quantity beyond all numbers",
            with("init", &|message| {
                message["message"]["order"]["items"][0]["quantity"] = json!({ "selected": { "count": 1e300 } });
            }),
            "30000",
            "message.order.items[0].quantity.selected.count",
        ),
        (
            "an exponent for a radius",
            with("search", &|message| {
                message["message"]["intent"] = json!({ "fulfillment": { "stops": [{ "location":
                    { "gps": fixture::NEAR_HEART, "radius": { "value": "1e308", "unit": "km" } } }] } });
            }),
            "30000",
            "message.intent.fulfillment.stops[0].location.radius.value",
        ),
        (
            "a place off the globe",
            with("search", &|message| {
                message["message"]["intent"] =
                    json!({ "fulfillment": { "stops": [{ "location": { "gps": "91,500" } }] } });
            }),
            "30000",
            "message.intent.fulfillment.stops[0].location.gps",
        ),
    ];
    for (what, (action, message), code, path) in &cases {
        let reply = bap.send_bytes(&format!("/bpp/{action}"), message.to_string().into_bytes()).await;
        let found = (reply.status, reply.body["error"]["code"].as_str(), reply.body["error"]["paths"].as_str());
        assert_eq!(found, (200, Some(*code), Some(*path)), "{what}: {}", reply.body);
        reply.nack(200, code, path);
    }

    // A BPP cannot ask as if it were a BAP.
    let mut posing = bap.message("init", fixture::booking(FIRST));
    posing["context"]["bap_id"] = json!(bpp.id);
    posing["context"]["bap_uri"] = json!(bpp.url());
    bpp.send(&posing).await.nack(200, "30000", "context.bap_id");
    // A select's bytes at another action's path.
    let select = bap.message("select", fixture::selection(FIRST)).to_string().into_bytes();
    bap.send_bytes("/bpp/confirm", select).await.nack(200, "30000", "context.action");

    // Bodies that are no message at all.
    let good = bap.message("init", fixture::booking(FIRST)).to_string();
    let deep = format!(
        "{}{}{}",
        good.trim_end_matches('}'),
        "}},\"deep\":".to_owned() + &"[".repeat(200),
        "]".repeat(200) + "}"
    );
    let doubled = good.replacen("\"context\":{", "\"context\":{\"bap_id\":\"evil.example\",", 1);
    let twice = format!("{},\"context\":{{}}}}", good.trim_end_matches('}').to_owned() + "}}}}");
    for (what, body, path) in [
        ("cut off", good[..good.len() / 2].to_owned(), None),
        ("empty", String::new(), None),
        ("not JSON", "<context/>".to_owned(), None),
        ("a list", "[]".to_owned(), None),
        ("a text", "\"init\"".to_owned(), None),
        ("something after it", format!("{good}{good}"), None),
        ("a key twice", doubled, Some("context.bap_id")),
        ("too deep", deep, None),
        ("two contexts", twice, None),
    ] {
        let reply = bap.send_bytes("/bpp/init", body.into_bytes()).await;
        assert_eq!((reply.status, &reply.body["error"]["code"]), (200, &json!("30000")), "{what}: {}", reply.body);
        assert_eq!(reply.body["message"]["ack"]["status"], "NACK", "{what}");
        if let Some(path) = path {
            assert_eq!(reply.body["error"]["paths"], path, "{what}");
        }
    }
    let reply = bap.send_bytes("/bpp/init", vec![b'{', 0xff, 0xfe, b'}']).await;
    reply.nack(200, "30000", "");
    // NUL is legal in JSON text only when escaped, and then cannot be carried by a queue or is harmless.
    let reply = bap.send_bytes("/bpp/init", good.replace("Nila", "Ni\u{0}la").into_bytes()).await;
    reply.nack(200, "30000", "");
    let reply = bap.send_bytes("/bpp/init", good.replace("Nila", "Ni\u{fffe}la").into_bytes()).await;
    reply.nack(200, "30000", "");

    network.idle().await;
    assert_eq!(network.rows().await, before);
    assert_eq!(network.queued().await, 0);
    assert!(bap.received().is_empty() && bpp.received().is_empty());
}

/// Numbers that are absurd and still of the right form are answered, not believed.
#[tokio::test(flavor = "multi_thread")]
async fn absurd_values_of_the_right_form_are_answered() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let before = network.rows().await;
    let refused = async |message: Value| {
        let answer = bap.ask(&message).await;
        let text = |name: &str| answer["error"][name].as_str().unwrap_or("").to_owned();
        (text("code"), text("paths"))
    };
    let mut many = fixture::booking(FIRST);
    many["order"]["items"] = (0..10_000).map(|number| json!({ "id": format!("i{number}") })).collect();
    assert_eq!(refused(bap.message("init", many)).await, ("30000".to_owned(), "message.order.items".to_owned()));

    for count in [999_999_999_999_i64, 0, -1, i64::MAX, i64::MIN] {
        let mut order = fixture::booking(FIRST);
        order["order"]["items"][0]["quantity"] = json!({ "selected": { "count": count } });
        let path = "message.order.items[0].quantity.selected.count".to_owned();
        assert_eq!(refused(bap.message("init", order)).await, ("40002".to_owned(), path), "{count}");
    }
    let radius = |value: &str| {
        json!({ "intent": { "fulfillment": { "stops": [{ "location":
            { "gps": fixture::NEAR_HEART, "radius": { "value": value, "unit": "km" } } }] } } })
    };
    let everywhere = bap.ask(&bap.message("search", radius("79228162514264337593543950335"))).await;
    assert_eq!(fixture::items(&everywhere).len(), 5);
    let path = "message.intent.fulfillment.stops[0].location.radius".to_owned();
    assert_eq!(
        refused(bap.message("search", radius("-79228162514264337593543950335"))).await,
        ("30000".to_owned(), path)
    );

    // A lifetime of a thousand million years is cut to what is believed; an earlier day stays answerable.
    let mut long = bap.message("search", json!({ "intent": {} }));
    long["context"]["ttl"] = json!("P999999999Y");
    assert_eq!(bap.ask(&long).await["error"], Value::Null);
    let mut old = bap.message("search", json!({ "intent": {} }));
    old["context"]["ttl"] = json!("P999999999Y");
    old["context"]["timestamp"] = json!("2000-01-01T00:00:00Z");
    bap.send(&old).await.nack(200, "30022", "context.ttl");
    let mut first = bap.message("search", json!({ "intent": {} }));
    first["context"]["timestamp"] = json!("-009999-01-02T00:00:00Z");
    assert!(!bap.send(&first).await.is_ack());

    let bare = bap.ask(&bap.message("search", json!({}))).await;
    assert_eq!(fixture::items(&bare).len(), 5, "no intent asks for everything");
    network.idle().await;
    use beckn_health_platform::store::table::REPLIES;
    assert_eq!(network.rows().await.without(REPLIES), before.without(REPLIES));
}

/// What a receiver cannot believe of a role it does not know.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_or_registry_cannot_order() {
    let network = TestNetwork::start().await;
    for role in [SubscriberType::Bg, SubscriberType::Breg] {
        let stranger = Stranger::join(&network, &format!("{role}.stranger.example").to_lowercase(), role).await;
        let message = stranger.message("init", fixture::booking(FIRST));
        stranger.send(&message).await.nack(200, "30000", "context.bap_id");
    }
    assert_eq!(network.queued().await, 0);
}
