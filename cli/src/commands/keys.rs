//! `beckn-health keys`: a participant's keys, made and rotated.

use std::path::PathBuf;

use beckn_health_platform::clock::SystemClock;
use beckn_health_platform::egress::Egress;
use beckn_health_platform::participant::ring::{KeyRing, RingKey};
use beckn_health_platform::participant::rotation::{Rotation, Step};
use beckn_health_protocol::challenge::EncryptionKey;
use beckn_health_protocol::ids::{KeyId, SubscriberId};
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::base_url::base_url;
use super::key_argument::KeyArgument;
use super::length_of_time::length_of_time;
use super::{now, say, say_json};
use crate::failure::Failure;
use crate::network::identity::{new_key, write_private};

/// Make a participant's keys, and change them while it runs.
#[derive(Subcommand)]
pub enum Keys {
    /// Make key pairs, Ed25519 to sign and X25519 for the registry's challenge: the private halves into a file only
    /// you can read, the public halves on standard output
    #[command(after_help = "Example:\n  beckn-health keys new --subscriber-id bap.example.org --out bap.json")]
    New(New),
    /// Make a new key, have the registry list it, sign with it and end the one before, without a message being refused
    #[command(
        after_help = "The participant runs on and answers the registry's challenge for the new key. In this order: the new key is kept beside the active one, the registry lists it once its challenge is answered, after some seconds it signs, and the key before it is given its end, --overlap from then. Functions read their keys again every minute. If it stops anywhere, the participant works with the key it then signs with; run it again.\n\nWho runs this must be able to write the file or secret (secretsmanager:GetSecretValue and PutSecretValue). A key that leaked is ended at once by `registry remove --key-id` after this, by who runs the registry.\n\nExamples:\n  beckn-health keys rotate --registry http://127.0.0.1:8080/registry --data ./network --role bap\n  beckn-health keys rotate --registry https://registry.example.org/registry \\\n    --secret-id beckn-health-dev/bap --subscriber-id bap.example.org\n  beckn-health keys rotate --registry https://registry.example.org/registry \\\n    --key bap.json --new-key-id 2027-01"
    )]
    Rotate(Box<Rotate>),
}

/// `keys new`.
#[derive(Args)]
pub struct New {
    /// The participant the key is for, as the registry knows it
    #[arg(long)]
    subscriber_id: SubscriberId,
    /// The key's id in the registry
    #[arg(long, default_value = "key-1")]
    key_id: KeyId,
    /// File for the private key; must not exist yet
    #[arg(long)]
    out: PathBuf,
}

/// `keys rotate`.
#[derive(Args)]
pub struct Rotate {
    #[command(flatten)]
    key: KeyArgument,
    /// Base URL of the registry that lists the participant
    #[arg(long, value_name = "URL", value_parser = base_url)]
    registry: String,
    /// Id of the new key; by the date and time when absent
    #[arg(long)]
    new_key_id: Option<KeyId>,
    /// How long both keys are in force, 7m or more
    #[arg(long, default_value = "2h", value_parser = length_of_time)]
    overlap: SignedDuration,
    /// Print JSON, once it is done
    #[arg(long)]
    json: bool,
}

impl Keys {
    /// Runs the command.
    ///
    /// # Errors
    /// A file exists or cannot be written, or the keys could not be rotated.
    pub async fn run(self) -> Result<(), Failure> {
        match self {
            Self::New(new) => new.run(),
            Self::Rotate(rotate) => rotate.run().await,
        }
    }
}

impl New {
    fn run(self) -> Result<(), Failure> {
        let Self { subscriber_id, key_id, out } = self;
        let ring = KeyRing::of(Some(subscriber_id), new_key(key_id));
        write_private(&out, &ring.to_json()).map_err(|error| {
            let reason = match error.kind() {
                std::io::ErrorKind::AlreadyExists => {
                    "there is a file already, and a key is never overwritten".to_owned()
                }
                _ => error.to_string(),
            };
            Failure(format!("{} cannot be written: {reason}; choose another --out", out.display()))
        })?;
        let RingKey { key_id, signing, encryption } = ring.active();
        say_json(&json!({
            "subscriber_id": ring.subscriber_id,
            "key_id": key_id,
            "signing_public_key": signing.verifying_key().to_base64(),
            "encr_public_key": encryption.as_ref().map(|key| EncryptionKey::public_key(key).to_base64()),
            "private_key_file": out,
        }));
        Ok(())
    }
}

impl Rotate {
    async fn run(self) -> Result<(), Failure> {
        let kept = self.key.reach().await?;
        let new = new_key(match self.new_key_id {
            Some(key_id) => key_id,
            None => dated(now())?,
        });
        let new_id = new.key_id.clone();
        // Who runs this names the registry: it may be one of a private network.
        let egress = Egress::new(true)?;
        let rotation = Rotation {
            store: kept.store.as_ref(),
            subscriber_id: &kept.asker.subscriber_id,
            registry_url: &self.registry,
            egress: &egress,
            clock: &SystemClock,
            overlap: self.overlap,
        };
        let (mut steps, place) = (Vec::new(), &kept.place);
        let tell = |step: Step| {
            let text = sentence(&step, place);
            if !self.json {
                say(&text);
            }
            steps.push((step, text));
        };
        let rotated = rotation.rotate(new, tell, async |time| tokio::time::sleep(time).await).await;
        if self.json {
            let ends = steps.iter().find_map(|(step, _)| match step {
                Step::Ends(key_id, until) => Some(json!({ "key_id": key_id, "valid_until": until })),
                _ => None,
            });
            let active = steps.iter().any(|(step, _)| *step == Step::Active);
            say_json(&json!({
                "subscriber_id": kept.asker.subscriber_id,
                "active": if active { &new_id } else { &kept.asker.ring.active().key_id },
                "ends": ends,
                "steps": steps.iter().map(|(_, text)| text).collect::<Vec<_>>(),
                "error": rotated.as_ref().err().map(ToString::to_string),
            }));
        }
        rotated.map_err(Failure::from)
    }
}

/// The id of a key made now.
fn dated(now: Timestamp) -> Result<KeyId, Failure> {
    Ok(KeyId::parse(now.strftime("key-%Y%m%d-%H%M%S").to_string())?)
}

fn sentence(step: &Step, place: &str) -> String {
    match step {
        Step::Kept(key_id) => format!("{key_id} is made, and kept in {place} beside the active key"),
        Step::Asked => "the registry is asked to list it, and challenges the participant".to_owned(),
        Step::Served => "the registry lists it; some seconds until every peer can know it".to_owned(),
        Step::Active => "it signs from now on; running functions notice within a minute".to_owned(),
        Step::Ends(key_id, until) => format!("{key_id}, the key before it, is valid until {until}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_is_named_by_when_it_was_made() {
        let id = dated("2026-11-23T03:04:05Z".parse().unwrap()).unwrap();
        assert_eq!(id.as_str(), "key-20261123-030405");
    }
}
