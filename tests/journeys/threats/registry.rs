//! Answers of a registry that cannot be believed, from a registry that answers whatever it likes.

use beckn_health::network::identity::Role;
use beckn_health_platform::registry::Place;
use beckn_health_protocol::registry::SubscriberType;
use beckn_health_tests::fixture;
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::outpost::{FalseRegistry, Outpost, with_registry};
use beckn_health_tests::stranger::Stranger;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// A message that the outpost must not have from `signer`.
fn search(signer: &Stranger) -> Value {
    signer.message("search", json!({ "intent": {} }))
}

fn row(stranger: &Stranger) -> Value {
    serde_json::to_value(stranger.row()).unwrap()
}

fn changed(mut row: Value, field: &str, value: Value) -> Value {
    row[field] = value;
    row
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_one_good_row_of_the_signer_is_not_believed() {
    let network = TestNetwork::start().await;
    let registry = FalseRegistry::open().await;
    let outpost = Outpost::open("bpp-search", with_registry(&network, Role::Bpp, registry.url())).await;
    // The network's own registry knows it, so what is acknowledged is answered.
    let bap = Stranger::bap(&network, "bap.stranger.example").await.moved_to(outpost.url());
    let victim = Stranger::bap(&network, "victim.example").await;
    let good = row(&bap);
    let with = |field: &str, value: Value| json!([changed(good.clone(), field, value)]);
    let without = |field: &str| {
        let mut row = good.clone();
        row.as_object_mut().unwrap().shift_remove(field);
        json!([row])
    };
    let ask = async || {
        // Whatever was said before is forgotten by now.
        network.advance(SignedDuration::from_secs(300));
        bap.send(&search(&bap)).await
    };
    let refused = [
        ("no row", json!([])),
        ("the row twice", json!([good, good])),
        (
            "two rows of one key, the other key first",
            json!([changed(good.clone(), "signing_public_key", row(&victim)["signing_public_key"].clone()), good]),
        ),
        (
            "two rows of one key, the other key last",
            json!([good, changed(good.clone(), "signing_public_key", row(&victim)["signing_public_key"].clone())]),
        ),
        ("somebody else's row", json!([row(&victim)])),
        ("our key in somebody else's row", with("subscriber_id", json!("victim.example"))),
        ("our key in a row of nobody", without("subscriber_id")),
        ("our name in another case", with("subscriber_id", json!("BAP.stranger.example"))),
        ("another key id", with("key_id", json!("k2"))),
        ("no key id", without("key_id")),
        ("a key id in another case", with("key_id", json!("K1"))),
        ("no key", without("signing_public_key")),
        ("a key of 31 bytes", with("signing_public_key", json!("A".repeat(41) + "A="))),
        ("a key of 33 bytes", with("signing_public_key", json!("A".repeat(44)))),
        ("somebody else's key", with("signing_public_key", row(&victim)["signing_public_key"].clone())),
        ("initiated", with("status", json!("INITIATED"))),
        ("under subscription", with("status", json!("UNDER_SUBSCRIPTION"))),
        ("expired", with("status", json!("EXPIRED"))),
        ("unsubscribed", with("status", json!("UNSUBSCRIBED"))),
        ("an unusable certificate", with("status", json!("INVALID_SSL"))),
        ("a status nobody knows", with("status", json!("SUBSCRIBED?"))),
        ("no status", without("status")),
        ("no longer valid", with("valid_until", json!("2026-11-01T00:00:00Z"))),
        ("not yet valid", with("valid_from", json!("2027-11-01T00:00:00Z"))),
        ("no type", without("type")),
        ("no url", without("url")),
    ];
    for (what, answer) in refused {
        registry.says(answer);
        let reply = ask().await;
        assert!(reply.status == 401 && !reply.is_ack(), "{what}: {} {}", reply.status, reply.body);
        reply.nack(401, "30016", "");
    }
    // No answer at all, or none that can be read, is our fault and not the sender's.
    for answer in
        [json!("x"), json!(7), Value::Null, json!([7]), json!([[]]), json!([{ "subscriber_id": 7 }]), json!([good, 7])]
    {
        registry.says(answer.clone());
        assert_eq!(ask().await.status, 503, "{answer}");
    }
    // Another role, another domain: it is who it says, but may not say this.
    registry.says(with("type", json!("BPP")));
    ask().await.nack(200, "30000", "context.bap_id");
    registry.says(with("domain", json!("retail:1.1.0")));
    ask().await.nack(200, "30000", "context.domain");
    assert_eq!(network.queued().await, 0);

    for (what, answer) in [
        ("the row", json!([good])),
        ("the row, not in a list", good.clone()),
        ("the row for its domain", with("domain", json!("dhp:0.7.3"))),
        ("the row for every domain", with("domain", json!("*"))),
        ("with another key of ours", json!([changed(good.clone(), "key_id", json!("k2")), good])),
        ("among the rows of all", json!([row(&victim), good, changed(row(&victim), "key_id", json!("k7"))])),
        ("with an ended row of the same key", json!([changed(good.clone(), "status", json!("EXPIRED")), good])),
    ] {
        registry.says(answer);
        let reply = ask().await;
        assert!(reply.is_ack(), "{what}: {} {}", reply.status, reply.body);
    }
}

/// A registry that looks names up carelessly must not let one participant be another.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_becomes_somebody_else_by_a_careless_answer() {
    let network = TestNetwork::start().await;
    let registry = FalseRegistry::open().await;
    let outpost = Outpost::open("bpp-init", with_registry(&network, Role::Bpp, registry.url())).await;
    let victim = Stranger::bap(&network, "victim.example").await;
    let thief = Stranger::unregistered(&network, "thief.example", SubscriberType::Bap).await.moved_to(outpost.url());
    // Asked for the thief, it names the victim, with the thief's key.
    registry.says(json!([changed(row(&victim), "signing_public_key", row(&thief)["signing_public_key"].clone())]));
    let mut posing = thief.message("init", fixture::booking(fixture::FIRST));
    posing["context"]["bap_id"] = json!("victim.example");
    posing["context"]["bap_uri"] = json!(victim.url());
    thief.send(&posing).await.nack(401, "30016", "");
    network.idle().await;
    assert!(victim.received().is_empty());
}

