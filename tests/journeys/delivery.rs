//! Callbacks to peers that fail, refuse, vanish and come back.

use beckn_health_platform::deliver::CALLBACKS;
use beckn_health_platform::store::table;
use beckn_health_tests::fixture::{self, FIRST};
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::{Answer, Stranger};
use jiff::SignedDuration;
use serde_json::Value;

const DEAD: &str = "bpp-callbacks-dlq";

fn id(message: &Value) -> String {
    message["context"]["message_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_fails_twice_gets_the_same_bytes_a_third_time() {
    for trouble in [Answer::Status(500), Answer::Status(429), Answer::Status(401), Answer::Status(200)] {
        let network = TestNetwork::start().await;
        let bap = Stranger::bap(&network, "bap.stranger.example").await;
        bap.answer_next([trouble.clone(), trouble.clone()]);
        let message = bap.message("init", fixture::booking(FIRST));
        bap.send(&message).await.ack();
        bap.heard(1).await;
        network.settle(CALLBACKS).await;
        let received = bap.received();
        assert_eq!(received.len(), 3, "{trouble:?}");
        assert!(received.iter().all(|one| one.path == "/on_init" && one.body == received[0].body));
        let signatures: Vec<_> = received.iter().map(|one| one.headers["authorization"].clone()).collect();
        assert_ne!(signatures[0], signatures[2], "signed anew, for a signature does not live long");
        assert_eq!(network.rows().await.count_with(table::REPLIES, &[&id(&message), "refused"]), 0);
        assert_eq!(network.queued().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_was_away_gets_its_callback() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    bap.close().await;
    let search = bap.message("search", serde_json::json!({ "intent": {} }));
    let init = bap.message("init", fixture::booking(FIRST));
    bap.send(&search).await.ack();
    bap.send(&init).await.ack();
    network.skip_to_retry(CALLBACKS).await;
    network.skip_to_retry(CALLBACKS).await;
    bap.open().await;
    network.settle(CALLBACKS).await;
    let mut came: Vec<String> = bap.received().iter().map(|one| id(&one.json())).collect();
    came.sort();
    let mut expected = vec![id(&search), id(&init)];
    expected.sort();
    assert_eq!(came, expected, "each once");
    assert_eq!(network.queued().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nack_and_a_client_error_are_final() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    for (place, answer) in [Answer::Nack("30000"), Answer::Status(400), Answer::Status(404)].into_iter().enumerate() {
        bap.answer_next([answer]);
        let message = bap.message("init", fixture::booking(FIRST));
        bap.send(&message).await.ack();
        bap.heard(place + 1).await;
        network.idle().await;
        assert_eq!(bap.received().len(), place + 1);
        assert_eq!(network.rows().await.count_with(table::REPLIES, &[&id(&message), "refused"]), 1);
        assert_eq!(network.queued().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    bap.answer_next([Answer::Redirect("/elsewhere")]);
    let message = bap.message("select", fixture::selection(FIRST));
    bap.send(&message).await.ack();
    bap.heard(1).await;
    network.settle(CALLBACKS).await;
    let paths: Vec<String> = bap.received().into_iter().map(|one| one.path).collect();
    assert_eq!(paths, ["/on_select", "/on_select"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_took_in_time_rests_where_it_is_seen_and_can_be_sent_again() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    bap.close().await;
    let message = bap.message("init", fixture::booking(FIRST));
    bap.send(&message).await.ack();
    network.skip_to_retry(CALLBACKS).await;
    // The message's ten minutes pass.
    network.advance(SignedDuration::from_mins(11));
    network.settle(CALLBACKS).await;
    assert_eq!((network.depth(CALLBACKS).await, network.depth(DEAD).await), (0, 1));
    let dead = network.sqs().peek(DEAD, 10).await.unwrap();
    assert_eq!(dead[0].message_attributes["message_id"], id(&message));
    assert_eq!(network.rows().await.count_with(table::REPLIES, &[&id(&message)]), 1);

    // The operator sends it again once the peer is back.
    bap.open().await;
    assert_eq!(network.sqs().redrive(DEAD).await.unwrap(), 1);
    let delivered = bap.callbacks("on_init", &id(&message), 1).await;
    assert!(delivered[0].json()["message"]["order"]["id"].is_string());
    network.idle().await;
    assert_eq!((bap.received().len(), network.queued().await), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_dead_peer_does_not_hold_up_another() {
    let network = TestNetwork::start().await;
    let stuck = Stranger::bap(&network, "stuck.stranger.example").await;
    let well = Stranger::bap(&network, "well.stranger.example").await;
    stuck.answer(Answer::Held(200));
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let message = stuck.message("select", fixture::selection(FIRST));
        stuck.send(&message).await.ack();
        waiting.push(message);
    }
    stuck.heard(1).await;
    let answer = well.ask(&well.message("select", fixture::selection(FIRST))).await;
    assert_eq!(answer["error"], Value::Null);
    stuck.release();
    for message in waiting {
        stuck.callback(&message).await;
    }
    network.idle().await;
}
