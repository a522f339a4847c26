//! Search through the gateway.

use beckn_health::network::identity::{self, Role};
use beckn_health_protocol::model::{City, Location};
use beckn_health_protocol::registry::Subscription;
use beckn_health_protocol::signature::{AuthorizationHeader, verify};
use beckn_health_tests::app::App;
use beckn_health_tests::fixture;
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::{Answer, Received, Stranger};
use serde_json::{Value, json};

const QUEUE: &str = "gateway-broadcast";

/// A search as a BAP sends it to a gateway: no provider is named.
fn search(bap: &Stranger) -> Value {
    let mut message = bap.message("search", json!({ "intent": {} }));
    let context = message["context"].as_object_mut().unwrap();
    context.shift_remove("bpp_id");
    context.shift_remove("bpp_uri");
    message
}

fn header(received: &Received, name: &str) -> AuthorizationHeader {
    AuthorizationHeader::parse(received.headers[name].to_str().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_reaches_every_provider_with_both_signatures() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    // Odd but legal JSON: whoever writes it again breaks the signature.
    let bytes = search(&bap).to_string().replacen(':', " :  ", 3).into_bytes();
    bap.send_bytes("/gateway/search", bytes.clone()).await.ack();

    let carried = bpp.heard(1).await.remove(0);
    assert_eq!((carried.path.as_str(), carried.body.as_ref()), ("/search", bytes.as_slice()));
    let sent = AuthorizationHeader::parse(&bap.sign(&bytes)).unwrap();
    assert_eq!(header(&carried, "authorization"), sent, "the sender's own header");
    let gateway = &network.role(Role::Gateway).participant;
    let theirs = header(&carried, "x-gateway-authorization");
    assert_eq!(theirs.key_id.subscriber_id, gateway.subscriber_id);
    verify(&theirs, &carried.body, &gateway.keys.held().unwrap().active().signing.verifying_key()).unwrap();

    // Ours verified both and answered the BAP directly.
    let message: Value = serde_json::from_slice(&bytes).unwrap();
    let found = bap.callback(&message).await;
    assert_eq!(found["context"]["bpp_id"], network.id(Role::Bpp).as_str());
    assert_eq!(fixture::items(&found).len(), 5);
    network.idle().await;
    assert_eq!(bpp.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_names_a_provider_reaches_it_alone() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let named = Stranger::bpp(&network, "named.example").await;
    let other = Stranger::bpp(&network, "other.example").await;
    let mut message = search(&bap);
    message["context"]["bpp_id"] = json!("named.example");
    bap.send_bytes("/gateway/search", message.to_string().into_bytes()).await.ack();
    named.heard(1).await;
    network.idle().await;
    assert_eq!((named.received().len(), other.received().len(), bap.received().len()), (1, 0, 0));

    message = search(&bap);
    message["context"]["bpp_id"] = json!("nobody.example");
    let reply = bap.send_bytes("/gateway/search", message.to_string().into_bytes()).await;
    reply.nack(200, "30001", "context.bpp_id");
    network.idle().await;
    assert_eq!((named.received().len(), other.received().len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_gets_the_answers_of_all_providers() {
    let network = TestNetwork::start().await;
    let app = App::of(&network);
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    let sent = app.accepted("search", json!({}), json!({ "intent": {} })).await;
    let carried = bpp.heard(1).await.remove(0);
    let bap = &network.role(Role::Bap).participant;
    verify(
        &header(&carried, "authorization"),
        &carried.body,
        &bap.keys.held().unwrap().active().signing.verifying_key(),
    )
    .unwrap();
    let mut answer = bpp.message_in(&sent.transaction_id, "on_search", json!({ "catalog": { "providers": [] } }));
    answer["context"]["message_id"] = json!(sent.message_id);
    bpp.send(&answer).await.ack();
    // A catalogue may come in several parts.
    answer["message"]["catalog"]["providers"] = json!([{ "id": "p-1" }]);
    bpp.send(&answer).await.ack();
    app.callback(&sent, "on_search").await;
    network.idle().await;
    let shown = app.transaction(&sent.transaction_id, "").await.body;
    let mut from: Vec<&str> = shown["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["action"] == "on_search")
        .map(|one| one["peer"].as_str().unwrap())
        .collect();
    from.sort_unstable();
    assert_eq!(from, ["bpp.beckn-health.localhost", "bpp.stranger.example", "bpp.stranger.example"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_or_slow_provider_delays_nobody_and_is_tried_again_alone() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let well = Stranger::bpp(&network, "well.example").await;
    let dead = Stranger::bpp(&network, "dead.example").await;
    let slow = Stranger::bpp(&network, "slow.example").await;
    let failing = Stranger::bpp(&network, "failing.example").await;
    let refusing = Stranger::bpp(&network, "refusing.example").await;
    dead.close().await;
    slow.answer(Answer::Held(200));
    failing.answer_next([Answer::Status(503)]);
    refusing.answer(Answer::Nack("40001"));
    let message = search(&bap);
    let bytes = message.to_string().into_bytes();
    bap.send_bytes("/gateway/search", bytes.clone()).await.ack();
    // While one is slow and one is dead, the others have it.
    slow.heard(1).await;
    well.heard(1).await;
    refusing.heard(1).await;
    assert_eq!(fixture::items(&bap.callback(&message).await).len(), 5);
    slow.release();

    network.skip_to_retry(QUEUE).await;
    dead.open().await;
    network.settle(QUEUE).await;
    assert_eq!(dead.received().len(), 1);
    assert_eq!(dead.received()[0].body.as_ref(), bytes.as_slice());
    assert_eq!(failing.received().len(), 2);
    for once in [&well, &slow, &refusing] {
        assert_eq!(once.received().len(), 1, "{} is not asked again", once.id);
    }
    assert_eq!(bap.received().len(), 1, "ours answered once");
    assert_eq!(network.queued().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_nobody_serves_is_told_at_once() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let ours = identity::subscription(&network.role(Role::Bpp).participant, Some("std:080"), network.now());
    network.register(&ours).await;
    let elsewhere = Stranger::bpp(&network, "elsewhere.example").await;
    let place = City { code: Some("std:033".to_owned()), ..City::default() };
    let location = Location { city: Some(place), ..Location::default() };
    network.register(&Subscription { location: Some(location), ..elsewhere.row() }).await;

    let in_city = |code: &str| {
        let mut message = search(&bap);
        message["context"]["location"] = json!({ "city": { "code": code } });
        message
    };
    let before = network.rows().await;
    let nowhere = in_city("std:011").to_string().into_bytes();
    bap.send_bytes("/gateway/search", nowhere).await.nack(200, "30001", "context.location");
    assert_eq!(network.rows().await, before);
    assert_eq!(network.queued().await, 0);
    // An app is told too.
    let app = App::of(&network);
    let reply =
        app.send("search", json!({ "location": { "city": { "code": "std:011" } } }), json!({ "intent": {} })).await;
    assert_eq!((reply.status, &reply.body["error"]["code"]), (422, &json!("30001")));

    // Each city's search goes to its own providers.
    let here = in_city("std:080");
    bap.send_bytes("/gateway/search", here.to_string().into_bytes()).await.ack();
    assert_eq!(fixture::items(&bap.callback(&here).await).len(), 3);
    network.idle().await;
    assert!(elsewhere.received().is_empty());
    bap.send_bytes("/gateway/search", in_city("std:033").to_string().into_bytes()).await.ack();
    elsewhere.heard(1).await;
    network.idle().await;
    assert_eq!(bap.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_checks_as_a_provider_does() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    let message = search(&bap);
    let bytes = message.to_string().into_bytes();
    let reply = bap.post("/gateway/search", &[("content-type", "application/json")], bytes.clone()).await;
    reply.nack(401, "30016", "");
    assert_eq!(
        reply.header("www-authenticate"),
        Some("Signature realm=\"gateway.beckn-health.localhost\",headers=\"(created) (expires) digest\"")
    );
    let mut posing = message.clone();
    posing["context"]["bap_id"] = json!("other.example");
    bap.send_bytes("/gateway/search", posing.to_string().into_bytes()).await.nack(200, "30000", "context.bap_id");
    let select = bap.message("select", json!({ "order": {} })).to_string().into_bytes();
    bap.send_bytes("/gateway/search", select).await.nack(200, "30000", "context.action");
    // With its queue down it promises nothing.
    network.sqs().fail_next("SendMessage", 3);
    let reply = bap.send_bytes("/gateway/search", bytes.clone()).await;
    assert_eq!((reply.status, &reply.body["message"]), (503, &Value::Null));
    network.idle().await;
    assert!(bpp.received().is_empty() && bap.received().is_empty());
    bap.send_bytes("/gateway/search", bytes).await.ack();
    bpp.heard(1).await;
}