/// A registry lists what its participants told it; a search must reach the others all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_read_hides_no_other_provider_of_its_place() {
    let network = TestNetwork::start().await;
    let registry = FalseRegistry::open().await;
    let gateway = with_registry(&network, Role::Gateway, registry.url());
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    let place = |city: &str| Place { domain: None, country: None, city: Some(city.to_owned()) };
    registry.says(json!([7, changed(row(&bpp), "valid_until", json!("some day")), row(&bpp), {}]));
    let found = gateway.registry.providers(place("std:080")).await.unwrap();
    assert_eq!(found.iter().map(|peer| peer.subscriber_id.as_str()).collect::<Vec<_>>(), ["bpp.stranger.example"]);
    // Where nothing can be read, nobody is told that there is no provider.
    registry.says(json!([7, [], { "subscriber_id": 7 }]));
    assert!(gateway.registry.providers(place("std:022")).await.is_err());
}

/// Only providers are sent searches, whatever else an answer lists; and asking is bounded.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_name_is_not_asked_for_again_and_again() {
    let network = TestNetwork::start().await;
    let registry = FalseRegistry::open().await;
    let outpost = Outpost::open("bpp-search", with_registry(&network, Role::Bpp, registry.url())).await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await.moved_to(outpost.url());
    for _ in 0..50 {
        bap.send(&search(&bap)).await.nack(401, "30016", "");
    }
    assert!(registry.asked() <= 2, "asked {} times", registry.asked());
    // Fifty at once, of a name that is not remembered.
    let other =
        Stranger::unregistered(&network, "other.stranger.example", SubscriberType::Bap).await.moved_to(outpost.url());
    let other = std::sync::Arc::new(other);
    let before = registry.asked();
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let other = other.clone();
            tokio::spawn(async move { other.send(&search(&other)).await.status })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), 401);
    }
    assert!(registry.asked() - before <= 2, "asked {} times", registry.asked() - before);
    // A good signature by a key that is known costs no question at all; a wrong one at most one every five seconds.
    registry.says(json!([row(&bap)]));
    network.advance(SignedDuration::from_secs(5));
    bap.send(&search(&bap)).await.ack();
    let known = registry.asked();
    network.advance(SignedDuration::from_secs(5));
    for _ in 0..50 {
        let header = bap.sign(b"{}");
        let bytes = search(&bap).to_string().into_bytes();
        bap.post("/bpp/search", &[super::JSON, ("authorization", &header)], bytes).await.nack(401, "30016", "");
    }
    assert_eq!(registry.asked(), known + 1);
}
