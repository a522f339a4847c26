//! The published vectors of BECKN-006, what must fail, and properties of the pair sign and verify.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

// Facts published with BECKN-006: body, keys, times and signature. The gateway's signature in the
// document is wrong (it prints the private key); the one here was computed from its keys and times.
const BODY: &str = r#"{"context":{"domain":"nic2004:60212","country":"IND","city":"Kochi","action":"search","core_version":"0.9.1","bap_id":"bap.stayhalo.in","bap_uri":"https://8f9f-49-207-209-131.ngrok.io/protocol/","transaction_id":"e6d9f908-1d26-4ff3-a6d1-3af3d3721054","message_id":"a2fe6d52-9fe4-4d1a-9d0b-dccb8b48522d","timestamp":"2022-01-04T09:17:55.971Z","ttl":"P1M"},"message":{"intent":{"fulfillment":{"start":{"location":{"gps":"10.108768, 76.347517"}},"end":{"location":{"gps":"10.102997, 76.353480"}}}}}}"#;
const DIGEST: &str = "b6lf6lRgOweajukcvcLsagQ2T60+85kRh/Rd2bdS+TG/5ALebOEgDJfyCrre/1+BMu5nA94o4DT3pTFXuUg7sw==";
const PUBLIC: &str = "awGPjRK6i/Vg/lWr+0xObclVxlwZXvTjWYtlu6NeOHk=";
const PRIVATE: &str = "lP3sHA+9gileOkXYJXh4Jg8tK0gEEMbf9yCPnFpbldhrAY+NErqL9WD+Vav7TE5tyVXGXBle9ONZi2W7o144eQ==";
const SIGNATURE: &str = "cjbhP0PFyrlSCNszJM1F/YmHDVAWsZqJUPzojnE/7TJU3fJ/rmIlgaUHEr5E0/2PIyf0tpSnWtT6cyNNlpmoAQ==";
const CREATED: i64 = 1_641_287_875;
const EXPIRES: i64 = 1_641_291_475;
const GATEWAY_PRIVATE: &str =
    "hJ5sCmbe7s9Wateq6QAdBGloVSkLuLHWOXcRkzrMcVLthFldV4gnT9Vrnq9iDNPVSKuDqaercVjQwFlj0Ml+3Q==";
const GATEWAY_SIGNATURE: &str =
    "kUgvyU+bdXXkNuYKygbv0gkjArHKyF9Eg4pdCyxb+J1bMyQ6n4G1RVSM97qqKmgw04mgOkbhyz5chnD3PP1lDQ==";

fn header() -> String {
    format!(
        "Signature keyId=\"example-bap.com|ae3ea24b-cfec-495e-81f8-044aaef164ac|ed25519\",algorithm=\"ed25519\",created=\"{CREATED}\",expires=\"{EXPIRES}\",headers=\"(created) (expires) digest\",signature=\"{SIGNATURE}\""
    )
}

fn ids() -> (SubscriberId, KeyId) {
    (SubscriberId::parse("example-bap.com").unwrap(), KeyId::parse("ae3ea24b-cfec-495e-81f8-044aaef164ac").unwrap())
}

fn parse(header: &str) -> Result<AuthorizationHeader, SignatureError> {
    AuthorizationHeader::parse(header)
}

#[test]
fn digest_matches_the_published_ones() {
    assert_eq!(digest(BODY.as_bytes()), DIGEST);
    assert_eq!(
        digest(b"The quick brown fox jumps over the lazy dog"),
        "qK3Uvd39k+SHfSdG5igXsRY2Sh+nvBSNlQkLxzM7NnP4JAHPeqLkyx7NkCluPxTLVBP47Xe+cwRbE5FM3NapGA=="
    );
}

#[test]
fn signing_gives_the_published_header() {
    let (subscriber, key_id) = ids();
    let key = SigningKey::from_base64(PRIVATE).unwrap();
    assert_eq!(sign(BODY.as_bytes(), &subscriber, &key_id, &key, CREATED, EXPIRES), header());
    // The 32-byte seed alone is the same key.
    let seed = STANDARD.encode(&STANDARD.decode(PRIVATE).unwrap()[..32]);
    assert_eq!(SigningKey::from_base64(&seed).unwrap().to_base64(), PRIVATE);
    assert_eq!(key.verifying_key().to_base64(), PUBLIC);
}

#[test]
fn the_published_header_verifies() {
    let read = parse(&header()).unwrap();
    assert_eq!(read.key_id.subscriber_id.as_str(), "example-bap.com");
    assert_eq!((read.created, read.expires), (CREATED, EXPIRES));
    verify(&read, BODY.as_bytes(), &VerifyingKey::from_base64(PUBLIC).unwrap()).unwrap();
}

