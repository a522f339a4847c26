//! `beckn-health registry`: the operator's own hand on the registry.

use beckn_health_protocol::challenge::EncryptionPublicKey;
use beckn_health_protocol::ids::{KeyId, SubscriberId};
use beckn_health_protocol::registry::{SubscriberType, Subscription};
use beckn_health_protocol::signature::VerifyingKey;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;

use super::deployment::DeploymentArgument;
use super::listing_argument::ListingArgument;
use super::{now, say, say_json, table};
use crate::failure::Failure;
use crate::operator::participants::{self, Which};

/// Enter, list or give up participants.
#[derive(Subcommand)]
pub enum Registry {
    /// Enter a participant without a subscription, or change what is entered
    #[command(
        after_help = "The row is in force at once; nothing is asked of the participant, so be sure of the key. A row with the same subscriber and key id is replaced; another key id adds a second key.\n\nExample:\n  beckn-health keys new --subscriber-id bap.example.org --out bap.json\n  beckn-health registry add --subscriber-id bap.example.org --type BAP \\\n    --url https://bap.example.org/beckn --key-id key-1 --signing-public-key PUBLIC_KEY"
    )]
    Add(Box<Add>),
    /// List participants, whatever their status
    #[command(
        after_help = "Examples:\n  beckn-health registry list --deployment beckn-health-dev\n  beckn-health registry list --type BPP --json\n  beckn-health registry list --subscriber-id bap.example.org"
    )]
    List(List),
    /// Give up a participant, or one of its keys
    #[command(
        after_help = "The rows stay, as UNSUBSCRIBED, and are served to nobody; `registry add` with the same key id brings one back. Functions that have read a row before go on with it for five minutes at most.\n\nExamples:\n  beckn-health registry remove --deployment beckn-health-dev --subscriber-id bap.example.org\n  beckn-health registry remove --subscriber-id bap.example.org --key-id key-1   # a key that leaked"
    )]
    Remove(Remove),
}

/// `registry add`.
#[derive(Args)]
pub struct Add {
    #[command(flatten)]
    deployment: DeploymentArgument,
    /// The participant
    #[arg(long)]
    subscriber_id: SubscriberId,
    /// BAP, BPP, BG (a gateway) or BREG (a registry)
    #[arg(long, value_parser = subscriber_type)]
    r#type: SubscriberType,
    #[command(flatten)]
    listing: ListingArgument,
    /// Id of its key
    #[arg(long)]
    key_id: KeyId,
    /// Its public signing key: Ed25519, 32 bytes in base64
    #[arg(long, value_parser = signing_key)]
    signing_public_key: String,
    /// Its public encryption key: X25519, in base64
    #[arg(long, value_parser = encryption_key)]
    encr_public_key: Option<String>,
    /// Print the row as JSON
    #[arg(long)]
    json: bool,
}

