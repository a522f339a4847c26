//! Headers that no honest participant writes: parameters, algorithms, signatures, and HTTP itself.

use beckn_health_protocol::registry::SubscriberType;
use beckn_health_tests::fixture::{self, FIRST};
use beckn_health_tests::forger::{decode, encode, other_scalar, other_spelling, parameter, with};
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::Stranger;
use beckn_health_tests::wire;

use super::JSON;

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_header_is_refused() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let before = network.rows().await;
    let bytes = bap.message("init", fixture::booking(FIRST)).to_string().into_bytes();
    let good = bap.sign(&bytes);
    let key_id = parameter(&good, "keyId").to_owned();
    let signature = parameter(&good, "signature").to_owned();
    let raw = decode(&signature).unwrap();
    let cut = |length: usize| encode(&raw[..length]);
    let longer = |more: usize| encode([raw.as_slice(), &vec![0; more]].concat());
    let keyed = |key_id: &str| with(&good, "keyId", key_id);
    let signed = |signature: &str| with(&good, "signature", signature);
    let without = |name: &str| {
        let found = format!("{name}=\"{}\"", parameter(&good, name));
        let header = good.replacen(&format!("{found},"), "", 1).replacen(&format!(",{found}"), "", 1);
        assert_ne!(header, good, "{name}");
        header
    };

    let mut cases: Vec<(String, String)> = Vec::new();
    let mut case = |what: &str, header: String| {
        assert_ne!(header, good, "{what}");
        cases.push((what.to_owned(), header));
    };
    // Algorithm confusion: both places say ed25519, in these letters.
    for other in ["hs2019", "xed25519", "Ed25519", "ED25519", "rsa-sha256", "none", "ed25519 ", "ed25519,none", ""] {
        case(&format!("algorithm {other}"), with(&good, "algorithm", other));
        case(&format!("keyId of {other}"), keyed(&key_id.replace("|ed25519", &format!("|{other}"))));
        let both = with(&good, "algorithm", other).replace("|ed25519", &format!("|{other}"));
        case(&format!("{other} in both places"), both);
    }
    case("no algorithm", without("algorithm"));
    case("an algorithm in another case", good.replace("algorithm=", "Algorithm="));
    // Parameters.
    for name in ["keyId", "created", "expires", "headers", "signature"] {
        let value = parameter(&good, name).to_owned();
        case(&format!("no {name}"), without(name));
        case(&format!("{name} twice, the same"), format!("{good},{name}=\"{value}\""));
        case(
            &format!("{name} twice, another first"),
            good.replacen("Signature ", &format!("Signature {name}=\"1\","), 1),
        );
        case(&format!("{name} in two cases"), format!("{good},{}=\"1\"", name.to_uppercase()));
        case(&format!("{name} without quotes"), good.replacen(&format!("\"{value}\""), &value, 1));
        case(&format!("{name} empty"), with(&good, name, ""));
        case(&format!("{name} with an escape"), with(&good, name, &format!("{value}\\")));
    }
    case("an unknown parameter twice", format!("{good},x=\"1\",x=\"1\""));
    case("a comma at the end", format!("{good},"));
    case("semicolons", good.replace(',', ";"));
    case("two in one", format!("{good},{good}"));
    case("two in one, of two schemes", format!("Bearer 1,{good}"));
    case("a quote too many", format!("{good}\""));
    case("another scheme", good.replacen("Signature ", "Digest ", 1));
    case("no blank after the scheme", good.replacen("Signature ", "Signature", 1));
    case("fewer headers signed", with(&good, "headers", "(created) (expires)"));
    case("more headers signed", with(&good, "headers", "(created) (expires) digest host"));
    case("headers in another order", with(&good, "headers", "digest (created) (expires)"));
    case("two blanks between", with(&good, "headers", "(created)  (expires) digest"));
    // The parts of a key id.
    case("four parts", keyed(&format!("x|{key_id}")));
    case("a part empty", keyed("bap.stranger.example||ed25519"));
    case("nobody", keyed("|k1|ed25519"));
    case("another case of the name", keyed(&key_id.replace("bap.", "Bap.")));
    case("a dot after the name", keyed(&key_id.replace(".example", ".example.")));
    case("a blank after the name", keyed(&key_id.replace(".example", ".example ")));
    case("a name too long", keyed(&format!("{}|k1|ed25519", "a".repeat(256))));
    // Signatures.
    for length in [0, 1, 31, 32, 63] {
        case(&format!("{length} bytes"), signed(&cut(length)));
    }
    for more in [1, 32, 64] {
        case(&format!("{} bytes", 64 + more), signed(&longer(more)));
    }
    case("all zero", signed(&encode([0; 64])));
    case("all ones", signed(&encode([0xff; 64])));
    case("halves exchanged", signed(&encode([&raw[32..], &raw[..32]].concat())));
    case("the same number, other bytes", other_scalar(&good));
    case("the same bytes, other text", other_spelling(&good));
    case("no padding", signed(signature.trim_end_matches('=')));
    case("in hexadecimal", signed(&raw.iter().map(|byte| format!("{byte:02x}")).collect::<String>()));
    case("with a blank in it", signed(&format!("{} {}", &signature[..40], &signature[40..])));
    for (what, header) in cases {
        let reply = bap.post("/bpp/init", &[JSON, ("authorization", &header)], bytes.clone()).await;
        assert_eq!(reply.status, 401, "{what}: {}", reply.body);
        reply.nack(401, "30016", "");
        assert!(reply.header("www-authenticate").is_some(), "{what}");
    }
    network.idle().await;
    assert_eq!(network.rows().await, before);
    assert!(bap.received().is_empty());
    // What the form leaves open: blanks after a comma, parameters of the future, the case of the scheme.
    for welcome in [good.replace("\",", "\", "), format!("{good},nonce=\"1\""), good.replacen('S', "s", 1)] {
        bap.post("/bpp/init", &[JSON, ("authorization", &welcome)], bytes.clone()).await.ack();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_text_are_refused() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let before = network.rows().await;
    let body = bap.message("init", fixture::booking(FIRST)).to_string().into_bytes();
    let good = bap.sign(&body);
    let send = async |lines: &[(&str, &[u8])]| wire::send(&network.url(), &wire::post("/bpp/init", lines, &body)).await;
    let json = ("Content-Type", b"application/json".as_slice());
    // A name in letters that look like the known one's (Cyrillic а), in UTF-8 and in Latin-1.
    let alike = good.replace("bap.", "b\u{430}p.");
    let latin = [good.as_bytes(), b",x=\"\xe9\xff\""].concat();
    for value in [alike.as_bytes(), &latin] {
        let answer = send(&[json, ("Authorization", value)]).await;
        assert_eq!(answer.status(), 401, "{}", answer.text);
        assert_eq!(answer.body()["error"]["code"], "30016");
    }
    // Line breaks and NUL end a header or the request.
    let folded = good.replacen(",created", "\r\n ,created", 1);
    let broken = good.replacen(",created", "\r\nX-Other: 1,created", 1);
    let ended = good.replacen(",created", "\0,created", 1);
    let carriage = good.replacen(",created", "\r,created", 1);
    for value in [&folded, &broken, &ended, &carriage] {
        let answer = send(&[json, ("Authorization", value.as_bytes())]).await;
        assert!(matches!(answer.status(), 400 | 401), "{value:?}: {}", answer.text);
    }
    // Two headers, however they are written, in either order.
    let forged = good.replace("bap.stranger", "evil.stranger");
    for (first, second) in [(&good, &good), (&good, &forged), (&forged, &good)] {
        let lines = [json, ("Authorization", first.as_bytes()), ("aUTHORIZATION", second.as_bytes())];
        assert_eq!(send(&lines).await.status(), 401);
    }
    network.idle().await;
    assert_eq!(network.rows().await, before);
    assert!(bap.received().is_empty());
    assert_eq!(send(&[json, ("AUTHORIZATION", good.as_bytes())]).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_route_itself_leads_to_a_function() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let before = network.rows().await;
    let body = bap.message("search", serde_json::json!({ "intent": {} })).to_string().into_bytes();
    let good = bap.sign(&body);
    let lines = [("Content-Type", b"application/json".as_slice()), ("Authorization", good.as_bytes())];
    for target in [
        "/bpp/Search",
        "/BPP/search",
        "//bpp/search",
        "/bpp//search",
        "/bpp/search/",
        "/bpp/search/.",
        "/bpp/./search",
        "/x/../bpp/search",
        "/bpp/%73earch",
        "/bpp%2Fsearch",
        "/bpp/search%00",
        "/bpp/search;x=1",
        "/bpp/search%20",
        "/bpp/on_search",
        "/bpp\\search",
        "/client/transactions/",
        "*",
        "bpp/search",
    ] {
        let answer = wire::send(&network.url(), &wire::post(target, &lines, &body)).await;
        assert!(matches!(answer.status(), 400 | 404 | 405), "{target}: {}", answer.text);
    }
    // A method by another name, and a wish for another method, are not heard.
    let request = String::from_utf8(wire::post("/bpp/search", &lines, &body)).unwrap();
    for method in ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "post", "SEARCH"] {
        let answer = wire::send(&network.url(), request.replacen("POST", method, 1).as_bytes()).await;
        assert!(matches!(answer.status(), 400 | 405), "{method}: {}", answer.text);
    }
    let overridden = [lines[0], lines[1], ("X-HTTP-Method-Override", b"POST")];
    let request = wire::post("/bpp/search", &overridden, &body);
    let get = String::from_utf8(request).unwrap().replacen("POST", "GET", 1);
    assert_eq!(wire::send(&network.url(), get.as_bytes()).await.status(), 405);
    network.idle().await;
    assert_eq!(network.rows().await, before);
    assert!(bap.received().is_empty());
    // A query is nobody's business; neither is the name by which we were called.
    for target in ["/bpp/search?action=confirm", "http://evil.example/bpp/search"] {
        assert_eq!(wire::send(&network.url(), &wire::post(target, &lines, &body)).await.status(), 200, "{target}");
    }
}

