//! The same message again: the same answer, and one effect.

use std::sync::Arc;

use beckn_health_platform::store::table;
use beckn_health_tests::fixture::{self, FIRST, SECOND};
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::Stranger;
use beckn_health_tests::{fresh_id, within};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::JSON;

/// Someone on the way has the bytes and the header and sends them as often as they like, all at once.
#[tokio::test(flavor = "multi_thread")]
async fn of_thirty_copies_one_has_an_effect() {
    const COPIES: usize = 30;
    let network = TestNetwork::start().await;
    let bap = Arc::new(Stranger::bap(&network, "bap.stranger.example").await);
    let tx = fresh_id();
    let order = bap.ask_in(&tx, "init", fixture::booking(FIRST)).await["message"]["order"]["id"].clone();
    bap.ask_in(&tx, "confirm", json!({ "order": { "id": order } })).await;
    network.idle().await;
    let cancel = bap.message_in(&tx, "cancel", json!({ "order_id": order }));
    let bytes = cancel.to_string().into_bytes();
    let header = bap.sign(&bytes);
    let copies: Vec<_> = (0..COPIES)
        .map(|_| {
            let (bap, bytes, header) = (bap.clone(), bytes.clone(), header.clone());
            tokio::spawn(async move { bap.post("/bpp/cancel", &[JSON, ("authorization", &header)], bytes).await })
        })
        .collect();
    for copy in copies {
        copy.await.unwrap().ack();
    }
    let id = cancel["context"]["message_id"].as_str().unwrap();
    let answers = bap.callbacks("on_cancel", id, COPIES).await;
    assert!(answers.iter().all(|answer| answer.body == answers[0].body), "the stored bytes");
    assert_eq!(answers[0].json()["error"], Value::Null, "the first effect, told to all");
    network.idle().await;
    let rows = network.rows().await;
    assert_eq!(rows.count_with(table::REPLIES, &[id]), 1);

    // Long after, when the claim is gone, the signature is too: it cannot be sent once more.
    network.advance(SignedDuration::from_hours(25));
    bap.post("/bpp/cancel", &[JSON, ("authorization", &header)], bytes).await.nack(401, "30022", "");
    within("nothing to come", network.idle()).await;
    assert_eq!(bap.callbacks("on_cancel", id, COPIES).await.len(), COPIES);
}

/// A claim outlives every signature, also the longest one at its last second.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_at_the_last_second_has_no_second_effect() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let mut message = bap.message("init", fixture::booking(FIRST));
    message["context"]["ttl"] = json!("P30D");
    let bytes = message.to_string().into_bytes();
    let now = network.now().as_second();
    let header = bap.sign_between(&bytes, now + 5, now + 5 + 3_660);
    let send = async || bap.post("/bpp/init", &[JSON, ("authorization", &header)], bytes.clone()).await;
    send().await.ack();
    let id = message["context"]["message_id"].as_str().unwrap();
    bap.callbacks("on_init", id, 1).await;
    // The hold lapses meanwhile; the old message does not hold the slot again.
    network.idle().await;
    network.advance(SignedDuration::from_secs(3_665));
    network.tick().await;
    network.idle().await;
    send().await.ack();
    let answers = bap.callbacks("on_init", id, 2).await;
    assert_eq!(answers[0].body, answers[1].body);
    network.idle().await;
    let other = Stranger::bap(&network, "other.stranger.example").await;
    let taken = other.ask(&other.message("init", fixture::booking(FIRST))).await;
    assert_eq!(taken["error"], Value::Null, "the slot is free");
    network.advance(SignedDuration::from_secs(1));
    send().await.nack(401, "30022", "");
}

/// An id is its sender's: the same id by another is another message, and no way to learn the first one's answer.
#[tokio::test(flavor = "multi_thread")]
async fn ids_of_two_senders_do_not_meet() {
    let network = TestNetwork::start().await;
    let first = Stranger::bap(&network, "first.example").await;
    let second = Stranger::bap(&network, "second.example").await;
    let (tx, id) = (fresh_id(), fresh_id());
    let init = |bap: &Stranger, slot: &str, name: &str| {
        let mut message = bap.message_in(&tx, "init", fixture::booking(slot));
        message["context"]["message_id"] = json!(id);
        message["message"]["order"]["billing"]["name"] = json!(name);
        message
    };
    let ours = first.ask(&init(&first, FIRST, "First")).await;
    let theirs = second.ask(&init(&second, SECOND, "Second")).await;
    assert_eq!((&ours["error"], &theirs["error"]), (&Value::Null, &Value::Null));
    assert_ne!(ours["message"]["order"]["id"], theirs["message"]["order"]["id"]);
    assert_eq!(theirs["message"]["order"]["billing"]["name"], "Second");
    // The first one's bytes, signed by the second: not its message.
    let stolen = init(&first, FIRST, "First").to_string().into_bytes();
    second.send_bytes("/bpp/init", stolen).await.nack(200, "30000", "context.bap_id");
    network.idle().await;
    assert_eq!((first.received().len(), second.received().len()), (1, 1));
}
