//! The signature is over the bytes that came, every one of them.

use std::sync::Arc;

use beckn_health::network::identity::Role;
use beckn_health_platform::lambda::invoke;
use beckn_health_tests::fixture::{self, FIRST};
use beckn_health_tests::forger::encode;
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::outpost::function;
use beckn_health_tests::stranger::Stranger;
use beckn_health_tests::wire;
use serde_json::{Value, json};

use super::JSON;

/// The same JSON with the keys of every object the other way round.
fn turned(value: &Value) -> Value {
    match value {
        Value::Object(object) => object.iter().rev().map(|(key, value)| (key.clone(), turned(value))).collect(),
        Value::Array(list) => list.iter().map(turned).collect(),
        other => other.clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_message_in_other_bytes_is_refused() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let before = network.rows().await;
    let message = bap.message("init", fixture::booking(FIRST));
    let good = message.to_string();
    let authorization = bap.sign(good.as_bytes());
    let others = [
        ("indented", serde_json::to_string_pretty(&message).unwrap()),
        ("keys in another order", turned(&message).to_string()),
        ("blanks after colons", good.replace("\":", "\": ")),
        ("a blank before", format!(" {good}")),
        ("a blank after", format!("{good} ")),
        ("a line break after", format!("{good}\r\n")),
        ("a letter escaped", good.replace("Nila", "\\u004eila")),
        ("a slash escaped", good.replacen('/', "\\/", 1)),
        ("a byte order mark", format!("\u{feff}{good}")),
        ("a null added", good.replacen('{', "{\"nothing\":null,", 1)),
        ("nothing at all", String::new()),
    ];
    for (what, body) in others {
        assert_ne!(body, good, "{what}");
        let headers = [JSON, ("authorization", authorization.as_str())];
        let reply = bap.post("/bpp/init", &headers, body.into_bytes()).await;
        assert_eq!(reply.status, 401, "{what}: {}", reply.body);
        reply.nack(401, "30016", "");
    }
    network.idle().await;
    assert_eq!(network.rows().await, before);
    assert!(bap.received().is_empty());
    bap.post("/bpp/init", &[JSON, ("authorization", &authorization)], good.into_bytes()).await.ack();
}

/// What an HTTP API makes of a request whose body it takes for binary.
fn event(authorization: &str, body: &str, is_base64: bool) -> Value {
    json!({
        "version": "2.0", "routeKey": "POST /bpp/init", "rawPath": "/bpp/init", "rawQueryString": "",
        "headers": { "authorization": authorization, "content-type": "application/json", "host": "localhost" },
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "localhost", "domainPrefix": "a", "requestId": "r",
            "http": { "method": "POST", "path": "/bpp/init", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x" },
            "routeKey": "POST /bpp/init", "stage": "$default", "time": "23/Nov/2026:03:00:00 +0000", "timeEpoch": 1
        },
        "body": body, "isBase64Encoded": is_base64
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_lambda_event_the_decoded_bytes_are_verified() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let message = bap.message("init", fixture::booking(FIRST));
    // Bytes that no writer of JSON would write so again.
    let good = format!(" {} \n", message.to_string().replacen("\":", "\" :\t", 5));
    let authorization = bap.sign(good.as_bytes());
    let play = async |authorization: &str, body: &str, is_base64: bool| {
        let deps = Arc::clone(network.role(Role::Bpp));
        let answer = invoke(&function("bpp-init"), deps, event(authorization, body, is_base64)).await.unwrap();
        let told: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        (answer["statusCode"].as_u64().unwrap(), told["message"]["ack"]["status"].clone())
    };
    let refused = (401, json!("NACK"));
    assert_eq!(play(&authorization, &encode(message.to_string()), true).await, refused, "written again");
    assert_eq!(play(&authorization, &encode(good.trim()), true).await, refused, "trimmed");
    assert_eq!(play(&authorization, &encode(&good), false).await, refused, "not decoded");
    let of_the_text = bap.sign(encode(&good).as_bytes());
    assert_eq!(play(&of_the_text, &encode(&good), true).await, refused, "signed before it was decoded");
    // An HTTP API joins a header that is given twice with a comma.
    let twice = format!("{authorization},{authorization}");
    assert_eq!(play(&twice, &encode(&good), true).await, refused, "two headers in one");
    network.idle().await;
    assert!(bap.received().is_empty());
    assert_eq!(play(&authorization, &encode(&good), true).await, (200, json!("ACK")));
    assert_eq!(play(&authorization, &good, false).await, (200, json!("ACK")));
    bap.callback(&message).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_flipped_bit_anywhere_is_refused() {
    const SAMPLES: usize = 200;
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let before = network.rows().await;
    let body = bap.message("init", fixture::booking(FIRST)).to_string().into_bytes();
    let authorization = bap.sign(&body).into_bytes();
    // An odd step, so that each of the eight bits of a byte is met.
    let places = |bytes: &[u8], samples: usize| -> Vec<usize> {
        let bits = bytes.len() * 8;
        let step = ((bits / samples) | 1) + 2;
        (0..samples).map(|sample| sample * step % bits).collect()
    };
    let flipped = |bytes: &[u8], bit: usize| {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    };
    let send = async |authorization: &[u8], body: &[u8]| {
        let headers = [("Content-Type", b"application/json".as_slice()), ("Authorization", authorization)];
        wire::send(&network.url(), &wire::post("/bpp/init", &headers, body)).await.status()
    };
    for bit in places(&body, SAMPLES / 2) {
        assert_eq!(send(&authorization, &flipped(&body, bit)).await, 401, "bit {bit} of the body");
    }
    let scheme = "Signature".len() * 8;
    for bit in places(&authorization, SAMPLES / 2) {
        // The name of the scheme has no case.
        if bit < scheme && bit % 8 == 5 {
            continue;
        }
        let status = send(&flipped(&authorization, bit), &body).await;
        // 400: it is no header any more.
        assert!(matches!(status, 400 | 401), "bit {bit} of the header: {status}");
    }
    network.idle().await;
    assert_eq!(network.rows().await, before);
    assert!(bap.received().is_empty());
    assert_eq!(send(&authorization, &body).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_is_not_opened() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let message = bap.message("init", fixture::booking(FIRST));
    let bytes = message.to_string().into_bytes();
    let authorization = bap.sign(&bytes);
    for coding in ["gzip", "deflate", "br", "zstd", "identity, gzip", "x-unknown", ""] {
        let headers = [JSON, ("authorization", authorization.as_str()), ("content-encoding", coding)];
        bap.post("/bpp/init", &headers, bytes.clone()).await.nack(415, "30000", "");
    }
    // Bytes that would be a message once they are opened, signed as they are.
    let packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    bap.send_bytes("/bpp/init", packed).await.nack(200, "30000", "");
    network.idle().await;
    assert!(bap.received().is_empty());
    let headers = [JSON, ("authorization", authorization.as_str()), ("content-encoding", "Identity")];
    bap.post("/bpp/init", &headers, bytes).await.ack();
}
