//! Vectors made with another implementation, the encodings keys come in, and what must be refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

// Made with the crypto module of Node 20 (OpenSSL). The private keys are the SHA-256 of the words "registry"
// and "participant"; the texts were encrypted with its aes-256-ecb under its X25519 shared secret.
const REGISTRY: &str = "hySRow1g1ZiWLebnuDSrdrKqZfurECxuuqrmrNwjiCI=";
const REGISTRY_PKCS8: &str = "MC4CAQAwBQYDK2VuBCIEIIckkaMNYNWYli3m57g0q3ayqmX7qxAsbrqq5qzcI4gi";
const REGISTRY_PKCS8_VERSION_1: &str = "MC4CAQEwBQYDK2VuBCIEIIckkaMNYNWYli3m57g0q3ayqmX7qxAsbrqq5qzcI4gi";
const REGISTRY_PKCS8_WITH_PUBLIC: &str =
    "MFECAQEwBQYDK2VuBCIEIIckkaMNYNWYli3m57g0q3ayqmX7qxAsbrqq5qzcI4gigSEAro+Schuh81bOTXNAzEsXO5o9DCQiJxE+wBLK7zPa/nA=";
const REGISTRY_PKCS8_WITH_ANOTHER_PUBLIC: &str =
    "MFECAQEwBQYDK2VuBCIEIIckkaMNYNWYli3m57g0q3ayqmX7qxAsbrqq5qzcI4gigSEAB6tIx/D3UhFSQB8iqdhOiOCJb4SbOh/qQM4auav9iTg=";
const REGISTRY_PUBLIC: &str = "ro+Schuh81bOTXNAzEsXO5o9DCQiJxE+wBLK7zPa/nA=";
const PARTICIPANT_PKCS8: &str = "MC4CAQAwBQYDK2VuBCIEIMDN4HPn5fwchyw/iYYEZjZ9Og2jGnxLhYgnV6a33Uuj";
const PARTICIPANT_PUBLIC: &str = "B6tIx/D3UhFSQB8iqdhOiOCJb4SbOh/qQM4auav9iTg=";
const PARTICIPANT_SPKI: &str = "MCowBQYDK2VuAyEAB6tIx/D3UhFSQB8iqdhOiOCJb4SbOh/qQM4auav9iTg=";

const DIGITS: &str = "31415926535897932384626433832795";
const DIGITS_ENCRYPTED: &str = "UEoLoxeE7LMxMnve4Gd+r1pvFm8Rl9O/lpEUfHuEY4bu0REyGAG5WOGZGNvzZhxL";
const DIGITS_UNFILLED: &str = "UEoLoxeE7LMxMnve4Gd+r1pvFm8Rl9O/lpEUfHuEY4Y=";
const WORDS: &str = "challenge of registry";
const WORDS_ENCRYPTED: &str = "drBTI4jIzmgOfCdwsPUI/hanru8MenkqX7boM1a3zpY=";
const WORDS_SPACED: &str = "drBTI4jIzmgOfCdwsPUI/qfuqKvb3TVlbZO4fYpW+A8=";
const NOTHING_ENCRYPTED: &str = "7tERMhgBuVjhmRjb82YcSw==";

fn registry() -> EncryptionKey {
    EncryptionKey::from_base64(REGISTRY).unwrap()
}

fn participant() -> EncryptionKey {
    EncryptionKey::from_base64(PARTICIPANT_PKCS8).unwrap()
}

#[test]
fn another_implementation_encrypts_alike() {
    let theirs = EncryptionPublicKey::from_base64(PARTICIPANT_PUBLIC).unwrap();
    for (text, encrypted) in [(DIGITS, DIGITS_ENCRYPTED), (WORDS, WORDS_ENCRYPTED), ("", NOTHING_ENCRYPTED)] {
        assert_eq!(encrypt(text, &registry(), &theirs).unwrap(), encrypted, "{text}");
        assert_eq!(decrypt(encrypted, &participant(), &registry().public_key()).unwrap(), text);
    }
}

#[test]
fn a_filling_of_spaces_or_none_is_read_too() {
    let read = |encrypted| decrypt(encrypted, &participant(), &registry().public_key());
    assert_eq!(read(WORDS_SPACED).unwrap(), WORDS);
    assert_eq!(read(DIGITS_UNFILLED).unwrap(), DIGITS);
    assert_eq!(read(&format!(" {WORDS_SPACED}\n")).unwrap(), WORDS);
}

#[test]
fn keys_are_read_in_every_encoding() {
    for text in [REGISTRY, REGISTRY_PKCS8, REGISTRY_PKCS8_VERSION_1, REGISTRY_PKCS8_WITH_PUBLIC] {
        let key = EncryptionKey::from_base64(text).unwrap();
        assert_eq!(key.to_base64(), REGISTRY, "{text}");
        assert_eq!(key.public_key().to_base64(), REGISTRY_PUBLIC);
    }
    for text in [PARTICIPANT_PUBLIC, PARTICIPANT_SPKI] {
        assert_eq!(EncryptionPublicKey::from_base64(text).unwrap(), participant().public_key(), "{text}");
    }
    let json = serde_json::to_string(&participant().public_key()).unwrap();
    assert_eq!(json, format!("\"{PARTICIPANT_PUBLIC}\""));
    assert_eq!(serde_json::from_str::<EncryptionPublicKey>(&json).unwrap(), participant().public_key());
}

