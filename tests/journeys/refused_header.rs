//! What is refused before the body is read: size, form, signature.

use beckn_health::network::identity::Role;
use beckn_health_protocol::ids::KeyId;
use beckn_health_protocol::registry::{SubscriberType, Subscription, SubscriptionStatus};
use beckn_health_tests::fixture;
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::reply::Reply;
use beckn_health_tests::stranger::Stranger;
use jiff::SignedDuration;

const JSON: (&str, &str) = ("content-type", "application/json");
const CHALLENGE: &str = "Signature realm=\"bpp.beckn-health.localhost\",headers=\"(created) (expires) digest\"";

/// A 401 as BECKN-006 has it.
#[track_caller]
fn unauthenticated(reply: &Reply, what: &str) {
    assert_eq!(reply.status, 401, "{what}: {}", reply.body);
    assert_eq!(reply.header("www-authenticate"), Some(CHALLENGE), "{what}");
    assert_eq!(reply.header("proxy-authenticate"), None, "{what}");
    assert_eq!(reply.header("content-type"), Some("application/json"), "{what}");
    // A clock or a lifetime that is off has a code of its own.
    let code = if matches!(what, "expired" | "from the future") { "30022" } else { "30016" };
    reply.nack(401, code, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_signature_is_a_401_and_changes_nothing() {
    let network = TestNetwork::start().await;
    assert_eq!(network.id(Role::Bpp), "bpp.beckn-health.localhost");
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let unknown = Stranger::unregistered(&network, "nobody.example", SubscriberType::Bap).await;
    let mut rows = Vec::new();
    for (id, status, valid_for) in [
        ("expired.example", SubscriptionStatus::Expired, None),
        ("unsubscribed.example", SubscriptionStatus::Unsubscribed, None),
        ("waiting.example", SubscriptionStatus::UnderSubscription, None),
        ("past.example", SubscriptionStatus::Subscribed, Some(-1)),
        // Its key ends before its signature would.
        ("ending.example", SubscriptionStatus::Subscribed, Some(100)),
    ] {
        let stranger = Stranger::unregistered(&network, id, SubscriberType::Bap).await;
        let until = valid_for.map(|seconds| network.now().checked_add(SignedDuration::from_secs(seconds)).unwrap());
        network.register(&Subscription { status: Some(status), valid_until: until, ..stranger.row() }).await;
        rows.push(stranger);
    }
    let mut other_key = Stranger::unregistered(&network, "bap.stranger.example", SubscriberType::Bap).await;
    other_key.key_id = KeyId::parse("k2").unwrap();

    let message = bap.message("init", fixture::booking(fixture::FIRST));
    let bytes = message.to_string().into_bytes();
    let good = bap.sign(&bytes);
    let now = network.now().as_second();
    let signature = good.split("signature=\"").nth(1).unwrap().trim_end_matches('"').to_owned();
    let replace = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replace(from, to)
    };
    let cases: Vec<(&str, String)> = vec![
        ("another scheme", "Bearer 12345".to_owned()),
        ("no parameters", "Signature".to_owned()),
        ("not pairs", "Signature nonsense".to_owned()),
        ("empty", String::new()),
        ("truncated signature", replace(&signature, &signature[..signature.len() - 4])),
        ("half a signature", replace(&signature, &signature[..44])),
        (
            "another signature",
            replace(&signature, &bap.sign(b"{}").split("signature=\"").nth(1).unwrap().replace('"', "")),
        ),
        ("hs2019", replace("algorithm=\"ed25519\"", "algorithm=\"hs2019\"")),
        ("another algorithm in keyId", replace("|ed25519\"", "|rsa\"")),
        ("a parameter twice", replace(",headers=", &format!(",created=\"{now}\",headers="))),
        ("keyId twice", format!("{good},keyId=\"evil.example|k1|ed25519\"")),
        ("created missing", replace(&format!("created=\"{now}\","), "")),
        ("keyId of two parts", replace("|k1|ed25519\"", "|k1\"")),
        ("fewer signed headers", replace("(created) (expires) digest", "digest")),
        ("times as text", replace(&format!("created=\"{now}\""), "created=\"now\"")),
        ("other times than signed", replace(&format!("created=\"{now}\""), &format!("created=\"{}\"", now - 1))),
        ("expired", bap.sign_between(&bytes, now - 400, now - 1)),
        ("from the future", bap.sign_between(&bytes, now + 6, now + 300)),
        ("a lifetime too long", bap.sign_between(&bytes, now, now + 3_661)),
        ("expires before it was created", bap.sign_between(&bytes, now, now - 1)),
        ("too long a header", replace(",headers=", &format!(",x=\"{}\",headers=", "y".repeat(4_096)))),
        ("an unknown signer", unknown.sign(&bytes)),
        ("an unknown key", other_key.sign(&bytes)),
        ("somebody else's key", good.replace("bap.stranger.example", "bap.beckn-health.localhost")),
    ];
    let before = network.rows().await;
    for (what, header) in cases {
        let reply = bap.post("/bpp/init", &[JSON, ("authorization", &header)], bytes.clone()).await;
        unauthenticated(&reply, what);
    }
    for stranger in &rows {
        unauthenticated(
            &stranger.send(&stranger.message("init", fixture::booking(fixture::FIRST))).await,
            stranger.id.as_str(),
        );
    }
    unauthenticated(&bap.post("/bpp/init", &[JSON], bytes.clone()).await, "no Authorization");
    let twice = [JSON, ("authorization", good.as_str()), ("authorization", good.as_str())];
    unauthenticated(&bap.post("/bpp/init", &twice, bytes.clone()).await, "two Authorization headers");
    // The same JSON in other bytes is not what was signed.
    let pretty = serde_json::to_vec_pretty(&message).unwrap();
    unauthenticated(&bap.post("/bpp/init", &[JSON, ("authorization", &good)], pretty).await, "serialised again");
    let mut spaced = bytes.clone();
    spaced.push(b'\n');
    unauthenticated(&bap.post("/bpp/init", &[JSON, ("authorization", &good)], spaced).await, "one byte more");

    network.idle().await;
    assert_eq!(network.rows().await, before);
    assert_eq!(network.queued().await, 0);
    assert!(bap.received().is_empty() && unknown.received().is_empty());
    // The header itself was good all along, with its limits.
    bap.post("/bpp/init", &[JSON, ("authorization", &good)], bytes.clone()).await.ack();
    for (created, expires) in [(now + 5, now + 300), (now - 300, now), (now - 60, now + 3_600)] {
        let header = bap.sign_between(&bytes, created, expires);
        bap.post("/bpp/init", &[JSON, ("authorization", &header)], bytes.clone()).await.ack();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_header_must_be_a_gateways() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let other = Stranger::bap(&network, "other.stranger.example").await;
    let gateway = Stranger::join(&network, "bg.stranger.example", SubscriberType::Bg).await;
    let message = bap.message("search", serde_json::json!({ "intent": {} }));
    let bytes = message.to_string().into_bytes();
    let authorization = bap.sign(&bytes);
    let send = async |name: &str, value: &str| {
        bap.post("/bpp/search", &[JSON, ("authorization", &authorization), (name, value)], bytes.clone()).await
    };
    let forged = [other.sign(&bytes), bap.sign(&bytes), gateway.sign(b"{}"), "Signature nonsense".to_owned()];
    for name in ["x-gateway-authorization", "proxy-authorization"] {
        for value in &forged {
            let reply = send(name, value).await;
            reply.nack(401, "30016", "");
            assert_eq!(reply.header("proxy-authenticate"), Some(CHALLENGE), "{value}");
            assert_eq!(reply.header("www-authenticate"), None);
        }
    }
    let doubled = gateway.sign(&bytes);
    let headers = [
        JSON,
        ("authorization", authorization.as_str()),
        ("x-gateway-authorization", doubled.as_str()),
        ("x-gateway-authorization", doubled.as_str()),
    ];
    let reply = bap.post("/bpp/search", &headers, bytes.clone()).await;
    reply.nack(401, "30016", "");
    assert_eq!(reply.header("proxy-authenticate"), Some(CHALLENGE));
    // A gateway cannot speak for the sender.
    let reply = bap.post("/bpp/search", &[JSON, ("x-gateway-authorization", &doubled)], bytes.clone()).await;
    unauthenticated(&reply, "only the gateway's signature");
    network.idle().await;
    assert!(bap.received().is_empty());
    for name in ["x-gateway-authorization", "proxy-authorization"] {
        send(name, &gateway.sign(&bytes)).await.ack();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn size_content_type_route_and_method() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let before = network.rows().await;
    let message = bap.message("init", fixture::booking(fixture::FIRST));
    let bytes = message.to_string().into_bytes();
    let authorization = bap.sign(&bytes);
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let headers = [("content-type", content_type), ("authorization", authorization.as_str())];
        bap.post("/bpp/init", &headers, bytes.clone()).await.nack(415, "30000", "");
    }
    bap.post("/bpp/init", &[("authorization", &authorization)], bytes.clone()).await.nack(415, "30000", "");

    let padded = |length: usize| {
        let mut message = message.clone();
        message["padding"] = serde_json::json!("");
        let missing = length - message.to_string().len();
        message["padding"] = serde_json::json!("x".repeat(missing));
        message.to_string().into_bytes()
    };
    bap.send_bytes("/bpp/init", padded(256 * 1024 + 1)).await.nack(413, "30000", "");
    // Size comes before everything else.
    bap.post("/bpp/init", &[("content-type", "text/plain")], padded(256 * 1024 + 1)).await.nack(413, "30000", "");

    for path in ["/bpp/on_init", "/bpp/unknown", "/bpp", "/", "/bpp/init/", "/BPP/init", "/gateway/on_select"] {
        let reply = bap.post(path, &[JSON, ("authorization", &authorization)], bytes.clone()).await;
        assert_eq!(reply.status, 404, "{path}");
    }
    let http = beckn_health_tests::http();
    for (method, path) in
        [("GET", "/bpp/init"), ("PUT", "/bpp/init"), ("DELETE", "/bpp/init"), ("POST", "/client/transactions/x")]
    {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let reply = http.request(method, format!("{}{path}", network.url())).send().await.unwrap();
        assert_eq!(reply.status().as_u16(), 405, "{path}");
    }
    network.idle().await;
    assert_eq!(network.rows().await, before);
    assert_eq!(network.queued().await, 0);
    assert!(bap.received().is_empty());
    // One byte less is welcome, and so is a charset.
    bap.send_bytes("/bpp/init", padded(256 * 1024)).await.ack();
    let headers = [("content-type", "application/json; charset=utf-8"), ("authorization", authorization.as_str())];
    bap.post("/bpp/init", &headers, bytes).await.ack();
}
