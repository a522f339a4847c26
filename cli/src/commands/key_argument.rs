//! The arguments that name a participant's keys.

use std::path::PathBuf;

use beckn_health_platform::participant::keys::KeyStore;
use beckn_health_platform::participant::ring::KeyRing;
use beckn_health_platform::participant::secret::SecretKeys;
use beckn_health_protocol::ids::{KeyId, SubscriberId};
use clap::Args;

use super::env::RoleName;
use crate::failure::Failure;
use crate::network::DEPLOYMENT;
use crate::network::identity::Role;
use crate::operator::Deployment;
use crate::operator::key_file::KeyFile;
use crate::operator::registry_client::Asker;

/// Whose keys a command works with, and where they are kept: one of --key, --data with --role, and --secret-id.
#[derive(Debug, Clone, Args)]
pub struct KeyArgument {
    /// Key file, as `keys new` writes it
    #[arg(long, value_name = "FILE", required_unless_present_any = ["data", "secret_id"], conflicts_with_all = ["data", "secret_id"])]
    key: Option<PathBuf>,
    /// Instead: the folder of a local network (`up --data`), whose participant --role names
    #[arg(long, value_name = "DIR", requires = "role", conflicts_with = "secret_id")]
    data: Option<PathBuf>,
    /// The participant of the local network
    #[arg(long, requires = "data")]
    role: Option<RoleName>,
    /// Instead: name or ARN of the secret in AWS Secrets Manager (SIGNING_KEY_SECRET of the deployed functions)
    #[arg(long, value_name = "ID")]
    secret_id: Option<String>,
    /// Whose keys they are, where the file or secret does not say
    #[arg(long)]
    subscriber_id: Option<SubscriberId>,
    /// Id of the key, where the secret is the Base64 of a signing key alone
    #[arg(long, requires = "secret_id")]
    key_id: Option<KeyId>,
}

/// Keys, and where they are kept.
pub struct Kept {
    /// The participant and its keys as they are now.
    pub asker: Asker,
    /// Where they can be replaced.
    pub store: Box<dyn KeyStore>,
    /// Where that is, for people.
    pub place: String,
    /// The file, if it is one.
    pub file: Option<KeyFile>,
}

impl KeyArgument {
    /// Reads the keys.
    ///
    /// # Errors
    /// There are none, or they do not say whose they are.
    pub async fn reach(self) -> Result<Kept, Failure> {
        let Self { key, data, role, secret_id, subscriber_id, key_id } = self;
        let of_role = |data: PathBuf| {
            let role = role.map(|role| Role::from(role).path()).unwrap_or_default();
            data.join("keys").join(format!("{role}.json"))
        };
        let (store, place, file): (Box<dyn KeyStore>, String, Option<KeyFile>) = match (secret_id, key, data) {
            (Some(secret_id), _, _) => {
                let aws = Deployment::from_env(DEPLOYMENT.parse()?).await?;
                let store = SecretKeys::new(aws.secrets(), secret_id.clone(), key_id);
                (Box::new(store), format!("the secret {secret_id}"), None)
            }
            (None, Some(path), _) => of_file(path),
            (None, None, Some(data)) => of_file(of_role(data)),
            (None, None, None) => return Err(Failure("name the keys with --key FILE".to_owned())),
        };
        let ring = store.read().await.map_err(|error| {
            Failure(format!("{place} cannot be used: {error}; `beckn-health keys new` makes a key file"))
        })?;
        let asker = asker(ring, subscriber_id, &place)?;
        Ok(Kept { asker, store, place, file })
    }
}

fn of_file(path: PathBuf) -> (Box<dyn KeyStore>, String, Option<KeyFile>) {
    let place = format!("the key file {}", path.display());
    let file = KeyFile::at(path);
    (Box::new(file.clone()), place, Some(file))
}

/// The participant of a ring, unless nobody says who that is.
pub(super) fn asker(ring: KeyRing, named: Option<SubscriberId>, place: &str) -> Result<Asker, Failure> {
    let subscriber_id = match (ring.subscriber_id.clone(), named) {
        (Some(kept), Some(named)) if kept != named => {
            return Err(Failure(format!("{place} holds the keys of {kept}, not of {named}")));
        }
        (Some(id), _) | (None, Some(id)) => id,
        (None, None) => return Err(Failure(format!("{place} does not say whose keys it holds: add --subscriber-id"))),
    };
    Ok(Asker { subscriber_id, ring })
}
