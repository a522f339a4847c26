//! What an app is told when it, the peer or the network is at fault.

use beckn_health::network::identity::Role;
use beckn_health_tests::app::App;
use beckn_health_tests::fixture::{self, FIRST};
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::{Answer, Stranger};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn an_apps_mistake_is_named_and_nothing_is_sent() {
    let network = TestNetwork::start().await;
    let app = App::of(&network);
    let bpp = network.id(Role::Bpp);
    let before = network.rows().await;
    let told = |reply: &beckn_health_tests::reply::Reply| {
        let text = |name: &str| reply.body["error"][name].as_str().unwrap_or("").to_owned();
        (reply.status, text("code"), text("paths"))
    };
    let expected = |status: u16, code: &str, path: &str| (status, code.to_owned(), path.to_owned());

    for body in [
        "",
        "{",
        "[]",
        "7",
        "{\"context\":{\"transaction_id\":\"\"}}",
        "{\"context\":{\"bap_id\":\"me\"}}",
        "{\"context\":[]}",
        "{\"context\":{},\"context\":{}}",
    ] {
        assert_eq!(told(&app.post("search", body).await), expected(400, "30000", ""), "{body}");
    }
    let named = json!({ "bpp_id": bpp });
    let cases = [
        ("select", json!({}), fixture::selection(FIRST), expected(400, "30000", "context.bpp_id")),
        ("status", named.clone(), json!({}), expected(400, "30000", "message.order_id")),
        ("init", named.clone(), json!({ "order": [] }), expected(400, "30000", "message.order")),
        // What only a lenient peer would take does not leave.
        (
            "init",
            named.clone(),
            json!({ "order": { "items": { "id": "cons-01" } } }),
            expected(400, "30000", "message.order.items"),
        ),
        (
            "select",
            json!({ "bpp_id": "nobody.example" }),
            fixture::selection(FIRST),
            expected(404, "30001", "context.bpp_id"),
        ),
        // A BAP is no provider.
        (
            "select",
            json!({ "bpp_id": network.id(Role::Bap) }),
            fixture::selection(FIRST),
            expected(404, "30001", "context.bpp_id"),
        ),
    ];
    for (action, context, message, expected) in cases {
        assert_eq!(told(&app.send(action, context, message.clone()).await), expected, "{action} {message}");
    }
    let huge = json!({ "context": named, "message": { "order": {}, "padding": "x".repeat(256 * 1024) } });
    assert_eq!(told(&app.post("select", huge.to_string()).await).0, 413);
    assert_eq!(network.rows().await, before);
    assert_eq!(network.queued().await, 0);

    for (query, path) in [
        ("?for=on_search&wait=26", "wait"),
        ("?for=on_search&wait=-1", "wait"),
        ("?for=on_search&wait=99999999999999999999", "wait"),
        ("?for=on_search&wait=1e3", "wait"),
        ("?for=search&wait=1", "for"),
        ("?wait=1", "for"),
        ("?for=on_search&message_id=", "message_id"),
    ] {
        assert_eq!(told(&app.transaction("t-1", query).await), expected(400, "30000", path), "{query}");
    }
    assert_eq!(told(&app.transaction("t-1", "").await), expected(404, "30000", "transaction_id"));
    assert_eq!(
        told(&app.transaction("t-1", "?for=on_search&wait=25").await).0,
        404,
        "nobody waits for what was never sent"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peers_refusal_and_a_peers_silence_are_told_apart() {
    let network = TestNetwork::start().await;
    let app = App::of(&network);
    let bpp = Stranger::bpp(&network, "asked.example").await;
    // An id that a strict peer would not take does not leave.
    let context = json!({ "bpp_id": bpp.id, "transaction_id": "t-1" });
    let reply = app.send("select", context, fixture::selection(FIRST)).await;
    assert_eq!((reply.status, &reply.body["error"]["paths"]), (400, &json!("context.transaction_id")));
    assert!(bpp.received().is_empty());

    let tx = beckn_health_tests::fresh_id();
    let context = json!({ "bpp_id": bpp.id, "transaction_id": tx });
    let ask = async || {
        network.advance(jiff::SignedDuration::from_secs(1));
        app.send("select", context.clone(), fixture::selection(FIRST)).await
    };
    let outcome = async || {
        let shown = app.transaction(&tx, "").await.body;
        shown["messages"].as_array().unwrap().last().unwrap()["ack"].clone()
    };
    bpp.answer(Answer::Nack("40001"));
    let reply = ask().await;
    assert_eq!((reply.status, &reply.body["error"]["code"]), (422, &json!("40001")));
    assert_eq!(reply.body["transaction_id"], tx.as_str());
    assert_eq!(outcome().await, "NACK");

    for answer in [Answer::Status(500), Answer::Status(200), Answer::Redirect("/elsewhere"), Answer::Status(404)] {
        bpp.answer(answer.clone());
        let reply = ask().await;
        assert_eq!((reply.status, &reply.body["error"]["code"]), (502, &json!("31001")), "{answer:?}");
        assert_eq!(outcome().await, "no acknowledgement");
    }
    assert!(bpp.received().iter().all(|one| one.path == "/select"), "a redirect is not followed");

    bpp.close().await;
    let reply = ask().await;
    assert_eq!((reply.status, &reply.body["error"]["code"]), (502, &json!("31001")));
    assert_eq!(reply.body["message_id"].as_str().unwrap().len(), 36);
    assert_eq!(outcome().await, "unreachable");

    bpp.open().await;
    bpp.answer(Answer::Ack);
    assert_eq!(ask().await.status, 202);
    assert_eq!(outcome().await, "ACK");
}
