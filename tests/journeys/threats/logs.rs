//! What an attack brings along does not reach a log: refused and malformed messages, panics, dead letters, keys.
//!
//! The honest messages and the mistakes in them are in [`crate::canary`] and [`crate::observability`].

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use beckn_health::network::identity::Role;
use beckn_health_platform::batch;
use beckn_health_platform::deliver::CALLBACKS;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{QueueRecord, RecordFailure, Request, Response};
use beckn_health_platform::hop::serve;
use beckn_health_platform::queue::Outgoing;
use beckn_health_protocol::registry::SubscriberType;
use beckn_health_tests::fixture::{self, FIRST, SECOND};
use beckn_health_tests::fresh_id;
use beckn_health_tests::log::{Log, capture};
use beckn_health_tests::network::{Setup, TestNetwork};
use beckn_health_tests::stranger::{Answer, Stranger};
use beckn_health_tests::wire;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::JSON;

/// In words that no field has, and in letters that a name of a field may have.
const CANARIES: [&str; 2] = ["Papageno-5c1d", "papageno_5c1d"];

#[track_caller]
fn silent(log: &Log) {
    for canary in CANARIES {
        let leaked = log.lines_with(canary);
        assert!(leaked.is_empty(), "{leaked:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_not_repeated() {
    let log = capture();
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    let endpoints = [
        ("/bpp/init", true),
        ("/gateway/search", true),
        ("/registry/lookup", true),
        ("/bap/on_init", false),
        ("/gateway/on_search", false),
    ];
    for canary in CANARIES {
        let body = json!({ "message": { "order": { "billing": { "name": canary } } } }).to_string();
        for (path, by_bap) in endpoints {
            let signer = if by_bap { &bap } else { &bpp };
            let signed = signer.sign(body.as_bytes());
            // Before anything is read.
            for headers in [
                vec![JSON],
                vec![JSON, ("authorization", canary)],
                vec![JSON, ("authorization", &format!("Signature {canary}=\"1\""))],
                vec![JSON, ("authorization", &format!("Signature {canary}=\"1\",{canary}=\"2\""))],
                vec![JSON, ("authorization", &format!("{signed},x=\"{canary}\""))],
                vec![JSON, ("authorization", &signed.replace("ed25519", canary))],
                vec![JSON, ("authorization", &signed.replace("created=\"", &format!("created=\"{canary}")))],
                vec![JSON, ("authorization", &signed), ("x-gateway-authorization", canary)],
                vec![("content-type", canary), ("authorization", &signed)],
                vec![JSON, ("authorization", &signed), ("content-encoding", canary)],
                vec![
                    JSON,
                    ("authorization", &signed),
                    ("x-amzn-trace-id", &format!("Root={canary};Parent={canary}")),
                    ("traceparent", canary),
                ],
                vec![
                    JSON,
                    ("authorization", &signed),
                    ("user-agent", canary),
                    ("cookie", canary),
                    ("referer", canary),
                    ("x-forwarded-for", canary),
                ],
            ] {
                let path = format!("{path}?name={canary}");
                assert!(!signer.post(&path, &headers, body.clone().into_bytes()).await.is_ack());
            }
            // Signed well, and no message.
            let deep = format!("{}{}{}", format!("{{\"{canary}\":").repeat(70), 0, "}".repeat(70));
            for malformed in [
                canary.to_owned(),
                format!("\"{canary}\""),
                format!("[\"{canary}\"]"),
                format!("{{\"{canary}\":1,\"{canary}\":2}}"),
                format!("{{\"message\":{{\"{canary}\":1,\"{canary}\":2}}}}"),
                format!("{{\"context\":{{\"{canary}\":[{{\"{canary}\":1,\"{canary}\":2}}]}}}}"),
                format!("{{\"message\":{{\"order\":{{\"{canary}\":{deep}}}}}}}"),
                deep,
                format!("{{\"message\":{{\"order\":\"{canary}"),
                format!("{{\"{canary}\":1e999}}"),
                json!({ "context": canary }).to_string(),
                json!({ "context": { "action": canary } }).to_string(),
                json!({ canary: canary }).to_string(),
                format!("{body}{body}"),
            ] {
                assert!(!signer.send_bytes(path, malformed.into_bytes()).await.is_ack());
            }
            let huge = format!("{body}{}", " ".repeat(1024 * 1024));
            assert_eq!(signer.send_bytes(path, huge.into_bytes()).await.status, 413);
        }
        // A message, with one thing wrong.
        for field in [
            "action",
            "bap_uri",
            "bpp_id",
            "timestamp",
            "ttl",
            "version",
            "domain",
            "bap_id",
            "key",
            "location",
            "unknown",
        ] {
            for (signer, action, body) in
                [(&bap, "init", fixture::booking(FIRST)), (&bpp, "on_init", json!({ "order": {} }))]
            {
                for value in [json!(canary), json!([canary]), json!({ canary: canary })] {
                    let mut message = signer.message(action, body.clone());
                    message["context"][field] = value;
                    message["message"]["order"]["billing"] = json!({ "name": [canary] });
                    assert!(
                        !signer
                            .send_bytes(
                                &Stranger::path(&signer.message(action, Value::Null)),
                                message.to_string().into_bytes()
                            )
                            .await
                            .is_ack()
                    );
                }
            }
        }
        for error in [
            json!(canary),
            json!({ "code": [canary], "message": canary }),
            json!({ "code": canary, "message": canary, "paths": canary }),
        ] {
            let mut message = bpp.message("on_init", Value::Null);
            message["error"] = error;
            assert!(!bpp.send(&message).await.is_ack());
        }
        // A route and a method nobody has, and what is no HTTP.
        for request in [
            format!("POST /{canary} HTTP/1.1\r\nHost: {canary}\r\nConnection: close\r\n\r\n"),
            format!("{canary} / HTTP/1.1\r\nConnection: close\r\n\r\n"),
            format!("{canary}\r\n\r\n"),
        ] {
            wire::send(&network.url(), request.as_bytes()).await;
        }
        let unknown = Stranger::unregistered(&network, "unknown.example", SubscriberType::Bap).await;
        assert_eq!(unknown.send_bytes("/bpp/init", body.into_bytes()).await.status, 401);
    }
    network.idle().await;
    silent(log);
    // It listened: the refusals themselves are there.
    assert!(!log.hops_with("SignatureFailure").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_peer_answers_is_not_repeated() {
    let log = capture();
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    for canary in CANARIES {
        let code: &'static str = canary;
        let elsewhere: &'static str = if canary == CANARIES[0] { "/Papageno-5c1d" } else { "/papageno_5c1d" };
        bap.answer_next([Answer::Redirect(elsewhere), Answer::Nack(code)]);
        let mut message = bap.message("init", fixture::booking(if canary == CANARIES[0] { FIRST } else { SECOND }));
        message["message"]["order"]["billing"]["name"] = json!(canary);
        bap.send(&message).await.ack();
        network.settle(CALLBACKS).await;
        let id = message["context"]["message_id"].as_str().unwrap();
        assert!(!log.lines_with(id).is_empty());
    }
    silent(log);
}

/// A record that says what it found, as a careless handler's panic would.
fn careless(_: Arc<Deps>, record: QueueRecord) -> Pin<Box<dyn Future<Output = Result<(), RecordFailure>> + Send>> {
    Box::pin(async move { panic!("cannot book {}", record.body) })
}

/// The same of a request.
fn careless_too(_: Arc<Deps>, request: Request) -> Pin<Box<dyn Future<Output = Response> + Send>> {
    Box::pin(async move { panic!("cannot book {:?}", request.body()) })
}

#[tokio::test(flavor = "multi_thread")]
async fn panics_and_dead_letters_are_silent() {
    let log = capture();
    let network = TestNetwork::start().await;
    let deps = network.role(Role::Bpp).clone();
    for canary in CANARIES {
        let event = json!({ "Records": [{ "messageId": fresh_id(), "receiptHandle": "r", "body": canary }] });
        let event = serde_json::from_value(event).unwrap();
        let answer = batch::handle(deps.clone(), "bpp-on-init", "bpp-on-init", careless, event).await;
        assert_eq!(serde_json::to_value(answer).unwrap()["batchItemFailures"].as_array().unwrap().len(), 1);
        let request = Request::new(canary.into());
        assert!(serve("bpp-init", deps.clone(), careless_too, request).await.is_err());
    }
    // Records that nobody of ours wrote, on queues that give up after five deliveries: each rests in its dead-letter
    // queue, untold.
    let queues = ["bpp-on-search", "bpp-on-init", "bpp-on-rating", "gateway-broadcast"];
    for queue in queues {
        for canary in CANARIES {
            let bodies = [
                canary.to_owned(),
                json!({ canary: canary }).to_string(),
                json!({ "context": { "message_id": canary, "action": canary } }).to_string(),
            ];
            for body in bodies {
                let until = (network.now() + SignedDuration::from_mins(10)).to_string();
                let attributes = BTreeMap::from([
                    ("subscriber_id", "bap.example".to_owned()),
                    ("expires_at", until),
                    ("to", "bap.example".to_owned()),
                    ("callback", canary.to_owned()),
                    ("target", "bpp.example".to_owned()),
                    ("authorization", canary.to_owned()),
                ]);
                let message = Outgoing { body, attributes, group: "g".to_owned(), delay: Duration::ZERO };
                deps.queues.send(queue, message).await.unwrap();
            }
        }
        network.settle(queue).await;
        assert_eq!(network.depth(&format!("{queue}-dlq")).await, 6, "{queue}");
    }
    silent(log);
    assert!(!log.lines_with("record cannot be handled").is_empty());

    // A good callback that nobody takes in time.
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    bap.close().await;
    let mut message = bap.message("init", fixture::booking(FIRST));
    message["message"]["order"]["billing"]["name"] = json!(CANARIES[0]);
    message["message"]["order"]["billing"][CANARIES[1]] = json!(CANARIES[1]);
    bap.send(&message).await.ack();
    network.skip_to_retry(CALLBACKS).await;
    network.advance(SignedDuration::from_mins(11));
    network.settle(CALLBACKS).await;
    assert_eq!(network.depth(&format!("{CALLBACKS}-dlq")).await, 1);
    silent(log);
}

/// Every private key of the network, in every spelling, while it signs, is refused and is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn no_private_key_is_ever_logged() {
    fn texts(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::String(text) => into.push(text.clone()),
            Value::Array(list) => list.iter().for_each(|value| texts(value, into)),
            Value::Object(object) => object.values().for_each(|value| texts(value, into)),
            _ => {}
        }
    }
    use beckn_health_tests::forger::{decode, encode};
    let log = capture();
    let folder = tempfile::tempdir().unwrap();
    let network = TestNetwork::with(Setup { data: Some(folder.path().to_owned()), ..Setup::default() }).await;
    let mut secrets = Vec::new();
    for role in ["bap", "bpp", "gateway", "registry"] {
        let file = std::fs::read(folder.path().join("keys").join(format!("{role}.json"))).unwrap();
        let mut all = Vec::new();
        texts(&serde_json::from_slice(&file).unwrap(), &mut all);
        let keys: Vec<Vec<u8>> = all.iter().filter_map(|text| decode(text)).filter(|bytes| bytes.len() >= 32).collect();
        assert!(!keys.is_empty(), "{role} has a key");
        for key in keys {
            let seed = &key[..32];
            // The first 42 letters are those of the seed alone, however long the text is.
            secrets.push(encode(seed)[..42].to_owned());
            secrets.push(seed.iter().map(|byte| format!("{byte:02x}")).collect());
            secrets.push(seed.iter().map(|byte| format!("{byte:02X}")).collect());
            secrets.push(format!("{seed:?}").trim_matches(['[', ']']).to_owned());
        }
    }
    let debugged = |role: Role| {
        let deps = network.role(role);
        format!("{:?} {:?} {:?}", deps.participant, deps.settings, deps.egress)
    };
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    bap.ask(&bap.message("init", fixture::booking(FIRST))).await;
    let app = beckn_health_tests::app::App::of(&network);
    app.ask("search", json!({ "bpp_id": network.id(Role::Bpp) }), json!({ "intent": {} })).await;
    bap.answer_next([Answer::Status(401), Answer::Nack("30016")]);
    bap.send(&bap.message("init", fixture::booking(SECOND))).await.ack();
    network.settle(CALLBACKS).await;
    let shown: String = Role::ALL.into_iter().map(debugged).collect();
    for secret in &secrets {
        assert!(log.lines_with(secret).is_empty(), "a private key is in the log");
        assert!(!shown.contains(secret.as_str()), "a private key is in a Debug output");
    }
    network.stop().await;
}