#[test]
fn the_gateway_vector_verifies_and_its_printed_signature_does_not() {
    let key = SigningKey::from_base64(GATEWAY_PRIVATE).unwrap();
    let (subscriber, key_id) = ids();
    let made = sign(BODY.as_bytes(), &subscriber, &key_id, &key, 1_641_287_885, 1_641_291_485);
    assert!(made.contains(GATEWAY_SIGNATURE), "{made}");
    let printed = parse(&made.replace(GATEWAY_SIGNATURE, GATEWAY_PRIVATE)).unwrap();
    assert_eq!(verify(&printed, BODY.as_bytes(), &key.verifying_key()), Err(SignatureError::Mismatch));
}

#[test]
fn an_independent_implementation_signs_alike() {
    // Facts from another implementation's test: an eight-line text, seed and signature.
    let text = "(request-target): POST /foo?param=value&pet=dog\n(created): 1402170695\n(expires): 1402170699\nhost: example.com\ndate: Sun, 05 Jan 2014 21:31:40 GMT\ncontent-type: application/json\ndigest: BLAKE-512=IMuPEXWqo/I/Ags5YjAMSDujPdo/GuMnNGBdtNg0QZ+HTxmWNjb/DHnUWgVK+JWyD9rHRfNUyGXZOO9ugBuOMw==\ncontent-length: 18";
    let key = SigningKey::from_base64("faGTaRPYJx8OQ7zbQOlrevtWTmqs+hAJr2tn08Dgx1U=").unwrap();
    assert_eq!(
        STANDARD.encode(key.sign(text.as_bytes())),
        "WJoZi2DBgQQ1ChHus4F6L0S4pOVeSvhmViZK3W0x+kCpmrVC6cgcmj2x7P2g5fHjft1OB5LKJLmIid2qd1XZCA=="
    );
    assert_eq!(digest(br#"{"hello": "world"}"#).get(..12), Some("IMuPEXWqo/I/"));
}

#[test]
fn another_body_another_key_or_other_times_do_not_verify() {
    let key = VerifyingKey::from_base64(PUBLIC).unwrap();
    let read = parse(&header()).unwrap();
    let other_key = SigningKey::generate([7; 32]).verifying_key();
    let mismatch = Err(SignatureError::Mismatch);
    assert_eq!(verify(&read, format!("{BODY}\n").as_bytes(), &key), mismatch);
    assert_eq!(verify(&read, b"", &key), mismatch);
    assert_eq!(verify(&read, BODY.as_bytes(), &other_key), mismatch);
    let later = AuthorizationHeader { expires: EXPIRES + 1, ..read.clone() };
    assert_eq!(verify(&later, BODY.as_bytes(), &key), mismatch);
    let sooner = AuthorizationHeader { created: CREATED - 1, ..read };
    assert_eq!(verify(&sooner, BODY.as_bytes(), &key), mismatch);
}

#[test]
fn blanks_after_commas_and_any_case_of_the_scheme_are_accepted() {
    let expected = parse(&header()).unwrap();
    assert_eq!(parse(&header().replace("\",", "\", ")).unwrap(), expected);
    assert_eq!(parse(&header().replace("\",", "\",\t ")).unwrap(), expected);
    assert_eq!(parse(&header().replacen("Signature ", "SIGNATURE ", 1)).unwrap(), expected);
    assert_eq!(parse(&format!("{},nonce=\"x\"", header())).unwrap(), expected);
}

#[test]
fn each_fault_of_a_header_is_named() {
    let with = |from: &str, to: &str| {
        let changed = header().replacen(from, to, 1);
        assert_ne!(changed, header(), "{from} is not in the header");
        parse(&changed).unwrap_err()
    };
    use SignatureError as E;
    assert_eq!(with("Signature ", "Bearer "), E::Scheme);
    assert_eq!(with("Signature ", "Bearer Signature "), E::Scheme);
    assert_eq!(with("Signature ", "Signature"), E::Scheme);
    assert_eq!(parse("").unwrap_err(), E::Scheme);
    assert_eq!(with("created=\"", "created=\"1\",created=\""), E::Duplicate { parameter: "created".into() });
    assert_eq!(with("created=\"", "x=\"1\",x=\"2\",created=\""), E::Duplicate { parameter: "x".into() });
    // Names of parameters have no case (RFC 9110): to another reader these are one.
    assert_eq!(with("created=\"", "CREATED=\"1\",created=\""), E::Duplicate { parameter: "created".into() });
    assert_eq!(with("algorithm=\"ed25519\",", ""), E::Missing("algorithm"));
    assert_eq!(with("expires=", "Expires="), E::Missing("expires"));
    assert_eq!(with("algorithm=\"ed25519\"", "algorithm=\"rsa-sha256\""), E::Algorithm { place: "algorithm" });
    assert_eq!(with("algorithm=\"ed25519\"", "algorithm=\"ED25519\""), E::Algorithm { place: "algorithm" });
    assert_eq!(with("|ed25519\"", "|xed25519\""), E::Algorithm { place: "keyId" });
    assert_eq!(with("|ed25519\"", "|none\""), E::Algorithm { place: "keyId" });
    assert_eq!(with("|ed25519\"", "\""), E::KeyIdParts { found: 2 });
    assert_eq!(with("example-bap.com|", "example|bap.com|"), E::KeyIdParts { found: 4 });
    assert_eq!(with("example-bap.com|", "|"), E::KeyIdPart("subscriber_id"));
    assert_eq!(with("(created) (expires) digest", "(created)(expires)digest"), E::SignedHeaders);
    assert_eq!(with("(created) (expires) digest", "(created)  (expires) digest"), E::SignedHeaders);
    assert_eq!(with("(created) (expires) digest", "digest"), E::SignedHeaders);
    for bad in ["+1641287875", "01641287875", "-1", "1641287875.0", "", " 1641287875", "99999999999999999999", "0x10"] {
        assert_eq!(with("1641287875", bad), E::Time("created"), "{bad}");
    }
    assert_eq!(with(SIGNATURE, "AAAA"), E::SignatureEncoding);
    assert_eq!(with(SIGNATURE, "not base64"), E::SignatureEncoding);
    assert_eq!(with("==\"", "=\""), E::SignatureEncoding);
    // Unused bits of the last Base64 digit: a second spelling of the same signature.
    assert_eq!(with("oAQ==", "oAR=="), E::SignatureEncoding);
    for (from, to) in [
        ("keyId=\"example", "keyId=\"exam\"ple"),
        ("keyId=\"example", "keyId=\"exam\\\"ple"),
        ("keyId=\"example", "keyId=\"exam\u{e9}ple"),
        ("keyId=\"example", "keyId=\"exam\nple"),
        ("created=\"1641287875\"", "created=1641287875"),
        ("\",algorithm", "\" ,algorithm"),
        ("\",algorithm", "\";algorithm"),
        ("\",algorithm", "\",,algorithm"),
    ] {
        let error = with(from, to);
        assert!(matches!(error, E::Malformed { .. }), "{to:?}: {error:?}");
    }
    assert!(matches!(parse(&format!("{},", header())).unwrap_err(), E::Malformed { .. }));
    let long = format!("{},x=\"{}\"", header(), "y".repeat(MAX_HEADER_BYTES));
    assert!(matches!(parse(&long).unwrap_err(), E::HeaderTooLong { .. }));
}

#[test]
fn a_truncated_header_is_never_accepted() {
    let whole = header();
    for end in 0..whole.len() {
        assert!(parse(&whole[..end]).is_err(), "accepted the first {end} bytes");
    }
}

#[test]
fn the_window_is_checked_at_each_edge() {
    let header = |created, expires| AuthorizationHeader { created, expires, ..parse(&self::header()).unwrap() };
    let now = 1_000_000;
    assert_eq!(check_window(&header(now, now + 300), now, None), Ok(()));
    assert_eq!(check_window(&header(now + 5, now + 300), now, None), Ok(()));
    assert_eq!(
        check_window(&header(now + 6, now + 300), now, None),
        Err(SignatureError::CreatedInFuture { created: now + 6, now })
    );
    assert_eq!(check_window(&header(now - 300, now), now, None), Ok(()));
    assert_eq!(
        check_window(&header(now - 300, now - 1), now, None),
        Err(SignatureError::Expired { expires: now - 1, now })
    );
    assert_eq!(
        check_window(&header(now, now - 1), now, None),
        Err(SignatureError::ExpiresBeforeCreated { created: now, expires: now - 1 })
    );
    // The form of deployed peers: created a minute ago, valid for an hour from now.
    assert_eq!(check_window(&header(now - 60, now + 3_600), now, None), Ok(()));
    assert_eq!(
        check_window(&header(now - 60, now + 3_601), now, None),
        Err(SignatureError::LifetimeTooLong { seconds: 3_661 })
    );
    assert_eq!(check_window(&header(now, now + 300), now, Some(now + 300)), Ok(()));
    assert_eq!(
        check_window(&header(now, now + 300), now, Some(now + 299)),
        Err(SignatureError::OutlivesKey { expires: now + 300, valid_until: now + 299 })
    );
    let extreme = check_window(&header(0, i64::MAX), i64::MAX, None);
    assert!(matches!(extreme, Err(SignatureError::LifetimeTooLong { .. })), "{extreme:?}");
}

#[test]
fn skew_is_told_in_seconds() {
    let told = SignatureError::CreatedInFuture { created: 112, now: 100 }.to_string();
    assert!(told.contains("12 s ahead") && told.contains("112") && told.contains("100"), "{told}");
    assert_eq!(SignatureError::Expired { expires: 1, now: 2 }.code(), crate::error::Code::StaleRequest);
    assert_eq!(SignatureError::Mismatch.code(), crate::error::Code::InvalidSignature);
}

#[test]
fn the_challenge_names_the_realm_and_the_signed_headers() {
    assert_eq!(
        challenge(&SubscriberId::parse("bpp.example").unwrap()),
        "Signature realm=\"bpp.example\",headers=\"(created) (expires) digest\""
    );
}

#[test]
fn keys_are_read_in_every_known_form_and_no_other() {
    let spki = format!("MCowBQYDK2VwAyEA{PUBLIC}");
    assert_eq!(VerifyingKey::from_base64(&spki).unwrap().to_base64(), PUBLIC);
    // The same DER with the X25519 identifier.
    let x25519 = format!("MCowBQYDK2VuAyEA{PUBLIC}");
    assert_eq!(VerifyingKey::from_base64(&x25519), Err(InvalidKey::NotEd25519));
    assert_eq!(VerifyingKey::from_base64("%%"), Err(InvalidKey::Encoding));
    assert!(matches!(VerifyingKey::from_base64("AAAA"), Err(InvalidKey::Length { found: 3, .. })));
    assert!(matches!(SigningKey::from_base64("AAAA"), Err(InvalidKey::Length { found: 3, .. })));
    let mut halves = STANDARD.decode(PRIVATE).unwrap();
    halves[63] ^= 1;
    assert_eq!(SigningKey::from_base64(&STANDARD.encode(&halves)).unwrap_err(), InvalidKey::HalvesDiffer);
    halves.truncate(48);
    assert!(matches!(SigningKey::from_base64(&STANDARD.encode(&halves)), Err(InvalidKey::Length { found: 48, .. })));
    assert_eq!(format!("{:?}", SigningKey::generate([1; 32])), "SigningKey(<redacted>)");
}

#[test]
fn keys_of_small_order_are_refused() {
    // The identity, the points of order 2 and 4, and one of order 8.
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut order_two = [0xff; 32];
    order_two[0] = 0xec;
    order_two[31] = 0x7f;
    let order_four = [0; 32];
    let order_eight = [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ];
    for point in [identity, order_two, order_four, order_eight] {
        assert_eq!(VerifyingKey::from_base64(&STANDARD.encode(point)), Err(InvalidKey::Weak), "{point:?}");
    }
}

#[test]
fn every_flipped_bit_of_a_header_is_refused_or_names_another_signer() {
    let key = VerifyingKey::from_base64(PUBLIC).unwrap();
    let whole = parse(&header()).unwrap();
    let text = header();
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            let Ok(read) = parse(&changed) else { continue };
            if verify(&read, BODY.as_bytes(), &key).is_err() {
                continue;
            }
            // Who signed is not signed: it is proven by whose key verifies. The scheme may be in any case.
            let another_case = changed.eq_ignore_ascii_case(&text) && at < "Signature".len();
            assert!(read.key_id != whole.key_id || another_case, "byte {at}, bit {bit}: {changed}");
        }
    }
}

