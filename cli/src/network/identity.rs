//! The four participants of the local network and their keys.
//!
//! Invariant: with a data folder the keys are made once and kept in files that only their owner can
//! read; without one they live as long as the process.

use std::path::Path;

use beckn_health_platform::participant::Participant;
use beckn_health_platform::settings::Settings;
use beckn_health_protocol::dialect::Reading;
use beckn_health_protocol::ids::{KeyId, SubscriberId};
use beckn_health_protocol::model::{City, Location};
use beckn_health_protocol::registry::{SubscriberType, Subscription, SubscriptionStatus};
use beckn_health_protocol::signature::SigningKey;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::StartError;

/// A role of the local network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The consumer app's platform.
    Bap,
    /// The provider's platform.
    Bpp,
    /// The gateway.
    Gateway,
    /// The registry.
    Registry,
}

impl Role {
    /// All four.
    pub const ALL: [Role; 4] = [Role::Registry, Role::Gateway, Role::Bpp, Role::Bap];

    /// Path of the role's API, and the prefix of its functions' names.
    pub fn path(self) -> &'static str {
        match self {
            Role::Bap => "bap",
            Role::Bpp => "bpp",
            Role::Gateway => "gateway",
            Role::Registry => "registry",
        }
    }

    /// The registry's word for it.
    pub fn subscriber_type(self) -> SubscriberType {
        match self {
            Role::Bap => SubscriberType::Bap,
            Role::Bpp => SubscriberType::Bpp,
            Role::Gateway => SubscriberType::Bg,
            Role::Registry => SubscriberType::Breg,
        }
    }
}

/// A signing key in a file, as `keys/<role>.json` keeps it.
#[derive(Serialize, Deserialize)]
pub struct KeyFile {
    /// Whose key it is.
    pub subscriber_id: SubscriberId,
    /// Its id in the registry.
    pub key_id: KeyId,
    /// Base64 of the seed, or of seed and public key.
    pub signing_private_key: String,
}

/// A new Ed25519 key, from a generator seeded by the operating system.
pub fn new_signing_key() -> SigningKey {
    SigningKey::generate(rand::random())
}

/// The participant of a role at `base` (e.g. `http://127.0.0.1:8080`), with its kept or new key.
pub(super) fn participant(role: Role, base: &str, data: Option<&Path>) -> Result<Participant, StartError> {
    let path = data.map(|folder| folder.join("keys").join(format!("{}.json", role.path())));
    let kept = match &path {
        Some(path) if path.exists() => {
            let bytes = std::fs::read(path).map_err(|error| StartError::Keys(path.clone(), error.to_string()))?;
            let file: KeyFile =
                serde_json::from_slice(&bytes).map_err(|error| StartError::Keys(path.clone(), error.to_string()))?;
            Some(file)
        }
        _ => None,
    };
    let file = match (kept, &path) {
        (Some(file), _) => file,
        (None, path) => {
            let file = KeyFile {
                subscriber_id: id(&format!("{}.beckn-health.localhost", role.path()))?,
                key_id: KeyId::parse(format!("{}-key-1", role.path()))
                    .map_err(|error| StartError::Storage(error.to_string()))?,
                signing_private_key: new_signing_key().to_base64(),
            };
            if let Some(path) = path {
                write_private(path, &serde_json::to_vec_pretty(&file).unwrap_or_default())
                    .map_err(|error| StartError::Keys(path.clone(), error.to_string()))?;
            }
            file
        }
    };
    let signing_key = SigningKey::from_base64(&file.signing_private_key)
        .map_err(|error| StartError::Keys(path.unwrap_or_default(), error.to_string()))?;
    Ok(Participant {
        subscriber_id: file.subscriber_id,
        url: format!("{base}/{}", role.path()),
        key_id: file.key_id,
        role: role.subscriber_type(),
        signing_key: Some(signing_key),
    })
}

fn id(text: &str) -> Result<SubscriberId, StartError> {
    SubscriberId::parse(text).map_err(|error| StartError::Storage(error.to_string()))
}

/// Makes a folder, if it is missing, that only its owner can enter: it holds keys and patients' data.
pub(crate) fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// Writes a new file that only its owner can read.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_private_folder(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)?.write_all(bytes)
}

/// The registry row of a participant of ours.
pub fn subscription(participant: &Participant, city: Option<&str>, now: Timestamp) -> Subscription {
    let city = city.map(|code| City { code: Some(code.to_owned()), ..City::default() });
    Subscription {
        subscriber_id: Some(participant.subscriber_id.clone()),
        url: Some(participant.url.clone()),
        r#type: Some(participant.role.clone()),
        key_id: Some(participant.key_id.clone()),
        signing_public_key: participant.signing_key.as_ref().map(|key| key.verifying_key().to_base64()),
        status: Some(SubscriptionStatus::Subscribed),
        created: Some(now),
        updated: Some(now),
        location: city.map(|city| Location { city: Some(city), ..Location::default() }),
        ..Subscription::default()
    }
}

/// The settings of a role of the local network.
pub(super) fn settings(base: &str, role: Role, prefix: &str, queue_url_prefix: &str, reading: Reading) -> Settings {
    Settings {
        table_prefix: prefix.to_owned(),
        queue_url_prefix: queue_url_prefix.to_owned(),
        registry_url: (role != Role::Registry).then(|| format!("{base}/registry")),
        gateway_url: (role == Role::Bap).then(|| format!("{base}/gateway")),
        reading,
        strict_subscribers: std::collections::BTreeSet::new(),
        allow_private_addresses: true,
    }
}
