//! The signing vectors: what must verify verifies, and is signed alike; what must fail fails. Beside them the
//! vector of a registry's challenge.

use beckn_health_protocol::challenge::{ChallengeError, EncryptionKey, EncryptionPublicKey, decrypt, encrypt};
use beckn_health_protocol::ids::{KeyId, SubscriberId};
use beckn_health_protocol::signature::{
    AuthorizationHeader, SignatureError, SigningKey, VerifyingKey, check_window, digest, sign, verify,
};
use serde_json::Value;

use crate::published;

const FILE: &str = "data/vectors/signing_vectors.json";

#[test]
fn every_signing_vector() {
    let Some(text) = published::text(FILE) else { return };
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let mut checked = 0;
    for (name, vector) in vectors.as_object().unwrap() {
        match name.as_str() {
            "beckn006_bap" => consumer(vector),
            "beckn006_gateway" => gateway(vector, &vectors["beckn006_bap"]),
            "blake2b512_fox" => assert_eq!(digest(field(vector, "input").as_bytes()), field(vector, "digest_b64")),
            "nammayatri_long_headers" => longer_list(vector),
            "v2_doc14_NEGATIVE" => changed_body(&vectors["beckn006_bap"]),
            "ondc_x25519" => challenge(vector),
            other => panic!("{FILE}: {other} is a vector this test does not know"),
        }
        checked += 1;
    }
    eprintln!("{checked} vectors checked");
    assert_eq!(checked, 6);
}

fn field<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap_or_else(|| panic!("{FILE}: expected text at {name}"))
}

fn time(vector: &Value, name: &str) -> i64 {
    vector[name].as_i64().unwrap_or_else(|| panic!("{FILE}: expected a number at {name}"))
}

fn private(vector: &Value) -> SigningKey {
    SigningKey::from_base64(field(vector, "private_key_b64_64B_seed_plus_pub")).unwrap()
}

fn public(vector: &Value) -> VerifyingKey {
    VerifyingKey::from_base64(field(vector, "public_key_b64")).unwrap()
}

fn consumer(vector: &Value) {
    let body = field(vector, "body").as_bytes();
    assert_eq!(Some(body.len() as u64), vector["body_len"].as_u64());
    assert_eq!(digest(body), field(vector, "digest_b64"));
    let published = field(vector, "authorization");
    let header = AuthorizationHeader::parse(published).unwrap();
    assert_eq!((header.created, header.expires), (time(vector, "created"), time(vector, "expires")));
    verify(&header, body, &public(vector)).unwrap();

    let key = private(vector);
    assert_eq!(key.verifying_key().to_base64(), field(vector, "public_key_b64"));
    let KeyOf { subscriber, key_id } = key_of(&header);
    assert_eq!(sign(body, &subscriber, &key_id, &key, header.created, header.expires), published);

    for at in [0, body.len() / 2, body.len() - 1] {
        let mut altered = body.to_vec();
        altered[at] ^= 1;
        assert_eq!(verify(&header, &altered, &public(vector)), Err(SignatureError::Mismatch), "byte {at}");
    }
    for (from, to) in [("created=\"1641287875\"", "created=\"1641287876\""), ("1641291475", "1641291476")] {
        let moved = AuthorizationHeader::parse(&published.replace(from, to)).unwrap();
        assert_eq!(verify(&moved, body, &public(vector)), Err(SignatureError::Mismatch), "{to}");
    }
    check_window(&header, header.created, None).unwrap();
    check_window(&header, header.expires, None).unwrap();
    assert!(check_window(&header, header.expires + 1, None).is_err());
    assert!(check_window(&header, header.created - 6, None).is_err());
}

struct KeyOf {
    subscriber: SubscriberId,
    key_id: KeyId,
}

fn key_of(header: &AuthorizationHeader) -> KeyOf {
    KeyOf { subscriber: header.key_id.subscriber_id.clone(), key_id: header.key_id.key_id.clone() }
}

