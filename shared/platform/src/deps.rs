//! What a function is given: clock, identity, queues, tables, registry and outbound HTTP.
//!
//! Invariant: everything is built once, at start; a handler never builds a client.

use std::sync::Arc;

use beckn_health_protocol::ids::{KeyId, SubscriberId};

use crate::clock::{Clock, SystemClock};
use crate::egress::Egress;
use crate::participant::Participant;
use crate::participant::keys::Keys;
use crate::participant::secret::SecretKeys;
use crate::queue::Queues;
use crate::registry::{CachedRegistry, HttpRegistry, Registry};
use crate::settings::{Settings, SettingsError, base_url};
use crate::store::{Tables, participants::Participants};

/// A function's dependencies.
pub struct Deps {
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// Configuration.
    pub settings: Settings,
    /// Who we are and the keys we sign with.
    pub participant: Participant,
    /// The queues.
    pub queues: Queues,
    /// The tables.
    pub tables: Tables,
    /// Participants and their keys, cached.
    pub registry: Arc<CachedRegistry>,
    /// HTTP to peers.
    pub egress: Egress,
    /// What the handlers keep between invocations, e.g. the search snapshot.
    pub memory: Memory,
}

/// Values that handlers keep for the life of the process, one per type.
#[derive(Default)]
pub struct Memory(std::sync::Mutex<std::collections::HashMap<std::any::TypeId, Arc<dyn std::any::Any + Send + Sync>>>);

impl Memory {
    /// The process's one value of type `T`, made on first use.
    pub fn of<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut kept = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let value = kept.entry(std::any::TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default())).clone();
        value.downcast::<T>().unwrap_or_default()
    }
}

/// Why a function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The environment is incomplete.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The keys could not be read from Secrets Manager.
    #[error("SIGNING_KEY_SECRET: the secret could not be read: {0}")]
    Secret(String),
    /// The HTTP client could not be built.
    #[error("outbound HTTP: {0}")]
    Egress(String),
}

impl Deps {
    /// Builds the dependencies of a deployed function from its environment.
    ///
    /// # Errors
    /// A missing or malformed variable, or a signing key that cannot be read.
    pub async fn from_env() -> Result<Self, StartError> {
        let variable = |name: &'static str| std::env::var(name).ok();
        let settings = Settings::from_env(variable)?;
        let required = |name: &'static str| {
            variable(name).filter(|value| !value.is_empty()).ok_or_else(|| SettingsError::new(name, "is not set"))
        };
        let aws = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        // A secret that names its keys needs no id from here.
        let key_id = variable("KEY_ID")
            .filter(|id| !id.is_empty())
            .map(KeyId::parse)
            .transpose()
            .map_err(|problem| SettingsError::new("KEY_ID", problem.to_string()))?;
        let keys = match variable("SIGNING_KEY_SECRET").filter(|id| !id.is_empty()) {
            // Functions that send nothing signed may not read the keys.
            None => Keys::none(),
            Some(secret_id) => {
                let secret = SecretKeys::new(aws_sdk_secretsmanager::Client::new(&aws), secret_id, key_id);
                Keys::open(Arc::new(secret), clock.now())
                    .await
                    .map_err(|problem| StartError::Secret(problem.to_string()))?
            }
        };
        let participant = Participant {
            subscriber_id: SubscriberId::parse(required("SUBSCRIBER_ID")?)
                .map_err(|problem| SettingsError::new("SUBSCRIBER_ID", problem.to_string()))?,
            url: base_url(&variable, "SUBSCRIBER_URL")?
                .ok_or_else(|| SettingsError::new("SUBSCRIBER_URL", "is not set"))?,
            role: required("SUBSCRIBER_TYPE")?
                .parse()
                .map_err(|_| SettingsError::new("SUBSCRIBER_TYPE", "expected BAP, BPP, BG or BREG"))?,
            keys,
        };
        Self::assemble(
            clock,
            settings,
            participant,
            aws_sdk_dynamodb::Client::new(&aws),
            aws_sdk_sqs::Client::new(&aws),
        )
    }

    /// A new random id, for a message or a transaction of ours.
    #[expect(clippy::disallowed_methods, reason = "the one place that draws ids")]
    pub fn fresh_id(&self) -> uuid::Uuid {
        uuid::Uuid::new_v4()
    }

    /// Assembles dependencies from their parts; the local network and the tests bring their own
    /// clock, identity and clients.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn assemble(
        clock: Arc<dyn Clock>,
        settings: Settings,
        participant: Participant,
        dynamodb: aws_sdk_dynamodb::Client,
        sqs: aws_sdk_sqs::Client,
    ) -> Result<Self, StartError> {
        let egress =
            Egress::new(settings.allow_private_addresses).map_err(|error| StartError::Egress(error.to_string()))?;
        let tables = Tables::new(dynamodb, settings.table_prefix.clone());
        let queues = Queues::new(sqs, settings.queue_url_prefix.clone());
        let source: Arc<dyn Registry> = match &settings.registry_url {
            Some(url) => Arc::new(HttpRegistry::new(url.clone(), participant.clone(), egress.clone(), clock.clone())),
            // The registry itself verifies its callers against its own table.
            None => Arc::new(Participants::new(tables.clone())),
        };
        Ok(Self {
            registry: Arc::new(CachedRegistry::new(source, clock.clone())),
            clock,
            settings,
            participant,
            queues,
            tables,
            egress,
            memory: Memory::default(),
        })
    }
}
