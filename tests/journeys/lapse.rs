//! What follows when a hold lapses.

use beckn_health_platform::store::table;
use beckn_health_tests::fixture::{self, FIRST, SECOND};
use beckn_health_tests::fresh_id;
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::{Answer, Stranger};
use jiff::SignedDuration;
use serde_json::Value;

fn held(callback: &Value) -> String {
    callback["message"]["order"]["id"].as_str().unwrap_or_else(|| panic!("no order in {callback}")).to_owned()
}

/// Everything the stranger was told of a cancellation.
fn cancellations(bap: &Stranger) -> Vec<Value> {
    bap.received().iter().filter(|received| received.path == "/on_cancel").map(|received| received.json()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lapsed_hold_is_released_and_its_consumer_told_once() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let tx = fresh_id();
    let order = held(&bap.ask_in(&tx, "init", fixture::booking(FIRST)).await);

    network.idle().await;
    network.advance(SignedDuration::from_secs(590));
    network.tick().await;
    assert_eq!(network.rows().await.count_with(table::SLOTS, &[&order, "held"]), 1, "the hold still counts");

    network.idle().await;
    network.advance(SignedDuration::from_secs(20));
    network.tick().await;
    let told = bap.heard(2).await.pop().unwrap().json();
    assert_eq!(told["context"]["action"], "on_cancel");
    assert_eq!(told["context"]["transaction_id"], tx.as_str());
    assert_eq!(told["message"]["order"]["id"], order.as_str());
    assert_eq!(told["message"]["order"]["status"], "CANCELLED");
    assert_eq!(told["message"]["order"]["cancellation"]["cancelled_by"], "PROVIDER");
    network.idle().await;
    let rows = network.rows().await;
    assert_eq!(rows.count_with(table::SLOTS, &[&order]), 0, "the slot is free");

    // Neither another tick nor another minute tells it again.
    network.idle().await;
    network.advance(SignedDuration::from_secs(60));
    network.tick().await;
    network.idle().await;
    assert_eq!(cancellations(&bap).len(), 1);

    // Recorded or not, a lapse lets its consumer hold again; a second lapse is a new event.
    let again = bap.ask_in(&tx, "init", fixture::booking(SECOND)).await;
    assert_eq!(held(&again), order, "a transaction has one order");
    network.idle().await;
    network.advance(SignedDuration::from_secs(610));
    network.tick().await;
    let told = bap.heard(4).await;
    let ids: Vec<Value> = told.iter().map(|received| received.json()["context"]["message_id"].clone()).collect();
    assert_eq!(cancellations(&bap).len(), 2);
    assert_eq!(ids.iter().filter(|id| **id == ids[3]).count(), 1, "each cancellation has a message id of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_given_up_or_moved_does_not_lapse() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let (kept, given_up) = (fresh_id(), fresh_id());
    let order = held(&bap.ask_in(&kept, "init", fixture::booking(FIRST)).await);
    bap.ask_in(&kept, "confirm", fixture::confirmation(&order)).await;
    let other = held(&bap.ask_in(&given_up, "init", fixture::booking(SECOND)).await);
    bap.ask_in(&given_up, "cancel", serde_json::json!({ "order_id": other })).await;
    let before = cancellations(&bap).len();
    network.idle().await;
    network.advance(SignedDuration::from_secs(700));
    network.tick().await;
    network.idle().await;
    assert_eq!(network.rows().await.count_with(table::SLOTS, &[&order, "booked"]), 1);
    assert_eq!(cancellations(&bap).len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_is_away_is_told_later() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let tx = fresh_id();
    bap.ask_in(&tx, "init", fixture::booking(FIRST)).await;
    bap.answer_next([Answer::Status(500)]);
    network.idle().await;
    network.advance(SignedDuration::from_secs(610));
    network.tick().await;
    bap.heard(2).await;
    network.skip_to_retry("bpp-callbacks").await;
    let told = bap.heard(3).await.pop().unwrap().json();
    assert_eq!(told["context"]["action"], "on_cancel");
}
