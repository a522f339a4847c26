//! Bodies that are meant to hurt: deep, wide, long, or without an end.

use beckn_health_protocol::registry::SubscriberType;
use beckn_health_tests::fixture::{self, FIRST, SECOND};
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::Stranger;
use beckn_health_tests::wire;
use serde_json::{Value, json};

/// What a bomb is put into: an unknown field, which survives, so that it is read whole.
const FUSE: &str = "\"fuse\":null";

/// The endpoints that read JSON of strangers, with who may post there and what.
fn targets(bap: &Stranger, bpp: &Stranger) -> Vec<(&'static str, bool, Value)> {
    let mut search = bap.message("search", json!({ "intent": {} }));
    search["context"].as_object_mut().unwrap().shift_remove("bpp_id");
    vec![
        ("/bpp/init", true, bap.message("init", fixture::booking(FIRST))),
        ("/gateway/search", true, search),
        ("/registry/lookup", true, json!({ "subscriber_id": bap.id })),
        ("/bap/on_search", false, bpp.message("on_search", json!({ "catalog": {} }))),
        ("/gateway/on_search", false, bpp.message("on_search", json!({ "catalog": {} }))),
    ]
}

fn repeated(piece: impl Fn(usize) -> String, count: usize) -> String {
    (0..count).map(piece).collect::<Vec<_>>().join(",")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_body_stops_a_function() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    let nested = |open: &str, close: &str, depth: usize| format!("{}0{}", open.repeat(depth), close.repeat(depth));
    // Refused whatever they are put into.
    let refused = [
        ("65 lists deep", nested("[", "]", 65)),
        ("100 000 lists deep", nested("[", "]", 100_000)),
        ("100 000 lists, never closed", "[".repeat(100_000)),
        ("30 000 objects deep", nested("{\"a\":", "}", 30_000)),
        ("a key twice", "{\"a\":1,\"a\":1}".to_owned()),
        ("a key twice, once escaped", "{\"a\":1,\"\\u0061\":1}".to_owned()),
        ("a key 20 000 times", format!("{{{}}}", repeated(|_| "\"a\":0".to_owned(), 20_000))),
        ("an empty key twice", "{\"\":1,\"\":1}".to_owned()),
        ("a number beyond all", "1e999".to_owned()),
        ("a number of 200 000 digits and an exponent", format!("1{}e999", "0".repeat(200_000))),
        ("NaN", "NaN".to_owned()),
        ("infinity", "-Infinity".to_owned()),
        ("half a character", "\"\\ud800\"".to_owned()),
        ("a comment", "/* */ 1".to_owned()),
        ("a comma too many", "[1,]".to_owned()),
    ];
    // Read, and then a field like any other that nobody knows.
    let read = [
        ("60 lists deep", nested("[", "]", 60)),
        ("100 000 numbers", format!("[{}]", repeated(|_| "0".to_owned(), 100_000))),
        ("20 000 keys", format!("{{{}}}", repeated(|key| format!("\"{key}\":0"), 20_000))),
        ("80 000 empty lists", format!("[{}]", repeated(|_| "[]".to_owned(), 80_000))),
        ("a text of 250 000 letters", format!("\"{}\"", "x".repeat(250_000))),
        ("a text of 40 000 escapes", format!("\"{}\"", "\\u0041".repeat(40_000))),
        ("a key of 200 000 letters", format!("{{\"{}\":0}}", "k".repeat(200_000))),
        ("a number close to nothing", "1e-999".to_owned()),
        ("a number of 100 000 digits after its point", format!("0.{}", "3".repeat(100_000))),
        ("minus nothing", "-0".to_owned()),
    ];
    for (path, by_bap, message) in targets(&bap, &bpp) {
        let signer = if by_bap { &bap } else { &bpp };
        let text = message.to_string().replacen('{', &format!("{{{FUSE},"), 1);
        let send = async |bomb: &str| signer.send_bytes(path, text.replacen("null", bomb, 1).into_bytes()).await;
        for (what, bomb) in &refused {
            let reply = send(bomb).await;
            let status = if path == "/registry/lookup" { 400 } else { 200 };
            assert_eq!(reply.status, status, "{path}, {what}: {}", reply.body);
            assert_eq!(reply.body["error"]["code"], "30000", "{path}, {what}");
        }
        for (what, bomb) in &read {
            let reply = send(bomb).await;
            assert_eq!(reply.status, 200, "{path}, {what}: {}", reply.body);
        }
    }
    network.idle().await;
    assert_eq!(network.queued().await, 0, "none of them rests in a dead-letter queue");
    // A callback is larger, and so may be what is in it.
    let wide = bpp.message("on_search", json!({ "catalog": {} })).to_string();
    let wide = wide.replacen('{', &format!("{{\"x\":[{}],", repeated(|_| "0".to_owned(), 500_000)), 1);
    bpp.send_bytes("/bap/on_search", wide.into_bytes()).await.nack(200, "30000", "context.transaction_id");
    // Everything still works.
    let answer = bap.ask(&bap.message("select", fixture::selection(SECOND))).await;
    assert_eq!(answer["error"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_measured_as_it_comes() {
    const REQUEST: usize = 256 * 1024;
    const CALLBACK: usize = 1024 * 1024;
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    let padded = |message: &Value, length: usize| {
        let text = message.to_string();
        format!("{text}{}", " ".repeat(length - text.len())).into_bytes()
    };
    for (path, by_bap, message) in targets(&bap, &bpp) {
        let signer = if by_bap { &bap } else { &bpp };
        let cap = if by_bap { REQUEST } else { CALLBACK };
        let send = async |length: usize, chunk: Option<usize>| {
            let bytes = padded(&message, length);
            let authorization = signer.sign(&bytes);
            let headers =
                [("Content-Type", b"application/json".as_slice()), ("Authorization", authorization.as_bytes())];
            let request = match chunk {
                Some(chunk) => wire::chunked(path, &headers, &bytes, chunk),
                None => wire::post(path, &headers, &bytes),
            };
            wire::send(&network.url(), &request).await.status()
        };
        for chunk in [None, Some(64 * 1024), Some(1_000)] {
            assert_eq!(send(cap + 1, chunk).await, 413, "{path} in chunks of {chunk:?}");
            // The gateway carries a little less back than a consumer takes directly.
            let welcome = if path == "/gateway/on_search" { cap - 16 * 1024 } else { cap };
            assert_eq!(send(welcome, chunk).await, 200, "{path} in chunks of {chunk:?}");
        }
        // A million numbers, and then so much that nobody reads it to its end: no answer is fine, an ACK is not.
        assert_eq!(send(2_000_001, Some(64 * 1024)).await, 413, "{path}");
        let endless = send(8 * 1024 * 1024, Some(64 * 1024)).await;
        assert!(matches!(endless, 0 | 413), "{path}: {endless}");
    }
    network.idle().await;
    // Nobody needs to be known to be measured.
    let nobody = Stranger::unregistered(&network, "nobody.example", SubscriberType::Bap).await;
    nobody.send_bytes("/bpp/init", padded(&json!({}), REQUEST + 1)).await.nack(413, "30000", "");
    bap.ask(&bap.message("select", fixture::selection(FIRST))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_json_is_taken() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    for (path, by_bap, message) in targets(&bap, &bpp) {
        let signer = if by_bap { &bap } else { &bpp };
        let bytes = message.to_string().into_bytes();
        let authorization = signer.sign(&bytes);
        for wrong in [
            "text/plain",
            "text/json",
            "text/html; charset=application/json",
            "application/xml",
            "application/json+x",
            "application/ld+json",
            "application/jsonp",
            "application/json, text/plain",
            "multipart/form-data; boundary=application/json",
            "application/x-www-form-urlencoded",
            "application/ json",
            "json",
            "*/*",
            "",
        ] {
            let headers = [("content-type", wrong), ("authorization", authorization.as_str())];
            let reply = signer.post(path, &headers, bytes.clone()).await;
            assert_eq!(reply.status, 415, "{path} {wrong}: {}", reply.body);
        }
        assert_eq!(signer.post(path, &[("authorization", &authorization)], bytes.clone()).await.status, 415, "{path}");
        for right in
            ["application/json", "Application/JSON", "application/json;charset=UTF-8", " application/json ; x=1"]
        {
            let headers = [("content-type", right), ("authorization", authorization.as_str())];
            assert_eq!(signer.post(path, &headers, bytes.clone()).await.status, 200, "{path} {right}");
        }
    }
    // JSON is UTF-8, whatever the header says of it.
    let wide: Vec<u8> =
        bap.message("init", fixture::booking(FIRST)).to_string().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let authorization = bap.sign(&wide);
    let headers = [("content-type", "application/json; charset=utf-16le"), ("authorization", authorization.as_str())];
    bap.post("/bpp/init", &headers, wide).await.nack(200, "30000", "");
}
