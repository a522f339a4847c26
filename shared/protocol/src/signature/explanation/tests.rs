//! Each step of an explanation, and each known mistake by itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blake2::{Blake2b512, Digest as _};
use proptest::prelude::*;
use sha2::Sha256;

use super::super::{Algorithm, JsonForm, KeyIdTriple, SigningKey, sign};
use super::*;
use crate::ids::{KeyId, SubscriberId};

const BODY: &[u8] = br#"{"context":{"action":"search","ttl":"PT30S"},"message":{"intent":{"n":1.10,"list":[1,2]}}}"#;
const NOW: i64 = 1_700_000_000;

fn key() -> SigningKey {
    SigningKey::generate([5; 32])
}

fn ids() -> (SubscriberId, KeyId) {
    (SubscriberId::parse("bap.example").unwrap(), KeyId::parse("k-1").unwrap())
}

fn signed(body: &[u8]) -> String {
    let (subscriber_id, key_id) = ids();
    sign(body, &subscriber_id, &key_id, &key(), NOW - 10, NOW + 290)
}

/// A header whose signature is that of a text of one's own.
fn signed_text(text: &[u8]) -> String {
    let (subscriber_id, key_id) = ids();
    let key_id = KeyIdTriple { subscriber_id, key_id, algorithm: Algorithm::Ed25519 };
    AuthorizationHeader { key_id, created: NOW - 10, expires: NOW + 290, signature: key().sign(text) }.to_string()
}

fn explained(header: &str) -> Explanation {
    explain(header, BODY, Some(&key().verifying_key()), NOW)
}

fn outcomes(explanation: &Explanation) -> String {
    explanation
        .steps
        .iter()
        .map(|step| match step.outcome {
            Outcome::Passed => '+',
            Outcome::Failed => '!',
            Outcome::NotReached => '.',
        })
        .collect()
}

fn text(explanation: &Explanation, part: Part) -> &str {
    &explanation.steps.iter().find(|step| step.part == part).unwrap().text
}

#[test]
fn a_right_signature_passes_every_step() {
    let explanation = explained(&signed(BODY));
    assert!(explanation.is_valid());
    assert_eq!(outcomes(&explanation), "++++++++");
    assert_eq!(explanation.steps.iter().map(|step| step.part).collect::<Vec<_>>(), PARTS);
    assert_eq!(explanation.mistakes, []);
    assert_eq!(explanation.digest, digest(BODY));
    let lines = format!("(created): {}\n(expires): {}\ndigest: BLAKE-512={}", NOW - 10, NOW + 290, digest(BODY));
    assert_eq!(explanation.signing_string.as_deref(), Some(lines.as_str()));
    let window = text(&explanation, Part::Window);
    for figure in ["1699999990", "10 s ago", "290 s ahead", "lifetime 300 s", "2023-11-14T22:13:20Z"] {
        assert!(window.contains(figure), "{window}");
    }
    let shown = explanation.to_string();
    assert!(shown.contains("passed       signing string  (created): 1699999990\n"), "{shown}");
    assert!(shown.contains("\n                             (expires): 1700000290\n"), "{shown}");
}

#[test]
fn a_header_that_cannot_be_read_ends_at_the_step_it_fails() {
    let right = signed(BODY);
    for (from, to, expected, said) in [
        ("Signature ", "Basic ", "!.......", "scheme"),
        ("created=\"", "created=\"1\",created=\"", "!.......", "`created` twice"),
        (",created", ";created", "!.......", "byte"),
        ("algorithm=\"ed25519\",", "", "+!......", "`algorithm`"),
        ("algorithm=\"ed25519\"", "algorithm=\"hs2019\"", "+!......", "in algorithm"),
        ("|ed25519\"", "|hs2019\"", "+!......", "in keyId"),
        ("|k-1|", "|", "++!.....", "found 2"),
        ("(created) (expires)", "(created)", "++!.....", "headers="),
        ("expires=\"1", "expires=\"+1", "++!.....", "`expires`"),
        ("signature=\"", "signature=\"A", "++!.....", "64 bytes"),
    ] {
        let changed = right.replacen(from, to, 1);
        let explanation = explained(&changed);
        assert_eq!(outcomes(&explanation), expected, "{changed}");
        let failed = explanation.steps.iter().find(|step| step.outcome == Outcome::Failed).unwrap();
        assert!(failed.text.contains(said), "{}", failed.text);
        assert_eq!(explanation.verdict, Verdict::Invalid(AuthorizationHeader::parse(&changed).unwrap_err()));
        assert_eq!(explanation.digest, digest(BODY));
    }
}

