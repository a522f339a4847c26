//! Strangers join the network over HTTP, change their keys and leave, and nobody joins in another's name.

pub(crate) mod newcomer;
mod rotation;

use beckn_health::network::identity::Role;
use beckn_health_platform::store::limits::{Limited, Limits};
use beckn_health_protocol::challenge;
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::{fixture, http};
use jiff::SignedDuration;
use newcomer::{Answer, Newcomer, key, listed};
use serde_json::{Value, json};

const QUEUE: &str = "registry-verify";

/// Rows are cached for five minutes.
const FORGOTTEN: SignedDuration = SignedDuration::from_secs(301);

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_joins_and_is_served() {
    let network = TestNetwork::start().await;
    let bap = Newcomer::bap(&network, "bap.newcomer.example").await;
    bap.answer_next([Answer::Held]);
    bap.under_subscription(&bap.asks("k1"), "k1", None).await;
    let asked = bap.heard("/beckn/on_subscribe").await;
    assert_eq!((&asked["subscriber_id"], &asked["pub_key_id"]), (&json!(bap.id), &json!("k1")));
    // While it is being checked it is not served, and is told so when it asks again.
    assert_eq!(listed(&network, json!({ "subscriber_id": bap.id })).await, [""; 0]);
    assert!(!bap.is_listed("k1").await && !bap.is_believed("k1").await);
    bap.under_subscription(&bap.asks("k1"), "k1", None).await;
    bap.release();
    network.idle().await;
    network.advance(SignedDuration::from_secs(5));
    assert_eq!(listed(&network, json!({ "subscriber_id": bap.id })).await, ["bap.newcomer.example|k1"]);
    assert_eq!(bap.announced(), [("k1".to_owned(), "SUBSCRIBED".to_owned())]);
    let reply = bap.subscribe(&bap.asks("k1"), "k1", None).await;
    assert_eq!((reply.status, reply.body), (200, json!({ "status": "SUBSCRIBED" })));
    // It trades at once.
    let search = bap.search();
    let bytes = search.to_string().into_bytes();
    bap.post("/bpp/search", &[("authorization", bap.signed("k1", &bytes))], bytes).await.ack();
    let found = bap.heard("/beckn/on_search").await;
    assert_eq!(fixture::items(&found).len(), 5);
    // What is listed is what was asked for.
    let row = bap.lookup(&json!({ "subscriber_id": bap.id }), "k1").await.body[0].clone();
    for (name, value) in bap.asks("k1").as_object().unwrap() {
        assert_eq!(&row[name], value, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_names_that_other_networks_use_are_understood() {
    let network = TestNetwork::start().await;
    let bpp = Newcomer::of(&network, "bpp.newcomer.example", "BPP").await;
    let asked = bpp.asks("k1");
    let other = json!({
        "subscriber_id": asked["subscriber_id"],
        "subscriber_url": asked["url"],
        "type": "bpp",
        "domain": asked["domain"],
        "country": "IND",
        "city": "std:044",
        "unique_key_id": "k1",
        "signing_public_key": asked["signing_public_key"],
        "encryption_public_key": asked["encr_public_key"],
        "valid_until": "2027-01-01T00:00:00",
        "nonce": "0c0f1b6e-6a3b-4d1f-8f43-1c2f9a0f2f11",
    });
    bpp.under_subscription(&other, "k1", None).await;
    network.idle().await;
    let row = bpp.lookup(&json!({ "ukId": "k1", "city": "std:044" }), "k1").await.body[0].clone();
    assert_eq!(
        (&row["url"], &row["type"], &row["valid_until"]),
        (&asked["url"], &json!("BPP"), &json!("2027-01-01T00:00:00Z"))
    );
    assert_eq!((&row["location"], &row["nonce"]), (&asked["location"], &Value::Null));
    // The gateway finds it.
    let bap = Newcomer::listed(&network, "bap.newcomer.example").await;
    let mut search = bap.search();
    search["context"]["location"] = json!({ "city": { "code": "std:044" } });
    let bytes = search.to_string().into_bytes();
    bap.post("/gateway/search", &[("authorization", bap.signed("k1", &bytes))], bytes).await.ack();
    assert_eq!(bpp.heard("/beckn/search").await, search);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_answer_leaves_out_at_once_and_another_challenge_can_be_had() {
    let network = TestNetwork::start().await;
    let bap = Newcomer::bap(&network, "bap.newcomer.example").await;
    for (answer, reason) in
        [(Answer::Wrong, "wrong answer"), (Answer::Status(200), "no answer"), (Answer::Status(404), "status 404")]
    {
        bap.answer_next([answer]);
        let body = if bap.told().is_empty() { bap.asks("k1") } else { json!({}) };
        bap.under_subscription(&body, "k1", None).await;
        network.idle().await;
        let reply = bap.subscribe(&bap.asks("k1"), "k1", None).await;
        assert_eq!((reply.status, &reply.body["status"]), (200, &json!("INITIATED")));
        let told = reply.body["error"]["message"].as_str().unwrap();
        assert!(told.contains(reason), "{told}");
        assert!(!bap.is_listed("k1").await);
    }
    let announced = bap.told().into_iter().filter(|body| body["status"] == "INITIATED");
    assert!(announced.map(|body| body["reason"].as_str().unwrap().to_owned()).eq([
        "on_subscribe gave a wrong answer: decrypt the challenge with the private half of encr_public_key and the registry's key from /keys",
        "on_subscribe gave no answer: expected {\"answer\": \"<text>\"}",
        "on_subscribe answered with status 404; expected 200, and no redirect",
    ]));
    // The empty object, signed by the key that waits.
    bap.under_subscription(&json!({}), "k1", None).await;
    network.idle().await;
    network.advance(SignedDuration::from_secs(5));
    assert!(bap.is_listed("k1").await);
    // A key that is listed stays so, whatever it answers to another challenge.
    bap.answer_next([Answer::Wrong]);
    bap.under_subscription(&json!({}), "k1", None).await;
    network.idle().await;
    assert!(bap.is_listed("k1").await);
    let reply = bap.subscribe(&bap.asks("k1"), "k1", None).await;
    assert_eq!(reply.body["status"], "SUBSCRIBED");
    assert!(reply.body["error"]["message"].as_str().unwrap().contains("wrong answer"));
    assert_eq!(network.queued().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_asked_five_times_and_then_leaves_out() {
    let network = TestNetwork::start().await;
    let bap = Newcomer::bap(&network, "bap.newcomer.example").await;
    bap.answer_next([Answer::Status(503); 5]);
    bap.under_subscription(&bap.asks("k1"), "k1", None).await;
    network.settle(QUEUE).await;
    let challenges = || bap.told().iter().filter(|body| body["challenge"].is_string()).count();
    assert_eq!(challenges(), 5);
    let mut texts: Vec<Value> = bap.told().iter().map(|body| body["challenge"].clone()).collect();
    texts.sort_by_key(ToString::to_string);
    texts.dedup();
    assert!(texts.len() > 4, "each challenge is a fresh one");
    let reply = bap.subscribe(&bap.asks("k1"), "k1", None).await;
    assert_eq!(reply.body["error"]["message"], "on_subscribe answered with status 503; it was asked 5 times");
    assert_eq!(network.queued().await, 0, "given up, and nothing left lying");
    // One that comes back between two tries is listed.
    bap.answer_next([Answer::Status(503), Answer::Status(429)]);
    bap.under_subscription(&json!({}), "k1", None).await;
    network.settle(QUEUE).await;
    assert!(bap.is_listed("k1").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn possession_is_proved_or_nothing_happens() {
    let network = TestNetwork::start().await;
    let bap = Newcomer::bap(&network, "bap.newcomer.example").await;
    let before = network.rows().await;
    let asked = bap.asks("k1");
    let bytes = asked.to_string().into_bytes();
    let now = network.now();
    let other = key("other.example", "k1");
    let late = key(bap.id.as_str(), "k1").sign(&bap.id, &bytes, now - SignedDuration::from_secs(301));
    for (what, headers) in [
        ("no signature", vec![]),
        ("by another key under its id", vec![("authorization", other.sign(&bap.id, &bytes, now))]),
        ("by another of its keys", vec![("authorization", bap.signed("k2", &bytes))]),
        ("over other bytes", vec![("authorization", bap.signed("k1", b"{}"))]),
        ("that has expired", vec![("authorization", late)]),
        ("given twice", vec![("authorization", bap.signed("k1", &bytes)); 2]),
    ] {
        let reply = bap.post("/registry/subscribe", &headers, bytes.clone()).await;
        assert_eq!(reply.status, 401, "{what}: {}", reply.body);
        assert!(reply.header("www-authenticate").unwrap().contains("registry.beckn-health.localhost"), "{what}");
    }
    // Nobody knows who asks for a challenge.
    assert_eq!(bap.subscribe(&json!({}), "k1", None).await.status, 401);
    let refused = |change: fn(&mut Value), path: &'static str| {
        let mut body = asked.clone();
        change(&mut body);
        let (bap, path) = (&bap, path);
        async move { bap.subscribe(&body, "k1", None).await.nack(400, "30000", path) }
    };
    refused(|body| body["subscriber_id"] = json!("bpp.beckn-health.localhost"), "subscriber_id").await;
    refused(|body| body["type"] = json!("BREG"), "type").await;
    refused(|body| body["type"] = json!("SHOP"), "type").await;
    refused(|body| body["url"] = json!("file:///etc/passwd"), "url").await;
    refused(|body| body["url"] = json!("http://somebody@127.0.0.1:1/"), "url").await;
    refused(|body| body["url"] = json!("http://127.0.0.1:1/?to="), "url").await;
    refused(|body| body["encr_public_key"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), "encr_public_key")
        .await;
    refused(|body| body["valid_until"] = json!("2026-01-01T00:00:00Z"), "valid_until").await;
    refused(|body| body["status"] = json!("UNSUBSCRIBED"), "status").await;
    assert_eq!(network.rows().await.without("registry-limits"), before.without("registry-limits"));
    assert!(bap.told().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_joins_in_the_name_of_one_who_is_listed() {
    let network = TestNetwork::start().await;
    let bap = Newcomer::listed(&network, "bap.newcomer.example").await;
    // The same name, other keys, another address.
    let thief = Newcomer::bap(&network, "bap.newcomer.example").await;
    assert_eq!(thief.subscribe(&thief.asks("k2"), "k2", None).await.status, 401);
    assert_eq!(thief.subscribe(&thief.asks("k2"), "k2", Some("k2")).await.status, 401);
    // A key of its own does not vouch for a new one that did not sign.
    assert_eq!(bap.subscribe(&bap.asks("k2"), "k1", None).await.status, 401);
    assert_eq!(bap.subscribe(&bap.asks("k2"), "k1", Some("k3")).await.status, 401);
    // Another participant that is listed is nobody here.
    let other = Newcomer::listed(&network, "other.example").await;
    let bytes = bap.asks("k1").to_string().into_bytes();
    let reply = other.post("/registry/subscribe", &[("authorization", other.signed("k1", &bytes))], bytes).await;
    reply.nack(400, "30000", "subscriber_id");
    network.idle().await;
    assert!(thief.told().is_empty());
    assert_eq!(listed(&network, json!({ "subscriber_id": bap.id })).await, ["bap.newcomer.example|k1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_want_one_name_the_first_to_answer_has_it() {
    let network = TestNetwork::start().await;
    let first = Newcomer::bap(&network, "bap.newcomer.example").await;
    let second = Newcomer::bap(&network, "bap.newcomer.example").await;
    second.answer_next([Answer::Wrong]);
    second.under_subscription(&second.asks("k2"), "k2", None).await;
    network.idle().await;
    // Other keys under the same key id do not push it aside.
    let mut pushing = second.asks("k2");
    pushing["signing_public_key"] = first.asks("k3")["signing_public_key"].clone();
    let bytes = pushing.to_string().into_bytes();
    let mut by = first.key("k3");
    by.key_id = second.key("k2").key_id;
    let header = by.sign(&first.id, &bytes, network.now());
    first.post("/registry/subscribe", &[("authorization", header)], bytes).await.nack(400, "30000", "key_id");

    first.under_subscription(&first.asks("k1"), "k1", None).await;
    network.idle().await;
    assert!(first.is_listed("k1").await);
    // The other's key is still known, may ask for its challenge, answers it, and is left out all the same.
    second.under_subscription(&json!({}), "k2", None).await;
    network.idle().await;
    assert_eq!(listed(&network, json!({ "subscriber_id": first.id })).await, ["bap.newcomer.example|k1"]);
    assert_eq!(second.announced().last().unwrap(), &("k2".to_owned(), "INITIATED".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_challenged_before_it_is_served_and_both_hold_for_a_while() {
    let network = TestNetwork::start().await;
    let bap = Newcomer::listed(&network, "bap.newcomer.example").await;
    bap.answer_next([Answer::Held]);
    bap.under_subscription(&bap.asks("k2"), "k1", Some("k2")).await;
    assert_eq!(listed(&network, json!({ "subscriber_id": bap.id })).await, ["bap.newcomer.example|k1"]);
    assert!(bap.is_believed("k1").await && !bap.is_believed("k2").await);
    bap.release();
    network.idle().await;
    network.advance(SignedDuration::from_secs(5));
    assert!(bap.is_believed("k2").await, "a new key works at once");
    assert!(bap.is_believed("k1").await, "and so does the one before it");
    let both = ["bap.newcomer.example|k1", "bap.newcomer.example|k2"];
    assert_eq!(listed(&network, json!({ "subscriber_id": bap.id })).await, both);

    // A key is never changed, and never ends itself.
    let mut body = bap.asks("k1");
    body["signing_public_key"] = bap.asks("k3")["signing_public_key"].clone();
    bap.subscribe(&body, "k2", None).await.nack(400, "30000", "signing_public_key");
    let ends = |name: &str, at: &str| {
        let mut body = bap.asks(name);
        body["valid_until"] = json!(at);
        body
    };
    bap.subscribe(&ends("k1", "2026-11-23T03:00:00Z"), "k1", None).await.nack(400, "30000", "valid_until");

    // Another key gives it an end to come, which is kept.
    let until = network.now() + SignedDuration::from_mins(30);
    let reply = bap.subscribe(&ends("k1", &until.to_string()), "k2", None).await;
    assert_eq!((reply.status, &reply.body), (200, &json!({ "status": "SUBSCRIBED" })));
    network.advance(FORGOTTEN);
    assert!(bap.is_believed("k1").await);
    // Signatures do not outlive their key.
    network.set(until - SignedDuration::from_secs(299));
    assert!(!bap.is_believed("k1").await && bap.is_believed("k2").await);
    network.set(until);
    assert_eq!(listed(&network, json!({ "subscriber_id": bap.id })).await, ["bap.newcomer.example|k2"]);
    network.idle().await;
    assert_eq!(bap.announced().last().unwrap(), &("k1".to_owned(), "SUBSCRIBED".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_given_up_stops_within_five_minutes_and_is_not_used_again() {
    let network = TestNetwork::start().await;
    let bap = Newcomer::listed(&network, "bap.newcomer.example").await;
    bap.under_subscription(&bap.asks("k2"), "k1", Some("k2")).await;
    network.idle().await;
    network.advance(SignedDuration::from_secs(5));
    assert!(bap.is_believed("k1").await && bap.is_believed("k2").await);
    let mut body = bap.asks("k1");
    body["valid_until"] = json!(network.now().to_string());
    let reply = bap.subscribe(&body, "k2", None).await;
    assert_eq!((reply.status, &reply.body), (200, &json!({ "status": "EXPIRED" })));
    network.idle().await;
    assert_eq!(bap.announced().last().unwrap(), &("k1".to_owned(), "EXPIRED".to_owned()));
    assert_eq!(listed(&network, json!({ "subscriber_id": bap.id })).await, ["bap.newcomer.example|k2"]);
    network.advance(FORGOTTEN);
    assert!(!bap.is_believed("k1").await && bap.is_believed("k2").await);
    assert_eq!(bap.subscribe(&bap.asks("k2"), "k1", None).await.status, 401, "it signs for nothing any more");
    bap.subscribe(&bap.asks("k1"), "k2", Some("k1")).await.nack(400, "30000", "key_id");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_moves_is_served_at_the_old_address_until_the_new_one_has_answered() {
    let network = TestNetwork::start().await;
    let bap = Newcomer::listed(&network, "bap.newcomer.example").await;
    let elsewhere = Newcomer::bap(&network, "bap.newcomer.example").await;
    let url = async || bap.lookup(&json!({ "subscriber_id": bap.id }), "k1").await.body[0]["url"].clone();
    elsewhere.answer_next([Answer::Wrong]);
    bap.under_subscription(&elsewhere.asks("k1"), "k1", None).await;
    network.idle().await;
    assert_eq!(url().await, json!(bap.url));
    bap.under_subscription(&json!({}), "k1", None).await;
    network.idle().await;
    assert_eq!(url().await, json!(elsewhere.url));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_leaves_is_gone_with_all_keys() {
    let network = TestNetwork::start().await;
    let bap = Newcomer::listed(&network, "bap.newcomer.example").await;
    bap.under_subscription(&bap.asks("k2"), "k1", Some("k2")).await;
    network.idle().await;
    let mut body = bap.asks("k1");
    body["status"] = json!("UNSUBSCRIBED");
    let reply = bap.subscribe(&body, "k1", None).await;
    assert_eq!((reply.status, &reply.body), (200, &json!({ "status": "UNSUBSCRIBED" })));
    // Once more is the same.
    assert_eq!(bap.subscribe(&body, "k1", None).await.body, json!({ "status": "UNSUBSCRIBED" }));
    assert_eq!(listed(&network, json!({ "subscriber_id": bap.id })).await, [""; 0]);
    network.idle().await;
    assert_eq!(bap.announced().last().unwrap().1, "UNSUBSCRIBED");
    network.advance(FORGOTTEN);
    assert!(!bap.is_believed("k1").await && !bap.is_believed("k2").await);
    // It can come back with a key that it has not given up.
    bap.subscribe(&bap.asks("k2"), "k2", None).await.nack(400, "30000", "key_id");
    bap.under_subscription(&bap.asks("k3"), "k3", None).await;
    network.idle().await;
    network.advance(SignedDuration::from_secs(5));
    assert!(bap.is_believed("k3").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_may_ask_for_any_combination() {
    let network = TestNetwork::start().await;
    let bap = Newcomer::listed(&network, "bap.newcomer.example").await;
    let bpp = Newcomer::of(&network, "bpp.newcomer.example", "BPP").await;
    bpp.under_subscription(&bpp.asks("k1"), "k1", None).await;
    let pending = Newcomer::bap(&network, "pending.example").await;
    pending.answer_next([Answer::Wrong]);
    pending.under_subscription(&pending.asks("k1"), "k1", None).await;
    network.idle().await;
    let (theirs, bpps) = ("bap.newcomer.example|k1", "bpp.newcomer.example|k1");
    let (our_bpp, our_bap) = ("bpp.beckn-health.localhost|bpp-key-1", "bap.beckn-health.localhost|bap-key-1");
    let gateway = "gateway.beckn-health.localhost|gateway-key-1";
    for (wanted, expected) in [
        (json!({ "subscriber_id": bap.id }), vec![theirs]),
        (json!({ "subscriber_id": bap.id, "key_id": "k1" }), vec![theirs]),
        (json!({ "subscriber_id": bap.id, "key_id": "k9" }), vec![]),
        (json!({ "subscriber_id": bap.id, "type": "BPP" }), vec![]),
        (json!({ "key_id": "k1" }), vec![theirs, bpps]),
        (json!({ "key_id": "k1", "type": "BPP" }), vec![bpps]),
        (json!({ "type": "BAP" }), vec![our_bap, theirs]),
        (json!({ "type": "BPP", "domain": "dhp:0.7.3", "city": "std:044" }), vec![our_bpp, bpps]),
        (json!({ "type": "BPP", "domain": "retail" }), vec![our_bpp]),
        (json!({ "type": "BPP", "country": "USA" }), vec![our_bpp]),
        // Without a type, whoever trades: a participant that names no place serves all.
        (json!({ "domain": "dhp:0.7.3" }), vec![our_bap, theirs, our_bpp, bpps, gateway]),
        (json!({ "city": "std:011" }), vec![our_bap, our_bpp, gateway]),
        (json!({ "country": "IND", "city": "std:044" }), vec![our_bap, theirs, our_bpp, bpps, gateway]),
        (json!({ "subscriber_id": pending.id }), vec![]),
    ] {
        assert_eq!(listed(&network, wanted.clone()).await, expected, "{wanted}");
    }
    bap.lookup(&json!({}), "k1").await.nack(400, "30000", "");
    bap.lookup(&json!({ "nonce": "x" }), "k1").await.nack(400, "30000", "");
    assert_eq!(bap.lookup(&json!({ "type": "BPP" }), "k2").await.status, 401);
    assert_eq!(pending.lookup(&json!({ "type": "BPP" }), "k1").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_waits_for_the_next_minute_and_nobody_else_does() {
    let network = TestNetwork::start().await;
    let bap = Newcomer::listed(&network, "bap.newcomer.example").await;
    let other = Newcomer::listed(&network, "other.example").await;
    let body = bap.asks("k1");
    for _ in 0..9 {
        assert_eq!(bap.subscribe(&body, "k1", None).await.status, 200);
    }
    // What is not its own does not count against it.
    let thief = Newcomer::bap(&network, "bap.newcomer.example").await;
    assert_eq!(thief.subscribe(&thief.asks("k2"), "k2", None).await.status, 401);
    let reply = bap.subscribe(&body, "k1", None).await;
    reply.nack(429, "50000", "");
    assert_eq!(reply.header("retry-after"), Some("60"));
    assert_eq!(other.subscribe(&other.asks("k1"), "k1", None).await.status, 200);
    network.advance(SignedDuration::from_secs(60));
    assert_eq!(bap.subscribe(&body, "k1", None).await.status, 200);

    // Lookups have a limit of their own, which no number of functions that count at once passes.
    let registry = network.role(Role::Registry);
    let (limit, now) = (registry.settings.lookups_per_minute, network.now());
    let mut counting = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (limits, id) = (Limits::new(registry.tables.clone()), bap.id.clone());
        counting.spawn(async move {
            let mut counted = 0;
            while limits.count(Limited::Lookup, &id, limit - 1, now).await.unwrap() {
                counted += 1;
            }
            counted
        });
    }
    assert_eq!(counting.join_all().await.into_iter().sum::<u32>(), limit - 1);
    let wanted = json!({ "type": "BPP" });
    assert_eq!(bap.lookup(&wanted, "k1").await.status, 200);
    bap.lookup(&wanted, "k1").await.nack(429, "50000", "");
    assert_eq!(other.lookup(&wanted, "k1").await.status, 200);
    network.advance(SignedDuration::from_secs(60));
    assert_eq!(bap.lookup(&wanted, "k1").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registry_tells_its_keys_and_ours_believe_no_other() {
    let network = TestNetwork::start().await;
    let response = http().get(format!("{}/registry/keys", network.url())).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cache-control"], "public, max-age=60");
    let told: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    let registry = &network.role(Role::Registry).participant;
    let ring = registry.keys.held().unwrap();
    let encryption = ring.active().encryption.clone().unwrap();
    assert_eq!(
        told,
        json!({
            "subscriber_id": "registry.beckn-health.localhost",
            "key_id": "registry-key-1",
            "signing_public_key": ring.active().signing.verifying_key().to_base64(),
            "encr_public_key": encryption.public_key().to_base64(),
        })
    );

    let stranger = Newcomer::listed(&network, "bap.newcomer.example").await;
    for role in [Role::Bap, Role::Bpp, Role::Gateway] {
        let us = &network.role(role).participant;
        let key = us.keys.held().unwrap().active().clone();
        let theirs = key.encryption.unwrap().public_key();
        let path = format!("/{}/on_subscribe", role.path());
        let challenge = |to: &str| {
            let text = challenge::encrypt("0123456789", &encryption, &theirs).unwrap();
            json!({ "subscriber_id": to, "pub_key_id": key.key_id, "challenge": text }).to_string().into_bytes()
        };
        let bytes = challenge(us.subscriber_id.as_str());
        let by_registry = registry.sign(&bytes, network.now()).await.unwrap();
        let reply = stranger.post(&path, &[("authorization", by_registry)], bytes.clone()).await;
        assert_eq!((reply.status, reply.body), (200, json!({ "answer": "0123456789" })));
        // Anybody else, however well known, and the registry's name with another key.
        for header in
            [stranger.signed("k1", &bytes), stranger.key("k1").sign(&registry.subscriber_id, &bytes, network.now())]
        {
            let reply = stranger.post(&path, &[("authorization", header)], bytes.clone()).await;
            reply.nack(401, "30016", "");
            assert!(reply.header("www-authenticate").unwrap().contains(us.subscriber_id.as_str()));
        }
        stranger.post(&path, &[], bytes).await.nack(401, "30016", "");
        // A challenge for somebody else, and one that none of our keys can read.
        let refused = async |bytes: Vec<u8>, at: &str| {
            let by_registry = registry.sign(&bytes, network.now()).await.unwrap();
            stranger.post(&path, &[("authorization", by_registry)], bytes).await.nack(400, "30000", at);
        };
        refused(challenge("somebody.example"), "subscriber_id").await;
        refused(json!({ "challenge": "AAAAAAAAAAAAAAAAAAAAAA==" }).to_string().into_bytes(), "challenge").await;
        refused(b"{}".to_vec(), "challenge").await;
        // What it announces is taken.
        let bytes = json!({ "subscriber_id": us.subscriber_id, "status": "SUBSCRIBED" }).to_string().into_bytes();
        let by_registry = registry.sign(&bytes, network.now()).await.unwrap();
        let reply = stranger.post(&path, &[("authorization", by_registry)], bytes).await;
        assert_eq!((reply.status, reply.body), (200, json!({})));
    }
}