#[test]
fn what_is_no_private_key_is_refused() {
    use InvalidEncryptionKey as E;
    let refused = |text: &str| EncryptionKey::from_base64(text).unwrap_err();
    assert_eq!(refused("not base64!"), E::Encoding);
    assert_eq!(refused(""), E::Length { expected: "32 (key) or 48 and more (DER)", found: 0 });
    assert_eq!(refused(&STANDARD.encode([0; 33])), E::Length { expected: "32 (key) or 48 and more (DER)", found: 33 });
    assert_eq!(refused(&STANDARD.encode([0; 48])), E::NotX25519);
    assert_eq!(refused(REGISTRY_PKCS8_WITH_ANOTHER_PUBLIC), E::HalvesDiffer);
    let changed = |at: usize, to: u8| {
        let mut der = STANDARD.decode(REGISTRY_PKCS8).unwrap();
        der[at] = to;
        refused(&STANDARD.encode(der))
    };
    // The length, the version, the algorithm (Ed25519), the length of the key.
    for (at, to) in [(1, 0x2d), (4, 2), (11, 0x70), (13, 0x21), (15, 0x1f)] {
        assert_eq!(changed(at, to), E::NotX25519, "byte {at}");
    }
}

#[test]
fn what_is_no_public_key_is_refused() {
    use InvalidEncryptionKey as E;
    let refused = |text: &str| EncryptionPublicKey::from_base64(text).unwrap_err();
    assert_eq!(refused("?"), E::Encoding);
    assert_eq!(refused("AAAA"), E::Length { expected: "32 (key) or 44 (DER)", found: 3 });
    // The DER of an Ed25519 key.
    assert_eq!(refused(&PARTICIPANT_SPKI.replacen("VuAy", "VwAy", 1)), E::NotX25519);
    // The points of small order of the curve and its twist (RFC 7748, section 6.1 asks to refuse their secret).
    for text in [
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA=",
        "X5yVvKNQjCSx0LFVnIPvWwREXMRYHI6G2CJO3dCfEVc=",
        "7P///////////////////////////////////////38=",
        "7f///////////////////////////////////////38=",
        "7v///////////////////////////////////////38=",
    ] {
        assert_eq!(refused(text), E::SmallOrder, "{text}");
    }
}

#[test]
fn a_zero_secret_is_refused_at_agreement() {
    let zero = EncryptionPublicKey(PublicKey::from([0; 32]));
    assert_eq!(encrypt(DIGITS, &registry(), &zero), Err(ChallengeError::SmallOrder));
    assert_eq!(decrypt(DIGITS_ENCRYPTED, &registry(), &zero), Err(ChallengeError::SmallOrder));
}

#[test]
fn what_is_no_challenge_is_refused() {
    let read = |text: &str| decrypt(text, &participant(), &registry().public_key()).unwrap_err();
    assert_eq!(read("***"), ChallengeError::Encoding);
    assert_eq!(read(""), ChallengeError::Length { found: 0 });
    assert_eq!(read(&STANDARD.encode([7; 17])), ChallengeError::Length { found: 17 });
    let other = EncryptionKey::generate([9; 32]).public_key();
    assert_eq!(decrypt(DIGITS_ENCRYPTED, &participant(), &other), Err(ChallengeError::Unreadable));
}

#[test]
fn no_secret_is_shown() {
    let shown = format!("{:?} {:?} {:?}", registry(), registry().public_key(), EncryptionKey::from_base64("x"));
    assert!(!shown.contains(REGISTRY) && shown.contains("<redacted>") && shown.contains(REGISTRY_PUBLIC), "{shown}");
}

proptest! {
    #[test]
    fn what_is_encrypted_is_decrypted(text in ".{0,80}", ours: [u8; 32], theirs: [u8; 32]) {
        let (ours, theirs) = (EncryptionKey::generate(ours), EncryptionKey::generate(theirs));
        let encrypted = encrypt(&text, &ours, &theirs.public_key()).unwrap();
        prop_assert_eq!(decrypt(&encrypted, &theirs, &ours.public_key()).unwrap(), text);
    }

    #[test]
    fn reading_never_fails_otherwise_than_by_saying_so(text in ".{0,120}", bytes: Vec<u8>) {
        let _ = EncryptionKey::from_base64(&text);
        let _ = EncryptionPublicKey::from_base64(&text);
        let encoded = STANDARD.encode(&bytes);
        let _ = EncryptionKey::from_base64(&encoded);
        let _ = EncryptionPublicKey::from_base64(&encoded);
        let _ = decrypt(&encoded, &participant(), &registry().public_key());
    }
}
