//! `beckn-health verify-header`: why a signature is right or wrong.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use beckn_health_platform::participant::keys::KeySource as _;
use beckn_health_protocol::registry::LookupRequest;
use beckn_health_protocol::signature::{
    AuthorizationHeader, Explanation, KeyIdTriple, SignatureError, Verdict, VerifyingKey, check_window, explain,
};
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::base_url::base_url;
use super::key_argument::asker;
use super::{now, read, say, say_json};
use crate::failure::Failure;
use crate::operator::key_file::KeyFile;
use crate::operator::registry_client::RegistryClient;

/// What `--help` ends with; the example can be pasted as it stands.
pub(super) const HELP: &str = r#"A receiver takes these steps, in this order:
  header          Signature name="value",name="value",…; each name once
  algorithm       ed25519
  parameters      keyId="<subscriber id>|<key id>|ed25519", created and expires in seconds since 1970,
                  headers="(created) (expires) digest", signature in Base64
  window          created <= now <= expires, created up to 5 s ahead, and at most an hour between them
  digest          Base64 of the BLAKE2b-512 of the body, byte for byte as it came
  signing string  three lines, without a line feed at the end:
                    (created): <created>
                    (expires): <expires>
                    digest: BLAKE-512=<digest>
  key             the one the registry lists for keyId, and that does not end before the signature
  signature       Ed25519 by that key over the signing string
When it is wrong in a way that is known, the last line says so: a body written anew, a line break, another digest, …

--body must be the very bytes that were sent: save them before any parser sees them.
Ends with 0 when the signature is valid, else with 1.

Example: a signature that is right, at a time when it was in force. Leave out --now to see it
expired, or change the body:
  printf '%s' '{"message": {"intent": {}}}' > body.json
  beckn-health verify-header --body body.json --now 2025-01-01T00:01:00Z \
    --public-key 6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw= \
    --header 'Signature keyId="bap.example|key-1|ed25519",algorithm="ed25519",created="1735689600",expires="1735689900",headers="(created) (expires) digest",signature="l7LRiks58eljRwe0r6hTXwEA0l83NU1XxRlP4OsMOQ8EkozYCzhtBOxEC3GK88PRh7Mxu/AuQmvHl/AP3VFKDQ=="'

With the key that a registry lists:
  beckn-health verify-header --body body.json --header @header.txt --registry http://127.0.0.1:8080/registry --key bap.json"#;

