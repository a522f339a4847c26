//! A signature covers neither path nor host: bytes that are good in one place are refused in every other.

use beckn_health::network::identity::Role;
use beckn_health_protocol::action::Action;
use beckn_health_protocol::dialect::Reading;
use beckn_health_tests::app::App;
use beckn_health_tests::fixture::{self, FIRST};
use beckn_health_tests::network::{Setup, TestNetwork};
use beckn_health_tests::stranger::Stranger;
use serde_json::{Value, json};

use super::JSON;

/// A `message` that each action takes.
fn body(action: Action) -> Value {
    match action {
        Action::Search => json!({ "intent": {} }),
        Action::Select | Action::Init | Action::Confirm => fixture::booking(FIRST),
        Action::Status | Action::Track | Action::Cancel => json!({ "order_id": "o-1" }),
        Action::Update => json!({ "update_target": "order.billing", "order": { "id": "o-1", "billing": {} } }),
        Action::Rating => json!({ "ratings": [] }),
        Action::Support => json!({ "support": { "order_id": "o-1" } }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_of_an_action_are_refused_at_every_other() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    let before = network.rows().await;
    for signed in Action::ALL {
        let request = bap.message(signed.as_str(), body(signed)).to_string().into_bytes();
        let callback =
            bpp.message(signed.callback().as_str(), json!({ "order": {}, "catalog": {} })).to_string().into_bytes();
        for other in Action::ALL.into_iter().filter(|other| *other != signed) {
            let reply = bap.send_bytes(&format!("/bpp/{other}"), request.clone()).await;
            reply.nack(200, "30000", "context.action");
            let reply = bpp.send_bytes(&format!("/bap/{}", other.callback()), callback.clone()).await;
            reply.nack(200, "30000", "context.action");
        }
        // A request is no callback, a callback no request.
        assert!(!bap.send_bytes(&format!("/bap/{}", signed.callback()), request).await.is_ack(), "{signed}");
        assert!(!bpp.send_bytes(&format!("/bpp/{signed}"), callback).await.is_ack(), "{signed}");
    }
    network.idle().await;
    assert_eq!(network.rows().await, before);
    assert!(bap.received().is_empty() && bpp.received().is_empty());
}

/// A provider that was asked passes the very bytes on, to see the consumer book elsewhere too.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_provider_was_sent_is_refused_at_another() {
    let network = TestNetwork::start().await;
    let app = App::of(&network);
    let asked = Stranger::bpp(&network, "asked.example").await;
    app.accepted("init", json!({ "bpp_id": asked.id }), fixture::booking(FIRST)).await;
    let received = asked.heard(1).await.remove(0);
    let before = network.rows().await;
    let authorization = received.headers["authorization"].to_str().unwrap();
    let replay =
        async |path: &str| asked.post(path, &[JSON, ("authorization", authorization)], received.body.to_vec()).await;
    replay("/bpp/init").await.nack(200, "30000", "context.bpp_id");
    replay("/bpp/confirm").await.nack(200, "30000", "context.action");
    replay("/gateway/search").await.nack(200, "30000", "context.action");
    // Nor can it be sent back to its sender.
    assert!(!replay("/bap/on_init").await.is_ack());
    network.idle().await;
    assert_eq!(network.rows().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_does_not_say_for_whom_is_not_for_everybody() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let without = |name: &str, uri: Option<&str>| {
        let mut message = bap.message("init", fixture::booking(FIRST));
        let context = message["context"].as_object_mut().unwrap();
        context.shift_remove(name);
        match uri {
            Some(uri) => context.insert("bpp_uri".to_owned(), json!(uri)),
            None => context.shift_remove("bpp_uri"),
        };
        message
    };
    // Its address says that it is for somebody else.
    let host = network.url();
    for uri in ["https://bpp.other.example/beckn", "http://127.0.0.1:1/bpp", &format!("{host}@evil.example"), "here"] {
        bap.send(&without("bpp_id", Some(uri))).await.nack(200, "30000", "context.bpp_id");
    }
    network.idle().await;
    assert!(bap.received().is_empty());
    // A known fault of deployed consumers: no id, but our address.
    bap.ask(&without("bpp_id", Some(&format!("{host}/bpp")))).await;

    // Read strictly, a message names its receiver.
    let strict = TestNetwork::with(Setup { reading: Reading::Strict, ..Setup::default() }).await;
    let bap = Stranger::bap(&strict, "bap.stranger.example").await;
    for name in ["bpp_id", "bpp_uri"] {
        let mut message = bap.message("init", fixture::booking(FIRST));
        message["context"].as_object_mut().unwrap().shift_remove(name);
        bap.send(&message).await.nack(200, "30000", &format!("context.{name}"));
    }
    bap.ask(&bap.message("init", fixture::booking(FIRST))).await;
}

/// In every role: who signs is who speaks.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_speaks_for_another() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let other = Stranger::bap(&network, "other.stranger.example").await;
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    let before = network.rows().await;
    for (path, name, victim) in [
        ("/bpp/search", "bap_id", other.id.to_string()),
        ("/gateway/search", "bap_id", other.id.to_string()),
        ("/bpp/search", "bap_id", network.id(Role::Bap)),
        ("/gateway/search", "bap_id", network.id(Role::Bap)),
        // Names that only look alike.
        ("/bpp/search", "bap_id", "BAP.stranger.example".to_owned()),
        ("/bpp/search", "bap_id", "bap.stranger.example.".to_owned()),
        ("/bpp/search", "bap_id", "b\u{430}p.stranger.example".to_owned()),
        ("/bpp/search", "bap_id", "https://other.stranger.example/bap.stranger.example".to_owned()),
        ("/bpp/search", "bap_id", "https://bap.stranger.example@other.stranger.example".to_owned()),
    ] {
        let mut message = bap.message("search", json!({ "intent": {} }));
        message["context"][name] = json!(victim);
        bap.send_bytes(path, message.to_string().into_bytes()).await.nack(200, "30000", "context.bap_id");
    }
    let mut answer = bpp.message("on_search", json!({ "catalog": {} }));
    answer["context"]["bpp_id"] = json!(network.id(Role::Bpp));
    answer["context"]["bpp_uri"] = json!(format!("{}/bpp", network.url()));
    bpp.send(&answer).await.nack(200, "30000", "context.bpp_id");
    network.idle().await;
    assert_eq!(network.rows().await, before);
    assert!(other.received().is_empty() && bap.received().is_empty());
}