/// `registry list`.
#[derive(Args)]
pub struct List {
    #[command(flatten)]
    deployment: DeploymentArgument,
    /// Only participants of this type: BAP, BPP, BG or BREG
    #[arg(long, value_parser = subscriber_type, conflicts_with = "subscriber_id")]
    r#type: Option<SubscriberType>,
    /// Only this participant
    #[arg(long)]
    subscriber_id: Option<SubscriberId>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `registry remove`.
#[derive(Args)]
pub struct Remove {
    #[command(flatten)]
    deployment: DeploymentArgument,
    /// The participant
    #[arg(long)]
    subscriber_id: SubscriberId,
    /// Only this key of it
    #[arg(long)]
    key_id: Option<KeyId>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Add {
    /// The row, but for its times and status.
    fn row(self) -> Result<Subscription, Failure> {
        Ok(Subscription {
            subscriber_id: Some(self.subscriber_id),
            r#type: Some(self.r#type),
            key_id: Some(self.key_id),
            signing_public_key: Some(self.signing_public_key),
            encr_public_key: self.encr_public_key,
            ..self.listing.row()?
        })
    }
}

impl Registry {
    /// Runs the command.
    ///
    /// # Errors
    /// AWS cannot be asked, or there is no such deployment or participant.
    pub async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Add(add) => {
                let (json, deployment) = (add.json, add.deployment.clone());
                let row = add.row()?;
                let deployment = deployment.reach().await?;
                let row = participants::add(&deployment, row, now()).await?;
                if json {
                    say_json(&json!(row));
                } else {
                    let name = row.subscriber_id.as_ref().map(SubscriberId::to_string).unwrap_or_default();
                    say(&format!("{name} is in the registry of {}", deployment.name()));
                }
            }
            Self::List(list) => {
                let which = match (list.subscriber_id, list.r#type) {
                    (Some(subscriber), _) => Which::Of(subscriber),
                    (None, Some(r#type)) => Which::Type(r#type),
                    (None, None) => Which::All,
                };
                let rows = participants::list(&list.deployment.reach().await?, which).await?;
                if list.json {
                    say_json(&json!(rows));
                } else {
                    lines(&rows, now()).iter().for_each(|line| say(line));
                }
            }
            Self::Remove(remove) => {
                let deployment = remove.deployment.reach().await?;
                let gone =
                    participants::remove(&deployment, &remove.subscriber_id, remove.key_id.as_ref(), now()).await?;
                if remove.json {
                    say_json(&json!(gone));
                } else if gone.is_empty() {
                    say(&format!("{} was given up before", remove.subscriber_id));
                } else {
                    let keys: Vec<String> =
                        gone.iter().filter_map(|row| row.key_id.as_ref().map(KeyId::to_string)).collect();
                    say(&format!("{} is given up with {}", remove.subscriber_id, keys.join(", ")));
                }
            }
        }
        Ok(())
    }
}

/// The rows as a table.
fn lines(rows: &[Subscription], now: Timestamp) -> Vec<String> {
    if rows.is_empty() {
        return vec!["no participant is entered there".to_owned()];
    }
    let cells = rows.iter().map(|row| {
        let text = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let all = |text: Option<&String>| text.cloned().unwrap_or_else(|| "*".to_owned());
        let location = row.location.as_ref();
        let city = location.and_then(|place| place.city.as_ref()).and_then(|city| city.code.as_ref());
        let country = location.and_then(|place| place.country.as_ref()).and_then(|country| country.code.as_ref());
        let status = match row.status.as_ref() {
            Some(_) if row.valid_until.is_some_and(|until| until <= now) => "EXPIRED".to_owned(),
            status => text(status.map(ToString::to_string)),
        };
        [
            text(row.subscriber_id.as_ref().map(ToString::to_string)),
            text(row.r#type.as_ref().map(ToString::to_string)),
            text(row.key_id.as_ref().map(ToString::to_string)),
            status,
            format!("{} {} {}", all(row.domain.as_ref()), all(country), all(city)),
            text(row.valid_until.map(|until| until.to_string())),
            text(row.url.clone()),
        ]
    });
    table(["SUBSCRIBER", "TYPE", "KEY", "STATUS", "DOMAIN COUNTRY CITY", "UNTIL", "URL"], cells)
}

fn subscriber_type(text: &str) -> Result<SubscriberType, String> {
    let expected = || "expected BAP, BPP, BG or BREG".to_owned();
    let parsed: SubscriberType = text.to_ascii_uppercase().parse().map_err(|_| expected())?;
    if participants::TYPES.contains(&parsed) { Ok(parsed) } else { Err(expected()) }
}

fn signing_key(text: &str) -> Result<String, String> {
    VerifyingKey::from_base64(text).map(|key| key.to_base64()).map_err(|error| error.to_string())
}

fn encryption_key(text: &str) -> Result<String, String> {
    EncryptionPublicKey::from_base64(text).map(|key| key.to_base64()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn arguments_are_what_the_registry_can_serve() {
        assert_eq!(subscriber_type("bpp"), Ok(SubscriberType::Bpp));
        assert!(subscriber_type("doctor").is_err());
        assert!(signing_key("c2hvcnQ=").is_err());
        let nine = format!("CQ{}=", "A".repeat(41));
        assert_eq!(encryption_key(&nine), Ok(nine));
        // Too short, and a point that shares one secret with everybody.
        assert!(encryption_key("AAAA").is_err() && encryption_key(&format!("{}=", "A".repeat(43))).is_err());
    }

    #[test]
    fn a_key_past_its_time_is_shown_as_expired() {
        let row = Subscription {
            subscriber_id: "bap.example".parse().ok(),
            status: Some(beckn_health_protocol::registry::SubscriptionStatus::Subscribed),
            valid_until: "2026-11-23T03:00:00Z".parse().ok(),
            ..Subscription::default()
        };
        let shown = |now: &str| lines(std::slice::from_ref(&row), now.parse().unwrap()).join("\n");
        assert!(shown("2026-11-23T02:59:59Z").contains("SUBSCRIBED"));
        assert!(shown("2026-11-23T03:00:00Z").contains("EXPIRED"));
    }
}