/// Explain a signature header step by step.
#[derive(Args)]
pub struct VerifyHeader {
    /// File with the body exactly as it was received; - for standard input
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// The header's value, or @FILE that holds it, or - for standard input
    #[arg(long, value_name = "HEADER", allow_hyphen_values = true)]
    header: String,
    /// The signer's public key: Ed25519, in Base64
    #[arg(long, value_name = "BASE64", value_parser = public_key, conflicts_with = "registry")]
    public_key: Option<VerifyingKey>,
    /// Instead: base URL of the registry that lists the signer
    #[arg(long, value_name = "URL", value_parser = base_url, requires = "key")]
    registry: Option<String>,
    /// Key file of a listed participant, to sign the question to the registry
    #[arg(long, value_name = "FILE", requires = "registry")]
    key: Option<PathBuf>,
    /// The time to check at, RFC 3339; now when absent
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The signer's key, and how it was come by.
struct Signer {
    key: VerifyingKey,
    valid_until: Option<Timestamp>,
}

impl VerifyHeader {
    /// Runs the command.
    ///
    /// # Errors
    /// The signature is not valid, or it cannot be looked at.
    pub async fn run(self) -> Result<(), Failure> {
        if self.header == "-" && self.body == Path::new("-") {
            return Err(Failure("only one of --body and --header can be standard input".to_owned()));
        }
        let body = if self.body == Path::new("-") { stdin()? } else { read(&self.body)? };
        let header = header_value(&match self.header.as_str() {
            "-" => text(stdin()?, "standard input")?,
            value => match value.strip_prefix('@') {
                Some(path) => text(read(Path::new(path))?, path)?,
                None => value.to_owned(),
            },
        });
        let read = AuthorizationHeader::parse(&header).ok();
        let now = self.now.unwrap_or_else(now);
        let (signer, unlisted) = match (self.public_key, &self.registry, &self.key, &read) {
            (Some(key), ..) => (Some(Signer { key, valid_until: None }), None),
            (None, Some(registry), Some(key), Some(read)) => match looked_up(registry, key, &read.key_id).await? {
                Ok(signer) => (Some(signer), None),
                Err(problem) => (None, Some(problem)),
            },
            _ => (None, None),
        };
        let explanation = explain(&header, &body, signer.as_ref().map(|signer| &signer.key), now.as_second());
        let valid_until = signer.and_then(|signer| signer.valid_until);
        let outlived = match (&explanation.verdict, &read) {
            (Verdict::Valid, Some(read)) => {
                check_window(read, now.as_second(), valid_until.map(Timestamp::as_second)).err()
            }
            _ => None,
        };
        let refusal = match (&explanation.verdict, outlived) {
            (_, Some(error)) => Some(Refusal::Wrong(error)),
            (Verdict::Invalid(error), None) => Some(Refusal::Wrong(error.clone())),
            (Verdict::NoKey, None) => Some(unlisted.map_or(Refusal::NoKey, Refusal::Unlisted)),
            (Verdict::Valid, None) => None,
        };
        if self.json {
            say_json(&as_json(&explanation, refusal.as_ref(), read.map(|read| read.key_id), valid_until));
        } else {
            say(explanation.to_string().trim_end());
            if let Some(until) = valid_until {
                say(&format!("the registry lists the key until {until}"));
            }
            if refusal.is_none() {
                say("valid: a receiver accepts this signature");
            }
        }
        match refusal {
            None => Ok(()),
            Some(refusal) => Err(Failure(refusal.sentence())),
        }
    }
}

/// Why a receiver would not accept it.
enum Refusal {
    Wrong(SignatureError),
    /// The registry was asked and has no key to check it with.
    Unlisted(String),
    /// Nobody was asked.
    NoKey,
}

impl Refusal {
    fn sentence(&self) -> String {
        match self {
            Self::Wrong(error) => format!("the signature is not valid: {error}"),
            Self::Unlisted(problem) => problem.clone(),
            Self::NoKey => "the signature cannot be checked without the signer's key: add --public-key, or --registry \
                            and --key"
                .to_owned(),
        }
    }
}

/// The key that a registry serves for who signed, or why there is none that a receiver believes.
async fn looked_up(registry: &str, key_file: &Path, signer: &KeyIdTriple) -> Result<Result<Signer, String>, Failure> {
    let place = format!("the key file {}", key_file.display());
    let ring = KeyFile::at(key_file.to_owned()).read().await.map_err(|error| {
        Failure(format!("{place} cannot be used: {error}; `beckn-health keys new` makes a key file"))
    })?;
    let asker = asker(ring, None, &place)?;
    let KeyIdTriple { subscriber_id, key_id, .. } = signer;
    let wanted = LookupRequest {
        subscriber_id: Some(subscriber_id.clone()),
        key_id: Some(key_id.clone()),
        ..LookupRequest::default()
    };
    // Asked today, whatever the time the signature is checked at.
    let rows = RegistryClient::new(registry)?.lookup(&asker, &wanted, now()).await?;
    let mut rows = rows.iter().filter(|row| {
        row.subscriber_id.as_ref() == Some(subscriber_id)
            && row.key_id.as_ref() == Some(key_id)
            && row.is_in_force(now())
    });
    let Some(row) = rows.next() else {
        return Ok(Err(format!(
            "the registry lists no key {key_id} of {subscriber_id} now: a receiver refuses what it signs, whatever else \
             is right; to check the signature alone give the key with --public-key"
        )));
    };
    if rows.any(|other| other.signing_public_key != row.signing_public_key) {
        return Ok(Err(format!("the registry lists several keys {key_id} of {subscriber_id}: receivers believe none")));
    }
    Ok(match VerifyingKey::from_base64(row.signing_public_key.as_deref().unwrap_or_default()) {
        Ok(key) => Ok(Signer { key, valid_until: row.valid_until }),
        Err(error) => Err(format!("the key that the registry lists for {subscriber_id} is none: {error}")),
    })
}

fn as_json(
    explanation: &Explanation,
    refusal: Option<&Refusal>,
    signer: Option<KeyIdTriple>,
    valid_until: Option<Timestamp>,
) -> Value {
    let steps = explanation
        .steps
        .iter()
        .map(|step| json!({ "part": step.part.to_string(), "outcome": step.outcome.to_string(), "text": step.text }));
    json!({
        "valid": refusal.is_none(),
        "reason": refusal.map(Refusal::sentence),
        "signer": signer.map(|signer| json!({
            "subscriber_id": signer.subscriber_id, "key_id": signer.key_id, "valid_until": valid_until,
        })),
        "digest": explanation.digest,
        "signing_string": explanation.signing_string,
        "steps": steps.collect::<Vec<Value>>(),
        "likely": explanation.mistakes.iter().map(ToString::to_string).collect::<Vec<String>>(),
    })
}

/// The value, where a whole header line was copied.
fn header_value(text: &str) -> String {
    const NAMES: [&str; 4] =
        ["authorization", "x-gateway-authorization", "proxy-authorization", "x-new-key-authorization"];
    let text = text.trim();
    match text.split_once(':') {
        Some((name, value)) if NAMES.iter().any(|known| name.trim().eq_ignore_ascii_case(known)) => {
            value.trim().to_owned()
        }
        _ => text.to_owned(),
    }
}

fn stdin() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|error| Failure(format!("standard input cannot be read: {error}")))?;
    Ok(bytes)
}

fn text(bytes: Vec<u8>, place: &str) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|_| Failure(format!("{place} holds no header: it is not UTF-8")))
}

fn public_key(text: &str) -> Result<VerifyingKey, String> {
    VerifyingKey::from_base64(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_header_line_is_its_value() {
        let value = "Signature keyId=\"a|b|ed25519\"";
        for line in
            [value.to_owned(), format!("Authorization: {value}\r\n"), format!("x-gateway-authorization:{value}")]
        {
            assert_eq!(header_value(&line), value);
        }
        assert_eq!(header_value("Bearer: x"), "Bearer: x");
    }
}