/// The document prints the gateway's private key where its signature belongs; the vector has the signature
/// that its keys and times give.
fn gateway(vector: &Value, consumer: &Value) {
    let body = field(consumer, "body").as_bytes();
    let KeyOf { subscriber, key_id } = key_of(&AuthorizationHeader::parse(field(consumer, "authorization")).unwrap());
    let signed = sign(body, &subscriber, &key_id, &private(vector), time(vector, "created"), time(vector, "expires"));
    let signature = field(vector, "signature_b64");
    assert!(signed.contains(&format!("signature=\"{signature}\"")), "{signed}");
    verify(&AuthorizationHeader::parse(&signed).unwrap(), body, &public(vector)).unwrap();

    let printed = signed.replace(signature, field(vector, "private_key_b64_64B_seed_plus_pub"));
    let printed = AuthorizationHeader::parse(&printed).unwrap();
    assert_eq!(verify(&printed, body, &public(vector)), Err(SignatureError::Mismatch));
    let by_another = AuthorizationHeader::parse(&signed).unwrap();
    assert_eq!(verify(&by_another, body, &public(consumer)), Err(SignatureError::Mismatch));
}

/// Another implementation signs more headers than BECKN-006 names. Its keys and its digest are ours; its
/// list of headers is one we refuse, so its signature cannot be asked about.
fn longer_list(vector: &Value) {
    let key = SigningKey::from_base64(field(vector, "seed_b64")).unwrap();
    assert_eq!(key.verifying_key().to_base64(), field(vector, "public_key_b64"));
    let line = format!("digest: BLAKE-512={}", digest(field(vector, "body").as_bytes()));
    assert!(field(vector, "signing_string").lines().any(|signed| signed == line));
    let names: Vec<&str> = field(vector, "signing_string")
        .lines()
        .filter_map(|line| line.split_once(": ").map(|(name, _)| name))
        .collect();
    let header = format!(
        "Signature keyId=\"bap.example|k|ed25519\",algorithm=\"ed25519\",created=\"1402170695\",expires=\"1402170699\",headers=\"{}\",signature=\"{}\"",
        names.join(" "),
        field(vector, "signature_b64")
    );
    assert!(AuthorizationHeader::parse(&header).is_err());
    eprintln!("not applicable: the signature of nammayatri_long_headers is over headers that BECKN-006 does not sign");
}

/// ONDC's pairs of keys and a challenge between them. Its private keys are PKCS8 of version 1 without the public
/// key that version is for.
fn challenge(vector: &Value) {
    let [first, second] = ["np1_private_pkcs8_b64", "np2_private_pkcs8_b64"]
        .map(|name| EncryptionKey::from_base64(field(vector, name)).unwrap());
    let [first_public, second_public] = ["np1_public_spki_b64", "np2_public_spki_b64"]
        .map(|name| EncryptionPublicKey::from_base64(field(vector, name)).unwrap());
    assert_eq!((first.public_key(), second.public_key()), (first_public, second_public));

    let vector = &vector["challenge_aes256_ecb_pkcs7_COMPUTED_HERE"];
    let (plain, encrypted) = (field(vector, "plain"), field(vector, "cipher_b64"));
    for (ours, theirs) in [(&first, &second_public), (&second, &first_public)] {
        assert_eq!(encrypt(plain, ours, theirs).unwrap(), encrypted);
        assert_eq!(decrypt(encrypted, ours, theirs).unwrap(), plain);
    }
    assert_eq!(decrypt(encrypted, &first, &first_public), Err(ChallengeError::Unreadable));
}

/// A later document changed the body and kept digest and signature. The file holds no body of it, so here
/// stand other bodies under the kept header.
fn changed_body(consumer: &Value) {
    let header = AuthorizationHeader::parse(field(consumer, "authorization")).unwrap();
    let body = field(consumer, "body");
    let spaced = serde_json::to_string_pretty(&serde_json::from_str::<Value>(body).unwrap()).unwrap();
    for changed in [body.replace("nic2004:60212", "mobility"), spaced, format!("{body}\n"), String::new()] {
        assert_ne!(changed, body);
        let verdict = verify(&header, changed.as_bytes(), &public(consumer));
        assert_eq!(verdict, Err(SignatureError::Mismatch));
    }
}