/// Two readers of one connection must not see two different requests.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_request_cannot_hide_in_the_first() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let unknown = Stranger::unregistered(&network, "nobody.example", SubscriberType::Bap).await;
    let before = network.rows().await;
    let hidden = bap.message("init", fixture::booking(FIRST)).to_string().into_bytes();
    let good = bap.sign(&hidden);
    let lines = [("Content-Type", b"application/json".as_slice()), ("Authorization", good.as_bytes())];
    let second = wire::post("/bpp/init", &lines, &hidden);
    let first = |framing: &str, body: &[u8]| {
        let head = format!(
            "POST /bpp/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: {}\r\n{framing}\r\n",
            unknown.sign(b"{}")
        );
        [head.as_bytes(), body].concat()
    };
    for (what, request) in [
        (
            "two lengths",
            first(
                &format!("Content-Length: 2\r\nContent-Length: {}\r\n", second.len() + 2),
                &[b"{}", second.as_slice()].concat(),
            ),
        ),
        (
            "a length of two values",
            first(&format!("Content-Length: 2, {}\r\n", second.len() + 2), &[b"{}", second.as_slice()].concat()),
        ),
        ("a length with a sign", first("Content-Length: +2\r\n", &[b"{}", second.as_slice()].concat())),
        ("a coding nobody knows", first("Transfer-Encoding: xchunked\r\n", &second)),
        ("chunked twice", first("Transfer-Encoding: chunked, chunked\r\n", &second)),
        ("chunked and then something", first("Transfer-Encoding: chunked, identity\r\n", &second)),
    ] {
        let answer = wire::send(&network.url(), &request).await;
        assert!(!answer.statuses.contains(&200), "{what}: {}", answer.text);
    }
    // Chunks win over a length: the second request is what follows the last chunk, and no part of the first.
    let both = first(
        &format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", second.len() + 12),
        b"2\r\n{}\r\n0\r\n\r\n",
    );
    let answer = wire::send(&network.url(), &[both.as_slice(), &wire::post("/nowhere", &[], b"")].concat()).await;
    assert!(!answer.statuses.contains(&200), "{}", answer.text);
    network.idle().await;
    assert_eq!(network.rows().await, before);
    assert!(bap.received().is_empty());
}
