//! The MD5 digests SQS returns so that a client can tell what was stored.
//!
//! Invariant: equal input gives the digest SQS gives, attribute order notwithstanding.

use std::collections::BTreeMap;

use md5::{Digest, Md5};

use super::message::{AttributeValue, MessageAttribute};

/// Lowercase hexadecimal MD5 of a message body.
pub(super) fn of_body(body: &str) -> String {
    hex(Md5::digest(body.as_bytes()).as_slice())
}

/// Lowercase hexadecimal MD5 of message attributes: by name, each part preceded by its length as
/// four big-endian bytes, the value also by a transport byte (1 text, 2 binary).
pub(super) fn of_attributes(attributes: &BTreeMap<String, MessageAttribute>) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut digest = Md5::new();
    for (name, attribute) in attributes {
        part(&mut digest, name.as_bytes());
        part(&mut digest, attribute.data_type().as_bytes());
        match attribute.value() {
            AttributeValue::Text(text) => {
                digest.update([1]);
                part(&mut digest, text.as_bytes());
            }
            AttributeValue::Binary(bytes) => {
                digest.update([2]);
                part(&mut digest, bytes);
            }
        }
    }
    Some(hex(digest.finalize().as_slice()))
}

fn part(digest: &mut Md5, bytes: &[u8]) {
    // A part is at most the size cap of a message, far below 4 GiB.
    digest.update((bytes.len() as u32).to_be_bytes());
    digest.update(bytes);
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
