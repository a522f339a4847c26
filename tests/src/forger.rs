//! `Authorization` headers that no honest participant writes.
//!
//! Invariant: a forgery is made from an honest header by changing what is named, and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The order of Ed25519's base point, little-endian: a scalar and the scalar plus this are the same number.
const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The eight points of small order of Ed25519 and the other spellings of them (RFC 8032 names none of them a
/// key): under such a "public key" a signature that nobody made can verify.
const SMALL_ORDER: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

/// The points of small order as a registry would hold them, in Base64.
pub fn small_order_keys() -> Vec<String> {
    let byte = |hex: &str, at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    SMALL_ORDER.iter().map(|hex| encode((0..64).step_by(2).map(|at| byte(hex, at)).collect::<Vec<u8>>())).collect()
}

/// A signature that needs no private key: the neutral point and the number zero. A verifier that is not strict
/// takes it for any text under a key of small order.
pub fn nobodys_signature() -> String {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    encode(bytes)
}

/// Standard Base64.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Standard Base64, read back.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// The value of a parameter of a header.
pub fn parameter<'h>(header: &'h str, name: &str) -> &'h str {
    let (_, rest) = header.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("no {name} in {header}"));
    rest.split('"').next().unwrap()
}

/// The same header with another value of one parameter.
pub fn with(header: &str, name: &str, value: &str) -> String {
    let found = parameter(header, name);
    header.replacen(&format!("{name}=\"{found}\""), &format!("{name}=\"{value}\""), 1)
}

/// The same header with its signature's number `S` written as `S + L`: the same equation, other bytes.
pub fn other_scalar(header: &str) -> String {
    let mut bytes = decode(parameter(header, "signature")).unwrap();
    let mut carry = 0;
    for (byte, added) in bytes[32..].iter_mut().zip(GROUP_ORDER) {
        let sum = u16::from(*byte) + u16::from(added) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    with(header, "signature", &encode(bytes))
}

/// The same header with its signature in another Base64 text of the same bytes: the last letter's unused bits set.
pub fn other_spelling(header: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let signature = parameter(header, "signature");
    let last = signature.trim_end_matches('=').len() - 1;
    let place = LETTERS.iter().position(|letter| *letter == signature.as_bytes()[last]).unwrap();
    let spelt = format!("{}{}{}", &signature[..last], LETTERS[place | 1] as char, &signature[last + 1..]);
    assert_ne!(spelt, signature, "64 bytes leave four bits unused, all zero");
    with(header, "signature", &spelt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forgery_differs_in_what_is_named_alone() {
        let honest = format!("Signature keyId=\"a|b|ed25519\",created=\"1\",signature=\"{}\"", encode([7; 64]));
        assert_eq!(parameter(&honest, "created"), "1");
        assert_eq!(with(&honest, "created", "2"), honest.replace("=\"1\"", "=\"2\""));
        let malleated = decode(parameter(&other_scalar(&honest), "signature")).unwrap();
        assert_eq!(malleated[..32], [7; 32]);
        assert_eq!((malleated[32], malleated[63]), (0xf4, 0x17));
        assert_eq!(decode(parameter(&other_spelling(&honest), "signature")), None, "not canonical");
        assert_eq!(small_order_keys().len(), 14);
    }
}
