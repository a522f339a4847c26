//! The four participants of the local network and their keys.
//!
//! Invariant: with a data folder the keys are made once and kept in files that only their owner can
//! read; without one they live as long as the process.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use beckn_health_platform::participant::Participant;
use beckn_health_platform::participant::keys::{KeyError, KeySource, KeyStore, Keys};
use beckn_health_platform::participant::ring::{KeyRing, RingKey};
use beckn_health_platform::settings::{LOOKUPS_PER_MINUTE, SUBSCRIBES_PER_MINUTE, Settings};
use beckn_health_protocol::dialect::Reading;
use beckn_health_protocol::ids::{KeyId, SubscriberId};
use beckn_health_protocol::model::{City, Location};
use beckn_health_protocol::registry::{SubscriberType, Subscription, SubscriptionStatus};
use jiff::Timestamp;

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

/// A new pair of keys, from a generator seeded by the operating system.
pub fn new_key(key_id: KeyId) -> RingKey {
    RingKey::generate(key_id, rand::random(), rand::random())
}

/// The keys of a role: in `keys/<role>.json`, or in memory without a data folder.
pub struct LocalKeys {
    path: Option<PathBuf>,
    /// What is kept without a file.
    memory: Mutex<KeyRing>,
}

impl LocalKeys {
    /// The kept keys of a role, or new ones. Keys that were kept without an encryption key get one.
    fn open(role: Role, data: Option<&Path>) -> Result<Self, StartError> {
        let path = data.map(|folder| folder.join("keys").join(format!("{}.json", role.path())));
        let unusable = |path: &Path, problem: String| StartError::Keys(path.to_owned(), problem);
        let kept = match &path {
            Some(path) if path.exists() => {
                Some(read_ring(path).map_err(|problem| unusable(path, problem.to_string()))?)
            }
            _ => None,
        };
        let known = |error: beckn_health_protocol::ids::InvalidId| StartError::Storage(error.to_string());
        let ring = match &kept {
            Some(ring) => {
                let mut active = ring.active().clone();
                active.encryption = active.encryption.or_else(|| new_key(active.key_id.clone()).encryption);
                ring.keys()
                    .skip(1)
                    .fold(KeyRing::of(ring.subscriber_id.clone(), active), |all, key| all.with(key.clone()))
            }
            None => {
                let subscriber = SubscriberId::parse(format!("{}.beckn-health.localhost", role.path()));
                let key_id = KeyId::parse(format!("{}-key-1", role.path())).map_err(known)?;
                KeyRing::of(Some(subscriber.map_err(known)?), new_key(key_id))
            }
        };
        if let Some(path) = &path
            && kept.is_none_or(|kept| kept.active().encryption.is_none())
        {
            replace_private(path, &ring.to_json()).map_err(|problem| unusable(path, problem.to_string()))?;
        }
        Ok(Self { path, memory: Mutex::new(ring) })
    }

    /// The ring as it is kept now.
    ///
    /// # Errors
    /// The file cannot be read or is no ring.
    pub fn ring(&self) -> Result<KeyRing, KeyError> {
        match &self.path {
            Some(path) => read_ring(path),
            None => Ok(self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone()),
        }
    }
}

#[async_trait]
impl KeySource for LocalKeys {
    async fn read(&self) -> Result<KeyRing, KeyError> {
        self.ring()
    }
}

#[async_trait]
impl KeyStore for LocalKeys {
    async fn write(&self, ring: &KeyRing) -> Result<(), KeyError> {
        match &self.path {
            Some(path) => {
                replace_private(path, &ring.to_json()).map_err(|error| KeyError::Unreachable(error.to_string()))?;
            }
            None => *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = ring.clone(),
        }
        Ok(())
    }
}

fn read_ring(path: &Path) -> Result<KeyRing, KeyError> {
    let bytes = std::fs::read(path).map_err(|error| KeyError::Unreachable(error.to_string()))?;
    Ok(KeyRing::parse(&bytes, None)?)
}

/// The participant of a role at `base` (e.g. `http://127.0.0.1:8080`), with its kept or new keys and where they
/// are kept.
pub(super) async fn participant(
    role: Role,
    base: &str,
    data: Option<&Path>,
    now: Timestamp,
) -> Result<(Participant, Arc<LocalKeys>), StartError> {
    let kept = Arc::new(LocalKeys::open(role, data)?);
    let failed = |problem: String| StartError::Keys(kept.path.clone().unwrap_or_default(), problem);
    let ring = kept.ring().map_err(|problem| failed(problem.to_string()))?;
    let participant = Participant {
        subscriber_id: ring.subscriber_id.ok_or_else(|| failed("subscriber_id is missing".to_owned()))?,
        url: format!("{base}/{}", role.path()),
        role: role.subscriber_type(),
        keys: Keys::open(kept.clone(), now).await.map_err(|problem| failed(problem.to_string()))?,
    };
    Ok((participant, kept))
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

/// Writes a file that only its owner can read, in place of the one there may be: who reads it sees the one
/// or the other, whole.
pub(crate) fn replace_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    write_private(&beside, bytes)?;
    std::fs::rename(&beside, path)
}

/// The registry row of a participant of ours, with its active key.
pub fn subscription(participant: &Participant, city: Option<&str>, now: Timestamp) -> Subscription {
    let ring = participant.keys.held().ok();
    let key = ring.as_ref().map(|ring| ring.active());
    let city = city.map(|code| City { code: Some(code.to_owned()), ..City::default() });
    Subscription {
        subscriber_id: Some(participant.subscriber_id.clone()),
        url: Some(participant.url.clone()),
        r#type: Some(participant.role.clone()),
        key_id: key.map(|key| key.key_id.clone()),
        signing_public_key: key.map(|key| key.signing.verifying_key().to_base64()),
        encr_public_key: key.and_then(|key| key.encryption.as_ref()).map(|key| key.public_key().to_base64()),
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
        lookups_per_minute: LOOKUPS_PER_MINUTE,
        subscribes_per_minute: SUBSCRIBES_PER_MINUTE,
    }
}
