//! Times: of signatures, of messages, and at the ends of time.

use beckn_health_tests::fixture::{self, FIRST};
use beckn_health_tests::forger::with;
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::Stranger;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::JSON;

#[tokio::test(flavor = "multi_thread")]
async fn times_of_a_signature_cannot_overflow() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let bytes = bap.message("init", fixture::booking(FIRST)).to_string().into_bytes();
    let now = network.now().as_second();
    // Signed well, with these times.
    let signed = [
        (i64::MAX, i64::MAX),
        (i64::MIN, i64::MAX),
        (0, i64::MAX),
        (now, i64::MAX),
        (i64::MIN, now + 60),
        (-1, now + 60),
        (0, now + 60),
        (0, 0),
        (now + 60, now),
        (now, now - 1),
        // Milliseconds, as some peers write them.
        (now * 1_000, (now + 300) * 1_000),
        (now, (now + 300) * 1_000),
        (now - 3_661, now),
        (now, now + 3_661),
    ];
    for (created, expires) in signed {
        let header = bap.sign_between(&bytes, created, expires);
        let reply = bap.post("/bpp/init", &[JSON, ("authorization", &header)], bytes.clone()).await;
        assert_eq!(reply.status, 401, "{created} {expires}: {}", reply.body);
        let code = reply.body["error"]["code"].as_str().unwrap().to_owned();
        assert!(["30016", "30022"].contains(&code.as_str()), "{created} {expires}: {code}");
        reply.nack(401, &code, "");
    }
    // Numbers that are none, or not in their one form.
    let good = bap.sign(&bytes);
    for odd in [
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999999999999999",
        "+1795402800",
        "01795402800",
        "1795402800.0",
        "1.7954028e9",
        "0x6B02A5F0",
        "1_795_402_800",
        " 1795402800",
        "١٧٩٥٤٠٢٨٠٠",
        "NaN",
        "now",
        "2026-11-23T03:00:00Z",
    ] {
        for name in ["created", "expires"] {
            let header = with(&good, name, odd);
            // reqwest sends what is no ASCII as UTF-8.
            let reply = bap.post("/bpp/init", &[JSON, ("authorization", &header)], bytes.clone()).await;
            assert_eq!(reply.status, 401, "{name} {odd}: {}", reply.body);
        }
    }
    network.idle().await;
    assert!(bap.received().is_empty());
    bap.post("/bpp/init", &[JSON, ("authorization", &good)], bytes).await.ack();
}

#[tokio::test(flavor = "multi_thread")]
async fn times_of_a_message_cannot_overflow() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let before = network.rows().await;
    let with = |field: &str, value: Value| {
        let mut message = bap.message("init", fixture::booking(FIRST));
        message["context"][field] = value;
        message
    };
    let never = [
        ("ttl", json!("PT-1S"), "30000"),
        ("ttl", json!("-PT1S"), "30000"),
        ("ttl", json!("-P9999999Y"), "30000"),
        ("ttl", json!("PT1e9S"), "30000"),
        ("ttl", json!("PTNaNS"), "30000"),
        ("ttl", json!("PTinfS"), "30000"),
        ("ttl", json!("P"), "30000"),
        ("ttl", json!(""), "30000"),
        ("ttl", json!(-600), "30000"),
        ("ttl", json!([]), "30000"),
        ("ttl", json!("P".repeat(100_000)), "30000"),
        ("timestamp", json!("9999-12-31T23:59:59.999999999Z"), "30000 30022"),
        ("timestamp", json!("9999-12-30T22:00:00Z"), "30022"),
        ("timestamp", json!("+999999-01-01T00:00:00Z"), "30000"),
        ("timestamp", json!("-009999-01-02T01:59:59Z"), "30000 30022"),
        ("timestamp", json!("0000-00-00T00:00:00Z"), "30000"),
        ("timestamp", json!("1970-01-01T00:00:00Z"), "30022"),
        ("timestamp", json!("2026-02-30T00:00:00Z"), "30000"),
        ("timestamp", json!("2026-11-23T24:00:00Z"), "30000 30022"),
        ("timestamp", json!("2026-11-23T03:00:00+99:99"), "30000"),
        ("timestamp", json!(9_223_372_036_854_775_807_i64), "30000"),
        ("timestamp", json!(1e308), "30000"),
        ("timestamp", json!("2026-11-23T03:01:01Z"), "30022"),
    ];
    for (field, value, codes) in never {
        let reply = bap.send(&with(field, value.clone())).await;
        let code = reply.body["error"]["code"].as_str().unwrap_or_default().to_owned();
        assert!(
            reply.status == 200 && codes.contains(&code) && !code.is_empty(),
            "{field} {value}: {} {}",
            reply.status,
            reply.body
        );
    }
    network.idle().await;
    assert_eq!(network.rows().await, before);
    assert!(bap.received().is_empty());

    // Enormous lifetimes are believed for thirty days and answered like others.
    for (slot, ttl) in [(FIRST, "P9999999Y"), (fixture::SECOND, "PT99999999999999999999S"), (fixture::THIRD, "P1M")] {
        let mut message = bap.message("init", fixture::booking(slot));
        message["context"]["ttl"] = json!(ttl);
        let answer = bap.ask(&message).await;
        assert_eq!((&answer["error"], &answer["context"]["ttl"]), (&Value::Null, &json!(ttl)));
    }
    let mut old = with("ttl", json!("P9999999Y"));
    old["context"]["timestamp"] = json!("2026-10-20T00:00:00Z");
    bap.send(&old).await.nack(200, "30022", "context.ttl");
    network.idle().await;
    // None of them holds a slot any longer than others.
    network.advance(SignedDuration::from_mins(10));
    let other = Stranger::bap(&network, "other.stranger.example").await;
    for slot in [FIRST, fixture::SECOND, fixture::THIRD] {
        assert_eq!(other.ask(&other.message("init", fixture::booking(slot))).await["error"], Value::Null, "{slot}");
    }
}