#[test]
fn a_window_that_is_over_does_not_hide_the_signature() {
    let explanation = explain(&signed(BODY), BODY, Some(&key().verifying_key()), NOW + 400);
    assert_eq!(outcomes(&explanation), "+++!++++");
    assert_eq!(explanation.verdict, Verdict::Invalid(SignatureError::Expired { expires: NOW + 290, now: NOW + 400 }));
    assert!(text(&explanation, Part::Window).contains("110 s behind"));
    // Both wrong: the first is the verdict.
    let explanation = explain(&signed(BODY), b"{}", Some(&key().verifying_key()), NOW - 100);
    assert_eq!(outcomes(&explanation), "+++!+++!");
    let first = SignatureError::CreatedInFuture { created: NOW - 10, now: NOW - 100 };
    assert_eq!(explanation.verdict, Verdict::Invalid(first));
}

#[test]
fn without_a_key_the_signature_is_not_reached() {
    let explanation = explain(&signed(BODY), BODY, None, NOW);
    assert_eq!(outcomes(&explanation), "++++++..");
    assert_eq!(explanation.verdict, Verdict::NoKey);
    assert!(!explanation.is_valid());
    assert!(text(&explanation, Part::Key).contains("k-1 of bap.example"));
    let late = explain(&signed(BODY), BODY, None, NOW + 1_000);
    assert!(matches!(late.verdict, Verdict::Invalid(SignatureError::Expired { .. })));
}

fn mistakes(header: &str) -> Vec<Mistake> {
    let explanation = explained(header);
    assert!(!explanation.is_valid());
    explanation.mistakes
}

#[test]
fn a_body_written_anew_is_told() {
    let value: serde_json::Value = serde_json::from_slice(BODY).unwrap();
    let pretty = std::str::from_utf8(BODY).unwrap().replace(":{", ": {").replace(",\"", ", \"").replace("\":", "\": ");
    let spaced = pretty.replace(":  {", ": {").replace("[1,2]", "[1, 2]");
    assert_eq!(mistakes(&signed(spaced.as_bytes())), [Mistake::Reserialised(JsonForm::Spaced)]);
    // A parser that reads 1.10 writes 1.1.
    let normalised = value.to_string();
    assert_eq!(mistakes(&signed(normalised.as_bytes())), [Mistake::Reserialised(JsonForm::Normalised)]);
    let mut sorted = value;
    sorted.sort_all_objects();
    assert_eq!(mistakes(&signed(sorted.to_string().as_bytes())), [Mistake::Reserialised(JsonForm::Sorted)]);

    let whole = br#"{"b":[1,{"c":null}],"a":{}}"#;
    let indented = "{\n  \"b\": [\n    1,\n    {\n      \"c\": null\n    }\n  ],\n  \"a\": {}\n}";
    let told = |signed_body: &[u8], received: &[u8]| {
        explain(&signed(signed_body), received, Some(&key().verifying_key()), NOW).mistakes
    };
    assert_eq!(told(indented.as_bytes(), whole), [Mistake::Reserialised(JsonForm::Indented { spaces: 2 })]);
    assert_eq!(told(whole, indented.as_bytes()), [Mistake::Reserialised(JsonForm::Compact)]);
    let four = indented.replace("  ", "    ");
    assert_eq!(told(four.as_bytes(), whole), [Mistake::Reserialised(JsonForm::Indented { spaces: 4 })]);
}

#[test]
fn a_line_break_at_the_end_is_told() {
    let verifying = key().verifying_key();
    let told =
        |signed_body: &[u8], received: &[u8]| explain(&signed(signed_body), received, Some(&verifying), NOW).mistakes;
    assert_eq!(told(b"{}\n", b"{}"), [Mistake::NewlineLost]);
    assert_eq!(told(b"{}\r\n", b"{}"), [Mistake::NewlineLost]);
    assert_eq!(told(b"{}", b"{}\n"), [Mistake::NewlineAdded]);
    assert_eq!(told(b"{}", b"{}\r\n"), [Mistake::NewlineAdded]);
    // Of a body that is no JSON too.
    assert_eq!(told(b"\xff", b"\xff\n"), [Mistake::NewlineAdded]);
}

#[test]
fn a_signing_string_made_otherwise_is_told() {
    let right = signing_string(NOW - 10, NOW + 290, &digest(BODY));
    let hashed = |text: &str| STANDARD.encode(Blake2b512::digest(text));
    let spaces = right.replace('\n', " ");
    for (text, expected) in [
        (spaces.clone(), vec![Mistake::JoinedWithSpaces]),
        (right.replace('\n', "\r\n"), vec![Mistake::JoinedWithCarriageReturns]),
        (format!("{right}\n"), vec![Mistake::NewlineAtEnd]),
        (right.replace(": ", ":"), vec![Mistake::NoSpaceAfterColon]),
        (hashed(&right), vec![Mistake::HashedTwice]),
        (hashed(&spaces), vec![Mistake::JoinedWithSpaces, Mistake::HashedTwice]),
    ] {
        assert_eq!(mistakes(&signed_text(text.as_bytes())), expected, "{text}");
    }
}

