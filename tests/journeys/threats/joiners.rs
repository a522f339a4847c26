//! Whoever joins can list anything about itself, and harm nobody by it.

use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::Stranger;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::joining::newcomer::{Newcomer, listed};

/// Attempts on a subscription in a minute.
const LIMIT: usize = 10;

/// What a newcomer asks for, in this domain and place.
fn asks_for(bpp: &Newcomer, domain: &str, country: &str, city: &str) -> Value {
    let mut asked = bpp.asks("k1");
    asked["domain"] = json!(domain);
    asked["location"] = json!({ "country": { "code": country }, "city": { "code": city } });
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_not_larger_than_a_row() {
    let network = TestNetwork::start().await;
    let bpp = Newcomer::of(&network, "bpp.newcomer.example", "BPP").await;
    let padded = |length: usize| {
        let mut asked = bpp.asks("k1");
        asked["note"] = json!("");
        let missing = length - asked.to_string().len();
        asked["note"] = json!("x".repeat(missing));
        asked
    };
    for length in [4 * 1024 + 1, 200 * 1024, 2 * 1024 * 1024] {
        assert_eq!(bpp.subscribe(&padded(length), "k1", None).await.status, 413, "{length} bytes");
    }
    assert!(bpp.told().is_empty());
    bpp.under_subscription(&padded(4 * 1024), "k1", None).await;
    network.idle().await;
    assert!(bpp.is_listed("k1").await);
}

/// A row is found by its domain and place joined: one that has too long names of them could be asked for and never
/// listed, and its challenge would fail until it is dead.
#[tokio::test(flavor = "multi_thread")]
async fn names_that_cannot_be_listed_are_refused_at_once() {
    let network = TestNetwork::start().await;
    let bpp = Newcomer::of(&network, "bpp.newcomer.example", "BPP").await;
    let long = |length: usize| "n".repeat(length);
    for (domain, country, city) in [
        (long(1_001), "IND".to_owned(), "std:044".to_owned()),
        ("dhp:0.7.3".to_owned(), long(1_001), "std:044".to_owned()),
        ("dhp:0.7.3".to_owned(), "IND".to_owned(), long(3_000)),
        (long(334), long(334), long(334)),
        ("\u{1f9a0}".repeat(250), "IND".to_owned(), "std:044".to_owned()),
    ] {
        let asked = asks_for(&bpp, &domain, &country, &city);
        let reply = bpp.subscribe(&asked, "k1", None).await;
        reply.nack(400, "30000", "domain");
    }
    network.idle().await;
    assert!(bpp.told().is_empty());
    assert_eq!(network.queued().await, 0);
    // As long as it may be: listed, and found by all of it.
    let ids = "bpp.newcomer.example".len() + "k1".len();
    let asked = asks_for(&bpp, &long(900 - ids), &long(50), &long(50));
    bpp.under_subscription(&asked, "k1", None).await;
    network.idle().await;
    assert_eq!(network.queued().await, 0);
    let wanted = json!({ "type": "BPP", "domain": asked["domain"], "country": long(50), "city": long(50) });
    assert!(listed(&network, wanted).await.contains(&"bpp.newcomer.example|k1".to_owned()));
}

/// The marks of our keys in what is listed: the row is found where it says, and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_found_where_it_says_and_nowhere_else() {
    let network = TestNetwork::start().await;
    let bpp = Newcomer::of(&network, "bpp.newcomer.example", "BPP").await;
    let asked = asks_for(&bpp, "dhp:0.7.3#IND#std:080", "*#*", "std:080#x");
    bpp.under_subscription(&asked, "k1", None).await;
    network.idle().await;
    let us = "bpp.newcomer.example|k1".to_owned();
    for elsewhere in [
        json!({ "type": "BPP", "domain": "dhp:0.7.3", "country": "IND", "city": "std:080" }),
        json!({ "type": "BPP", "domain": "dhp:0.7.3" }),
        json!({ "type": "BPP", "domain": "dhp:0.7.3#IND#std:080", "country": "*", "city": "*" }),
        json!({ "subscriber_id": "bpp.newcomer.example", "key_id": "1" }),
        json!({ "subscriber_id": "bpp" }),
    ] {
        assert!(!listed(&network, elsewhere.clone()).await.contains(&us), "{elsewhere}");
    }
    let here = json!({ "type": "BPP", "domain": "dhp:0.7.3#IND#std:080", "country": "*#*", "city": "std:080#x" });
    assert!(listed(&network, here).await.contains(&us));
}

/// One who asks on and on is told to wait, and nobody else is.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_subscriptions_is_its_senders_own() {
    let network = TestNetwork::start().await;
    let storm = Newcomer::bap(&network, "storm.example").await;
    let mut refused = 0;
    for number in 0..3 * LIMIT {
        let mut asked = storm.asks("k1");
        asked["note"] = json!(number);
        refused += usize::from(storm.subscribe(&asked, "k1", None).await.status == 429);
    }
    assert_eq!(refused, 2 * LIMIT);
    let calm = Newcomer::bap(&network, "calm.example").await;
    calm.under_subscription(&calm.asks("k1"), "k1", None).await;
    network.idle().await;
    assert!(calm.is_listed("k1").await);
    // Whom it did not challenge the registry has not called either.
    assert!(storm.told().len() <= 2 * LIMIT);
    network.advance(SignedDuration::from_secs(60));
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    bap.ask(&bap.message("search", json!({ "intent": {} }))).await;
}
