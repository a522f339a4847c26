//! `on_search` through the gateway.

use beckn_health::network::identity::Role;
use beckn_health_functions::gateway::on_search::MAX_CARRIED;
use beckn_health_protocol::registry::SubscriberType;
use beckn_health_protocol::signature::{AuthorizationHeader, verify};
use beckn_health_tests::app::App;
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::{Answer, Received, Stranger};
use jiff::SignedDuration;
use serde_json::{Value, json};

const QUEUE: &str = "gateway-relay";
const DEAD: &str = "gateway-relay-dlq";
const PATH: &str = "/gateway/on_search";

/// An answer of a BPP for a BAP.
fn answer(bpp: &Stranger, bap: &str) -> Value {
    let mut message = bpp.message("on_search", json!({ "catalog": { "providers": [] } }));
    message["context"]["bap_id"] = json!(bap);
    message
}

fn header(received: &Received, name: &str) -> AuthorizationHeader {
    AuthorizationHeader::parse(received.headers[name].to_str().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_carried_as_it_is_with_both_signatures() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let other = Stranger::bap(&network, "other.stranger.example").await;
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    // It goes where the registry says, whatever the message says.
    let mut message = answer(&bpp, "bap.stranger.example");
    message["context"]["bap_uri"] = json!(other.url());
    // Odd but legal JSON: whoever writes it again breaks the signature.
    let bytes = message.to_string().replacen(':', " :  ", 3).into_bytes();
    bpp.send_bytes(PATH, bytes.clone()).await.ack();

    let carried = bap.heard(1).await.remove(0);
    assert_eq!((carried.path.as_str(), carried.body.as_ref()), ("/on_search", bytes.as_slice()));
    assert_eq!(header(&carried, "authorization"), AuthorizationHeader::parse(&bpp.sign(&bytes)).unwrap());
    let gateway = &network.role(Role::Gateway).participant;
    let theirs = header(&carried, "x-gateway-authorization");
    assert_eq!(theirs.key_id.subscriber_id, gateway.subscriber_id);
    verify(&theirs, &carried.body, &gateway.keys.held().unwrap().active().signing.verifying_key()).unwrap();
    network.idle().await;
    assert!(other.received().is_empty());
    assert_eq!(bap.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_gets_an_answer_that_came_through_the_gateway() {
    let network = TestNetwork::start().await;
    let app = App::of(&network);
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    let sent = app.accepted("search", json!({}), json!({ "intent": {} })).await;
    bpp.heard(1).await;
    let mut message = bpp.message_in(&sent.transaction_id, "on_search", json!({ "catalog": { "providers": [] } }));
    message["context"]["message_id"] = json!(sent.message_id);
    bpp.send_bytes(PATH, message.to_string().into_bytes()).await.ack();
    network.idle().await;
    let shown = app.transaction(&sent.transaction_id, "").await.body;
    let stored = |one: &&Value| one["action"] == "on_search" && one["peer"] == "bpp.stranger.example";
    let stored: Vec<&Value> = shown["messages"].as_array().unwrap().iter().filter(stored).collect();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0]["body"], message);
    // A transaction that is not our BAP's own is none for it: the answer is carried, refused, and over with.
    let strange = answer(&bpp, &network.id(Role::Bap));
    bpp.send_bytes(PATH, strange.to_string().into_bytes()).await.ack();
    network.idle().await;
    assert_eq!(network.queued().await, 0);
    let id = strange["context"]["transaction_id"].as_str().unwrap();
    assert_eq!(app.transaction(id, "").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_for_nobody_is_refused() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    let another = Stranger::bpp(&network, "another.example").await;
    let unknown = Stranger::unregistered(&network, "unknown.example", SubscriberType::Bap).await;
    for nobody in [&unknown, &another] {
        let bytes = answer(&bpp, nobody.id.as_str()).to_string().into_bytes();
        bpp.send_bytes(PATH, bytes).await.nack(200, "30000", "context.bap_id");
    }
    // Who signs it is who says it, and is a provider.
    let bytes = answer(&bpp, bap.id.as_str()).to_string().into_bytes();
    another.send_bytes(PATH, bytes.clone()).await.nack(200, "30000", "context.bpp_id");
    let mut posing = answer(&bpp, bap.id.as_str());
    posing["context"]["bpp_id"] = json!(bap.id);
    bap.send_bytes(PATH, posing.to_string().into_bytes()).await.nack(200, "30000", "context.bpp_id");
    let reply = bpp.post(PATH, &[("content-type", "application/json")], bytes.clone()).await;
    reply.nack(401, "30016", "");
    assert!(reply.header("www-authenticate").unwrap().contains("gateway.beckn-health.localhost"));
    // Only what answers a search comes back this way.
    let mut select = answer(&bpp, bap.id.as_str());
    select["context"]["action"] = json!("on_select");
    bpp.send_bytes(PATH, select.to_string().into_bytes()).await.nack(200, "30000", "context.action");
    // With its queue down it promises nothing.
    network.sqs().fail_next("SendMessage", 3);
    let reply = bpp.send_bytes(PATH, bytes).await;
    assert_eq!((reply.status, &reply.body["message"]), (503, &Value::Null));
    network.idle().await;
    assert_eq!(network.queued().await, 0);
    assert!(bap.received().is_empty() && unknown.received().is_empty() && another.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_answer_that_a_queue_holds_is_carried_and_no_larger_one() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    let of_size = |bytes: usize| {
        let mut message = answer(&bpp, bap.id.as_str());
        message["message"]["catalog"]["descriptor"] = json!({ "name": "" });
        let missing = bytes - message.to_string().len();
        message["message"]["catalog"]["descriptor"]["name"] = json!("a".repeat(missing));
        message.to_string().into_bytes()
    };
    bpp.send_bytes(PATH, of_size(MAX_CARRIED + 1)).await.nack(413, "30000", "");
    let largest = of_size(MAX_CARRIED);
    bpp.send_bytes(PATH, largest.clone()).await.ack();
    assert_eq!(bap.heard(1).await[0].body.as_ref(), largest.as_slice());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_tried_again_until_it_is_taken_refused_or_lapsed() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    let message = || answer(&bpp, bap.id.as_str());
    let bytes = || message().to_string().into_bytes();
    bap.answer_next([Answer::Status(503), Answer::Status(429)]);
    bpp.send_bytes(PATH, bytes()).await.ack();
    network.settle(QUEUE).await;
    assert_eq!((bap.received().len(), network.queued().await), (3, 0));

    bap.answer_next([Answer::Status(500), Answer::Nack("30000")]);
    bpp.send_bytes(PATH, bytes()).await.ack();
    network.settle(QUEUE).await;
    assert_eq!((bap.received().len(), network.queued().await), (5, 0), "a refusal ends it");

    bap.answer(Answer::Status(503));
    let mut short = message();
    short["context"]["ttl"] = json!("PT20S");
    let began = network.now();
    bpp.send_bytes(PATH, short.to_string().into_bytes()).await.ack();
    network.settle(QUEUE).await;
    assert_eq!(network.depth(DEAD).await, 1);
    assert!(began.duration_until(network.now()) > SignedDuration::from_secs(20));

    // Nobody could take it once its sender's signature has expired, however long it lives itself.
    let (began, heard, bytes) = (network.now(), bap.received().len(), bytes());
    let authorization = bpp.sign_between(&bytes, began.as_second(), began.as_second() + 20);
    let headers = [("content-type", "application/json"), ("authorization", authorization.as_str())];
    bpp.post(PATH, &headers, bytes).await.ack();
    network.settle(QUEUE).await;
    assert_eq!(network.depth(DEAD).await, 2);
    let ended = began.duration_until(network.now());
    assert!(ended > SignedDuration::from_secs(20) && ended < SignedDuration::from_mins(2), "{ended}");
    assert!(bap.received().len() - heard > 2, "until then it is tried");
}
