//! Keys: weak ones, damaged ones, ones that were taken back.

use std::sync::Arc;

use beckn_health::network::{Config, Network};
use beckn_health_platform::clock::ManualClock;
use beckn_health_protocol::dialect::Reading;
use beckn_health_protocol::registry::{SubscriberType, Subscription, SubscriptionStatus};
use beckn_health_tests::fixture::{self, FIRST};
use beckn_health_tests::forger::{decode, encode, nobodys_signature, small_order_keys, with};
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::Stranger;
use beckn_health_tests::within;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::JSON;

fn search(bap: &Stranger) -> Value {
    bap.message("search", json!({ "intent": {} }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_small_order_signs_nothing() {
    let network = TestNetwork::start().await;
    for (place, key) in small_order_keys().into_iter().enumerate() {
        let bap = Stranger::unregistered(&network, &format!("weak-{place}.example"), SubscriberType::Bap).await;
        network.register(&Subscription { signing_public_key: Some(key), ..bap.row() }).await;
        let bytes = search(&bap).to_string().into_bytes();
        let honest = bap.sign(&bytes);
        for header in [with(&honest, "signature", &nobodys_signature()), honest] {
            let reply = bap.post("/bpp/search", &[JSON, ("authorization", &header)], bytes.clone()).await;
            reply.nack(401, "30016", "");
        }
    }
    assert_eq!(network.queued().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_form_signs_nothing() {
    let network = TestNetwork::start().await;
    let good = Stranger::bap(&network, "good.example").await;
    let raw = decode(good.row().signing_public_key.as_deref().unwrap()).unwrap();
    // SubjectPublicKeyInfo of X25519 and of Ed25519: the same 32 bytes, another curve.
    let der = |curve: u8| {
        encode([&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, curve, 0x03, 0x21, 0x00], raw.as_slice()].concat())
    };
    let cases = [
        ("31 bytes", encode(&raw[..31]), false),
        ("33 bytes", encode([raw.as_slice(), &[0]].concat()), false),
        ("64 bytes", encode([raw.as_slice(), &raw].concat()), false),
        ("none", String::new(), false),
        ("no Base64", "not a key".to_owned(), false),
        ("no point", encode([2; 32]), false),
        ("for encryption", der(0x6e), false),
        ("as DER", der(0x70), true),
    ];
    for (what, key, welcome) in cases {
        // The same seed and so the same private key: only how the public one is registered differs.
        let bap = Stranger::unregistered(&network, "good.example", SubscriberType::Bap).await;
        network.register(&Subscription { signing_public_key: Some(key), ..bap.row() }).await;
        network.advance(SignedDuration::from_secs(301));
        let reply = bap.send(&search(&bap)).await;
        assert_eq!(reply.is_ack(), welcome, "{what}: {}", reply.body);
        if !welcome {
            reply.nack(401, "30016", "");
        }
    }
}

/// A private key of 64 bytes brings its public half along; one that brings another's would sign with two keys at
/// once and tell its secret.
#[tokio::test(flavor = "multi_thread")]
async fn a_private_key_with_another_public_half_is_not_used() {
    fn damage(value: &mut Value) -> usize {
        match value {
            Value::String(text) => match decode(text).filter(|bytes| bytes.len() == 64) {
                Some(mut bytes) => {
                    bytes[63] ^= 1;
                    *text = encode(bytes);
                    1
                }
                None => 0,
            },
            Value::Array(list) => list.iter_mut().map(damage).sum(),
            Value::Object(object) => object.values_mut().map(damage).sum(),
            _ => 0,
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let config = || Config {
        listen: ([127, 0, 0, 1], 0).into(),
        data: Some(folder.path().to_owned()),
        catalogue: None,
        clock: Arc::new(ManualClock::at(fixture::monday())),
        reading: Reading::Compat,
        callers: None,
    };
    within("the network to start", Network::start(config())).await.unwrap().stop().await;
    let path = folder.path().join("keys").join("bpp.json");
    let mut file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(damage(&mut file) > 0, "a private key with its public half is kept");
    std::fs::write(&path, file.to_string()).unwrap();
    let told = match within("the network to refuse", Network::start(config())).await {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    };
    assert!(told.contains("bpp.json"), "{told}");
    let secret = file.to_string();
    assert!(!secret.split('"').any(|word| word.len() > 40 && told.contains(word)), "the secret is not told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_stops_within_five_minutes_and_a_new_one_works_at_once() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    bap.send(&search(&bap)).await.ack();

    // A second key, while the first is remembered.
    let new =
        Stranger::unregistered(&network, "bap.stranger.example", SubscriberType::Bap).await.with_key("k2", [9; 32]);
    new.send(&search(&new)).await.nack(401, "30016", "");
    network.register(&new.row()).await;
    network.advance(SignedDuration::from_secs(5));
    new.send(&search(&new)).await.ack();
    bap.send(&search(&bap)).await.ack();

    // The first is taken back; 300 s after the row was last fetched nothing is left of it.
    network.register(&Subscription { status: Some(SubscriptionStatus::Unsubscribed), ..bap.row() }).await;
    network.advance(SignedDuration::from_secs(300));
    let late = search(&bap).to_string().into_bytes();
    bap.send_bytes("/bpp/search", late.clone()).await.nack(401, "30016", "");
    bap.send_bytes("/gateway/search", late).await.nack(401, "30016", "");
    new.send(&search(&new)).await.ack();
    // Whatever a message of the revoked key was, it is not stored for later either.
    network.idle().await;
    assert_eq!(network.queued().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_replaced_under_its_own_id_works_at_once() {
    let network = TestNetwork::start().await;
    let old = Stranger::bap(&network, "bap.stranger.example").await;
    old.send(&search(&old)).await.ack();
    let new =
        Stranger::unregistered(&network, "bap.stranger.example", SubscriberType::Bap).await.with_key("k1", [9; 32]);
    network.register(&new.row()).await;
    network.advance(SignedDuration::from_secs(5));
    new.send(&search(&new)).await.ack();
    // Whoever has seen the new one forgets the old one with it.
    old.send(&search(&old)).await.nack(401, "30016", "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_works_until_its_last_second_and_not_beyond() {
    let network = TestNetwork::start().await;
    let bap = Stranger::unregistered(&network, "bap.stranger.example", SubscriberType::Bap).await;
    let until = network.now() + SignedDuration::from_secs(400);
    network.register(&Subscription { valid_until: Some(until), ..bap.row() }).await;
    bap.send(&search(&bap)).await.ack();
    // A signature does not outlive its key.
    let bytes = search(&bap).to_string().into_bytes();
    let (now, end) = (network.now().as_second(), until.as_second());
    for (expires, welcome) in [(end, true), (end + 1, false)] {
        let header = bap.sign_between(&bytes, now, expires);
        let reply = bap.post("/bpp/search", &[JSON, ("authorization", &header)], bytes.clone()).await;
        assert_eq!((reply.status, reply.is_ack()), if welcome { (200, true) } else { (401, false) }, "{expires}");
    }
    // Nor does a row that is remembered: here it was fetched anew just before its end.
    network.advance(SignedDuration::from_secs(399));
    let bytes = search(&bap).to_string().into_bytes();
    let header = bap.sign_between(&bytes, end - 1, end);
    bap.post("/bpp/search", &[JSON, ("authorization", &header)], bytes.clone()).await.ack();
    network.advance(SignedDuration::from_secs(1));
    let reply = bap.post("/bpp/search", &[JSON, ("authorization", &header)], bytes).await;
    reply.nack(401, "30016", "");

    // The end of a key that replaced another counts as well, though only the registry knows it yet.
    let old = Stranger::bap(&network, "other.stranger.example").await;
    old.send(&search(&old)).await.ack();
    let new =
        Stranger::unregistered(&network, "other.stranger.example", SubscriberType::Bap).await.with_key("k1", [9; 32]);
    let soon = network.now() + SignedDuration::from_secs(100);
    network.register(&Subscription { valid_until: Some(soon), ..new.row() }).await;
    network.advance(SignedDuration::from_secs(5));
    // It is signed for five minutes.
    new.send(&search(&new)).await.nack(401, "30016", "");
    let bytes = search(&new).to_string().into_bytes();
    let header = new.sign_between(&bytes, network.now().as_second(), soon.as_second());
    new.post("/bpp/search", &[JSON, ("authorization", &header)], bytes).await.ack();
}

/// A registry that cannot answer is no way to keep a revoked key alive: see [`super::registry`].
#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_nobody_can_have_does_not_silence_the_registry() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let absurd = |field: &str, length: usize| {
        let mut message = search(&bap);
        let context = message["context"].as_object_mut().unwrap();
        context.shift_remove("bpp_id");
        context.shift_remove("bpp_uri");
        match field {
            "domain" => message["context"]["domain"] = json!("d".repeat(length)),
            place => message["context"]["location"] = json!({ place: { "code": "p".repeat(length) } }),
        }
        message.to_string().into_bytes()
    };
    for field in ["domain", "country", "city"] {
        for length in [256, 1_024, 1_025, 2_048, 200_000] {
            let reply = bap.send_bytes("/gateway/search", absurd(field, length)).await;
            reply.nack(200, "30001", "context.location");
        }
    }
    // The registry itself: an answer without rows, no failure that would make its askers do without it.
    for lookup in [
        json!({ "domain": "d".repeat(2_000) }),
        json!({ "type": "BPP", "domain": "d".repeat(200_000) }),
        json!({ "type": "BPP", "city": "c".repeat(2_000) }),
        json!({ "type": "BPP", "country": "\u{10ffff}".repeat(250), "city": "\u{10ffff}".repeat(250) }),
        json!({ "key_id": "\u{10ffff}".repeat(255) }),
        json!({ "subscriber_id": "\u{10ffff}".repeat(255), "key_id": "\u{10ffff}".repeat(255) }),
    ] {
        let reply = bap.send_bytes("/registry/lookup", lookup.to_string().into_bytes()).await;
        // Whoever names no place serves all, also those that nobody can have.
        assert!(matches!(reply.status, 200 | 400), "{}: {}", reply.status, reply.body);
    }
    // So a key that is revoked is gone in time, however its owner keeps the registry busy.
    network.register(&Subscription { status: Some(SubscriptionStatus::Unsubscribed), ..bap.row() }).await;
    for _ in 0..60 {
        network.advance(SignedDuration::from_secs(5));
        bap.send_bytes("/gateway/search", absurd("domain", 2_000)).await;
    }
    bap.send_bytes("/gateway/search", absurd("domain", 20)).await.nack(401, "30016", "");
    bap.send(&bap.message("init", fixture::booking(FIRST))).await.nack(401, "30016", "");
}
