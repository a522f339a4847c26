//! Two patients, one slot.

use beckn_health_platform::store::table;
use beckn_health_tests::fixture::{self, FIRST, SECOND, THIRD};
use beckn_health_tests::fresh_id;
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::Stranger;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Sends all at once and gives the callback to each, in the order of the messages.
async fn all_at_once(bap: &Arc<Stranger>, messages: Vec<Value>) -> Vec<Value> {
    let mut running = JoinSet::new();
    for (place, message) in messages.into_iter().enumerate() {
        let bap = bap.clone();
        running.spawn(async move { (place, bap.ask(&message).await) });
    }
    let mut answers = running.join_all().await;
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

fn order_id(callback: &Value) -> String {
    callback["message"]["order"]["id"].as_str().unwrap_or_else(|| panic!("no order in {callback}")).to_owned()
}

fn refusal(callback: &Value) -> (&str, &str) {
    (callback["error"]["code"].as_str().unwrap_or(""), callback["error"]["paths"].as_str().unwrap_or(""))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_who_want_a_slot_one_holds_it() {
    let network = TestNetwork::start().await;
    let bap = Arc::new(Stranger::bap(&network, "bap.stranger.example").await);
    let wanted = (0..8).map(|_| bap.message("init", fixture::booking(FIRST))).collect();
    let answers = all_at_once(&bap, wanted).await;
    let (held, refused): (Vec<&Value>, Vec<&Value>) = answers.iter().partition(|answer| answer["error"].is_null());
    assert_eq!((held.len(), refused.len()), (1, 7));
    for answer in refused {
        assert_eq!(refusal(answer), ("30008", "message.order.fulfillments[0].id"));
        assert_eq!(answer["message"], Value::Null);
    }
    let rows = network.rows().await;
    assert_eq!(rows.count(table::SLOTS), 1);
    assert_eq!(rows.count_with(table::SLOTS, &[&order_id(held[0]), "held"]), 1);
    assert_eq!(rows.count(table::ORDERS), 1, "the refused left no order");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_of_eight_platforms_are_told_apart() {
    let network = TestNetwork::start().await;
    let mut baps = Vec::new();
    for number in 0..8 {
        baps.push(Stranger::bap(&network, &format!("bap{number}.stranger.example")).await);
    }
    // All use the same transaction id and the same message id.
    let (transaction, message_id) = (fresh_id(), fresh_id());
    let mut running = JoinSet::new();
    for bap in baps {
        let mut message = bap.message_in(&transaction, "init", fixture::booking(FIRST));
        message["context"]["message_id"] = json!(message_id);
        running.spawn(async move { bap.ask(&message).await });
    }
    let answers = running.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer["error"].is_null()).count(), 1);
    assert_eq!(answers.iter().filter(|answer| refusal(answer).0 == "30008").count(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_confirms_make_one_booking() {
    let network = TestNetwork::start().await;
    let bap = Arc::new(Stranger::bap(&network, "bap.stranger.example").await);
    let tx = fresh_id();
    let held = order_id(&bap.ask_in(&tx, "init", fixture::booking(FIRST)).await);
    let confirm = || bap.message_in(&tx, "confirm", fixture::confirmation(&held));
    let repeated = confirm();
    let mut messages = vec![repeated.clone(), repeated.clone(), repeated.clone()];
    messages.extend((0..5).map(|_| confirm()));
    let answers = all_at_once(&bap, messages).await;
    network.idle().await;
    for answer in &answers {
        assert_eq!(answer["error"], Value::Null);
        assert_eq!(answer["message"], answers[0]["message"], "every answer shows the same order");
        assert_eq!(order_id(answer), held);
    }
    // Who repeats a message gets the very same bytes again.
    let id = repeated["context"]["message_id"].as_str().unwrap();
    let same = bap.callbacks("on_confirm", id, 3).await;
    assert!(same.iter().all(|one| one.body == same[0].body));
    let rows = network.rows().await;
    assert_eq!(rows.count(table::SLOTS), 1);
    assert_eq!(rows.count_with(table::SLOTS, &[&held, "booked"]), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_lapses_by_itself() {
    let network = TestNetwork::start().await;
    let first = Stranger::bap(&network, "first.stranger.example").await;
    let second = Stranger::bap(&network, "second.stranger.example").await;
    let (slow, quick) = (fresh_id(), fresh_id());
    let lost = order_id(&first.ask_in(&slow, "init", fixture::booking(FIRST)).await);

    network.advance(SignedDuration::from_secs(599));
    let refused = second.ask_in(&quick, "init", fixture::booking(FIRST)).await;
    assert_eq!(refusal(&refused).0, "30008", "the hold counts to its last second");

    network.advance(SignedDuration::from_secs(2));
    let taken = order_id(&second.ask_in(&quick, "init", fixture::booking(FIRST)).await);
    assert_ne!(taken, lost);
    assert_eq!(network.rows().await.count_with(table::SLOTS, &[&taken, "held"]), 1);

    let late = first.ask_in(&slow, "confirm", fixture::confirmation(&lost)).await;
    assert_eq!(refusal(&late), ("40003", "message.order"));
    let status = first.ask_in(&slow, "status", json!({ "order_id": lost })).await;
    assert_eq!(status["message"]["order"]["status"], "CANCELLED", "shown as what it has become");
    let confirmed = second.ask_in(&quick, "confirm", fixture::confirmation(&taken)).await;
    assert_eq!(confirmed["error"], Value::Null);

    // The first may choose again, but not this slot.
    let refused = first.ask_in(&slow, "init", fixture::booking(FIRST)).await;
    assert_eq!(refusal(&refused).0, "30008");
    let again = first.ask_in(&slow, "init", fixture::booking(SECOND)).await;
    assert_eq!(order_id(&again), lost, "a transaction has one order");
    assert_eq!(network.rows().await.count_with(table::SLOTS, &[&taken, "booked"]), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lapsed_hold_cannot_be_confirmed_even_if_nobody_else_wants_it() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let tx = fresh_id();
    let held = order_id(&bap.ask_in(&tx, "init", fixture::booking(FIRST)).await);
    // Asking again for the same slot does not prolong the hold.
    network.advance(SignedDuration::from_secs(300));
    assert_eq!(bap.ask_in(&tx, "init", fixture::booking(FIRST)).await["message"]["order"]["quote"]["ttl"], "PT300S");
    network.advance(SignedDuration::from_secs(301));
    let before = network.rows().await;
    let late = bap.ask_in(&tx, "confirm", fixture::confirmation(&held)).await;
    assert_eq!(refusal(&late), ("40003", "message.order"));
    assert_eq!(network.rows().await.without(table::REPLIES), before.without(table::REPLIES));
}

#[tokio::test(flavor = "multi_thread")]
async fn moving_and_cancelling_free_the_slot() {
    let network = TestNetwork::start().await;
    let first = Stranger::bap(&network, "first.stranger.example").await;
    let second = Stranger::bap(&network, "second.stranger.example").await;
    let (one, two, three) = (fresh_id(), fresh_id(), fresh_id());
    let order = order_id(&first.ask_in(&one, "init", fixture::booking(FIRST)).await);
    let moved = first.ask_in(&one, "init", fixture::booking(SECOND)).await;
    assert_eq!(
        (order_id(&moved), &moved["message"]["order"]["fulfillments"][0]["id"]),
        (order.clone(), &json!(SECOND))
    );
    let rows = network.rows().await;
    assert_eq!((rows.count(table::SLOTS), rows.count_with(table::SLOTS, &["05:00:00Z", &order])), (1, 1));

    // The first slot is free, the second is not.
    order_id(&second.ask_in(&two, "init", fixture::booking(FIRST)).await);
    assert_eq!(refusal(&second.ask_in(&three, "init", fixture::booking(SECOND)).await).0, "30008");
    // A consumer who cannot have the slot it wants keeps the one it has.
    assert_eq!(refusal(&first.ask_in(&one, "init", fixture::booking(FIRST)).await).0, "30008");
    assert_eq!(network.rows().await.count_with(table::SLOTS, &["05:00:00Z", &order]), 1);

    first.ask_in(&one, "confirm", fixture::confirmation(&order)).await;
    let refused = first.ask_in(&one, "init", fixture::booking(THIRD)).await;
    assert_eq!(refusal(&refused).0, "40000", "a confirmed order is not moved by init");
    first.ask_in(&one, "cancel", json!({ "order_id": order })).await;
    let free = second.ask_in(&three, "init", fixture::booking(SECOND)).await;
    assert_eq!(free["error"], Value::Null);
    assert_eq!(network.rows().await.count(table::SLOTS), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digital_and_a_physical_service_of_one_doctor_do_not_share_times() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    // The tele service has no slot in the morning session.
    let refused = bap.ask(&bap.message("init", fixture::booking("cons-01-tele@20261123T043000Z"))).await;
    assert_eq!(refusal(&refused).0, "30008");
    let held = bap.ask(&bap.message("init", fixture::booking("cons-01-tele@20261123T113000Z"))).await;
    assert_eq!(held["error"], Value::Null);
}
