//! The `Authorization` header.

use beckn_health_protocol::signature::{
    AuthorizationHeader, MAX_HEADER_BYTES, Outcome, SignatureError, SigningKey, Verdict, check_window, explain, sign,
    verify,
};

/// Whatever is read is written so that it is read alike, is judged without overflow, and verifies only when it was
/// signed; an explanation says what a receiver says.
pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let explanation = explain(text, input, None, 0);
    assert!(!explanation.is_valid(), "valid without a key");
    let header = match AuthorizationHeader::parse(text) {
        Ok(header) => header,
        Err(error) => {
            assert_eq!(explanation.verdict, Verdict::Invalid(error));
            assert!(explanation.steps.iter().any(|step| step.outcome == Outcome::Failed));
            return;
        }
    };
    assert!(text.len() <= MAX_HEADER_BYTES);

    let written = header.to_string();
    assert_eq!(AuthorizationHeader::parse(&written).as_ref(), Ok(&header), "written as {written}");

    for now in [i64::MIN, -1, 0, header.created, header.expires, i64::MAX] {
        for valid_until in [None, Some(i64::MIN), Some(header.expires)] {
            if check_window(&header, now, valid_until).is_ok() {
                assert!(header.created <= header.expires && now <= header.expires);
                assert!(header.created - now <= 5 && header.expires - header.created <= 3_660);
            }
        }
    }

    let key = SigningKey::generate([7; 32]);
    assert_eq!(verify(&header, input, &key.verifying_key()), Err(SignatureError::Mismatch));
    let id = &header.key_id;
    let signed = sign(input, &id.subscriber_id, &id.key_id, &key, header.created, header.expires);
    // Rewritten it may be longer than the input was, and then too long.
    if signed.len() <= MAX_HEADER_BYTES {
        let verified = AuthorizationHeader::parse(&signed).and_then(|read| verify(&read, input, &key.verifying_key()));
        assert_eq!(verified, Ok(()), "signed as {signed}");
    }
}