#[test]
fn another_digest_is_told() {
    let right = signing_string(NOW - 10, NOW + 290, &digest(BODY));
    let sha256 = STANDARD.encode(Sha256::digest(BODY));
    let hex: String = Blake2b512::digest(BODY).iter().map(|byte| format!("{byte:02x}")).collect();
    let with = |label: &str, digest: &str| {
        let (times, _) = right.split_once("digest:").unwrap();
        mistakes(&signed_text(format!("{times}digest: {label}={digest}").as_bytes()))
    };
    let blake = digest(BODY);
    assert_eq!(with("BLAKE2b-512", &blake), [Mistake::DigestLabel("BLAKE2b-512")]);
    assert_eq!(with("SHA-256", &blake), [Mistake::DigestLabel("SHA-256")]);
    assert_eq!(with("BLAKE-512", &sha256), [Mistake::DigestAlgorithm("SHA-256")]);
    assert_eq!(with("SHA-256", &sha256), [Mistake::DigestLabel("SHA-256"), Mistake::DigestAlgorithm("SHA-256")]);
    assert_eq!(with("BLAKE-512", &hex), [Mistake::DigestInHex]);
    // Made with Python's hashlib.blake2b(body, digest_size=32).
    let short = "KWClmAqZeTfQxbMpOkXUFisTTxBgD+iLiNSW0DaTnWU=";
    assert_eq!(
        with("BLAKE2b-256", short),
        [Mistake::DigestLabel("BLAKE2b-256"), Mistake::DigestAlgorithm("BLAKE2b-256")]
    );
}

#[test]
fn two_mistakes_at_once_are_told_together() {
    let text = signing_string(NOW - 10, NOW + 290, &digest(&[BODY, b"\n"].concat())).replace('\n', " ");
    assert_eq!(mistakes(&signed_text(text.as_bytes())), [Mistake::NewlineLost, Mistake::JoinedWithSpaces]);
}

#[test]
fn mistakes_of_the_header_are_told() {
    let right = signed(BODY);
    assert_eq!(mistakes(&format!("Bearer {right}")), [Mistake::TextBeforeScheme { bytes: 7 }]);
    assert_eq!(mistakes(&format!("Authorization: {right}")), [Mistake::TextBeforeScheme { bytes: 15 }]);
    assert_eq!(mistakes(r#"{"keyId":"a|b|ed25519"}"#), [Mistake::JsonHeader]);
    let (subscriber_id, key_id) = ids();
    let header = sign(BODY, &subscriber_id, &key_id, &key(), NOW * 1_000, NOW * 1_000 + 300);
    assert_eq!(mistakes(&header), [Mistake::Milliseconds]);
}

#[test]
fn what_is_no_known_mistake_is_said_to_be_none() {
    let stranger = SigningKey::generate([6; 32]).verifying_key();
    let explanation = explain(&signed(BODY), BODY, Some(&stranger), NOW);
    assert_eq!(explanation.verdict, Verdict::Invalid(SignatureError::Mismatch));
    assert_eq!(explanation.mistakes, []);
    assert!(text(&explanation, Part::Signature).contains("none of the known mistakes"));
}

#[test]
fn a_body_is_not_shown() {
    let body = br#"{"message":{"name":"canary"}}"#;
    for received in [&body[..], b"{\"message\":{\"name\":\"canary\"} }"] {
        let explanation = explain(&signed(body), received, Some(&key().verifying_key()), NOW);
        assert!(!format!("{explanation} {explanation:?}").contains("canary"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A receiver and an explanation never disagree.
    #[test]
    fn the_verdict_is_the_receivers(
        body in prop::collection::vec(any::<u8>(), 0..64),
        received in prop::option::of(prop::collection::vec(any::<u8>(), 0..64)),
        created in -10_i64..10,
        lifetime in -2_i64..8,
        changed in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let (subscriber_id, key_id) = ids();
        let mut header = sign(&body, &subscriber_id, &key_id, &key(), NOW + created, NOW + created + lifetime);
        if let Some((place, byte)) = changed {
            let mut bytes = header.into_bytes();
            let at = place.index(bytes.len());
            bytes[at] = byte;
            header = String::from_utf8_lossy(&bytes).into_owned();
        }
        let received = received.unwrap_or(body);
        let verifying = key().verifying_key();
        let receiver = AuthorizationHeader::parse(&header).and_then(|read| {
            check_window(&read, NOW, None)?;
            verify(&read, &received, &verifying)
        });
        let accepted = receiver.is_ok();
        let explanation = explain(&header, &received, Some(&verifying), NOW);
        prop_assert_eq!(explanation.is_valid(), accepted);
        let expected = receiver.map_or_else(Verdict::Invalid, |()| Verdict::Valid);
        prop_assert_eq!(explanation.verdict, expected);
        let failures = explanation.steps.iter().filter(|step| step.outcome == Outcome::Failed).count();
        prop_assert_eq!(failures == 0, accepted);
        prop_assert!(explanation.mistakes.is_empty() || !accepted);
    }
}