#[test]
fn every_flipped_bit_of_a_body_is_refused() {
    let key = VerifyingKey::from_base64(PUBLIC).unwrap();
    let read = parse(&header()).unwrap();
    let mut body = BODY.as_bytes().to_vec();
    for at in 0..body.len() {
        for bit in 0..8 {
            body[at] ^= 1 << bit;
            assert_eq!(verify(&read, &body, &key), Err(SignatureError::Mismatch), "byte {at}, bit {bit}");
            body[at] ^= 1 << bit;
        }
    }
    assert_eq!(verify(&read, &body, &key), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_signed_verifies(
        seed in any::<[u8; 32]>(),
        body in prop::collection::vec(any::<u8>(), 0..512),
        subscriber in "[a-z0-9.-]{1,40}",
        key_id in "[A-Za-z0-9_ -]{1,40}",
        created in 0_i64..4_000_000_000,
        lifetime in 0_i64..4_000,
    ) {
        let key = SigningKey::generate(seed);
        let (subscriber, key_id) = (SubscriberId::parse(subscriber).unwrap(), KeyId::parse(key_id).unwrap());
        let text = sign(&body, &subscriber, &key_id, &key, created, created + lifetime);
        let read = parse(&text).unwrap();
        prop_assert_eq!(&read.key_id.subscriber_id, &subscriber);
        prop_assert_eq!(&read.key_id.key_id, &key_id);
        prop_assert_eq!((read.created, read.expires), (created, created + lifetime));
        prop_assert!(verify(&read, &body, &key.verifying_key()).is_ok());
    }

    #[test]
    fn one_flipped_bit_of_what_is_signed_is_refused(
        seed in any::<[u8; 32]>(),
        body in prop::collection::vec(any::<u8>(), 1..256),
        place in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let key = SigningKey::generate(seed);
        let (subscriber, key_id) = ids();
        let text = sign(&body, &subscriber, &key_id, &key, CREATED, EXPIRES);
        let read = parse(&text).unwrap();

        let mut other_body = body.clone();
        other_body[place.index(body.len())] ^= 1 << bit;
        prop_assert!(verify(&read, &other_body, &key.verifying_key()).is_err());

        let mut other = read.clone();
        other.signature[place.index(64)] ^= 1 << bit;
        prop_assert!(verify(&other, &body, &key.verifying_key()).is_err());

        let mut public = STANDARD.decode(key.verifying_key().to_base64()).unwrap();
        public[place.index(32)] ^= 1 << bit;
        if let Ok(other_key) = VerifyingKey::from_base64(&STANDARD.encode(public)) {
            prop_assert!(verify(&read, &body, &other_key).is_err());
        }

        // Anywhere in the times, the algorithm, the list of headers or the signature of the header itself.
        let start = text.find("algorithm=").unwrap();
        let mut bytes = text.clone().into_bytes();
        let at = start + place.index(bytes.len() - start);
        bytes[at] ^= 1 << bit;
        if let Ok(changed) = String::from_utf8(bytes) {
            let accepted = parse(&changed).is_ok_and(|read| verify(&read, &body, &key.verifying_key()).is_ok());
            prop_assert!(!accepted, "{}", changed);
        }
    }

    #[test]
    fn other_times_another_algorithm_or_other_headers_are_refused(
        seed in any::<[u8; 32]>(),
        body in prop::collection::vec(any::<u8>(), 0..256),
        created in 0_i64..4_000_000_000,
        lifetime in 0_i64..4_000,
        other in 0_i64..4_000_000_000,
        name in "[a-zA-Z0-9-]{0,12}",
        list in "[a-z() -]{0,40}",
    ) {
        let key = SigningKey::generate(seed);
        let (subscriber, key_id) = ids();
        let expires = created + lifetime;
        let text = sign(&body, &subscriber, &key_id, &key, created, expires);
        let accepted = |changed: &str| {
            parse(changed).is_ok_and(|read| verify(&read, &body, &key.verifying_key()).is_ok())
        };
        prop_assert!(accepted(&text));
        let changes = [
            (format!("created=\"{created}\""), format!("created=\"{other}\"")),
            (format!("expires=\"{expires}\""), format!("expires=\"{other}\"")),
            ("|ed25519\"".to_owned(), format!("|{name}\"")),
            ("algorithm=\"ed25519\"".to_owned(), format!("algorithm=\"{name}\"")),
            (SIGNED_HEADERS.to_owned(), list),
        ];
        for (from, to) in changes {
            let changed = text.replace(&from, &to);
            prop_assert!(from == to || (changed != text && !accepted(&changed)), "{}", changed);
        }
    }

    #[test]
    fn what_is_read_is_written_alike(
        subscriber in "[ -~&&[^\"|\\\\]]{1,60}",
        key_id in "[ -~&&[^\"|\\\\]]{1,60}",
        created in 0_i64..,
        expires in 0_i64..,
        signature in prop::collection::vec(any::<u8>(), 64),
        blanks in "[ \t]{0,3}",
    ) {
        let signature = STANDARD.encode(signature);
        let text = format!(
            "sIGNATURE {blanks}expires=\"{expires}\",{blanks}signature=\"{signature}\",{blanks}x=\"\",headers=\"{SIGNED_HEADERS}\",\
             keyId=\"{subscriber}|{key_id}|ed25519\",created=\"{created}\",algorithm=\"ed25519\""
        );
        let read = parse(&text).unwrap();
        prop_assert_eq!(parse(&read.to_string()).unwrap(), read);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(Signature )?[a-zA-Z=\", |()é\\\\]{0,120}") {
        let _ = parse(&text);
    }
}
