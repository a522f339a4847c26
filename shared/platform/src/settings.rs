//! A function's configuration, read once from its environment.
//!
//! Invariant: a missing or malformed variable stops the function at start with a sentence that
//! names the variable, before the first message is taken.

use std::collections::BTreeSet;

use beckn_health_protocol::dialect::Reading;
use beckn_health_protocol::ids::SubscriberId;

/// How a deployment is configured. Field docs name the environment variable of each.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `TABLE_PREFIX`: put before every table name, e.g. `beckn-health-dev-`.
    pub table_prefix: String,
    /// `QUEUE_URL_PREFIX`: put before every queue name to make its URL.
    pub queue_url_prefix: String,
    /// `REGISTRY_URL`: base of the registry's API; absent in the registry itself, which reads its
    /// own table.
    pub registry_url: Option<String>,
    /// `GATEWAY_URL`: where a BAP sends searches that name no BPP.
    pub gateway_url: Option<String>,
    /// `READING` (`compat` or `strict`): how messages of peers are read.
    pub reading: Reading,
    /// `STRICT_SUBSCRIBERS`, comma-separated: peers always read strictly.
    pub strict_subscribers: BTreeSet<SubscriberId>,
    /// `ALLOW_PRIVATE_ADDRESSES` (`true`): deliver to plain-http and private addresses too. For a
    /// network on one machine; never set it on the open internet.
    pub allow_private_addresses: bool,
    /// `LOOKUPS_PER_MINUTE`: lookups the registry answers each participant in one minute.
    pub lookups_per_minute: u32,
    /// `SUBSCRIBES_PER_MINUTE`: subscriptions the registry takes from each participant in one minute.
    pub subscribes_per_minute: u32,
}

/// What a registry answers each participant in a minute unless told otherwise, as deployed registries do.
pub const LOOKUPS_PER_MINUTE: u32 = 7_600;
/// What a registry takes from each participant in a minute unless told otherwise.
pub const SUBSCRIBES_PER_MINUTE: u32 = 10;

/// What is wrong with the environment.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("environment variable {variable}: {problem}")]
pub struct SettingsError {
    /// The variable at fault.
    pub variable: &'static str,
    /// What was expected.
    pub problem: String,
}

impl SettingsError {
    /// `variable` is wrong because of `problem`.
    pub fn new(variable: &'static str, problem: impl Into<String>) -> Self {
        Self { variable, problem: problem.into() }
    }
}

impl Settings {
    /// Reads the settings from `variable`, a view of the environment.
    ///
    /// # Errors
    /// The first variable that is malformed.
    pub fn from_env(variable: impl Fn(&'static str) -> Option<String>) -> Result<Self, SettingsError> {
        let reading = match variable("READING").as_deref() {
            None | Some("" | "compat") => Reading::Compat,
            Some("strict") => Reading::Strict,
            Some(other) => {
                return Err(SettingsError::new("READING", format!("expected compat or strict, found {other:?}")));
            }
        };
        let strict_subscribers = variable("STRICT_SUBSCRIBERS")
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|id| !id.is_empty())
            .map(SubscriberId::parse)
            .collect::<Result<_, _>>()
            .map_err(|problem| SettingsError::new("STRICT_SUBSCRIBERS", problem.to_string()))?;
        Ok(Self {
            table_prefix: variable("TABLE_PREFIX").unwrap_or_default(),
            queue_url_prefix: variable("QUEUE_URL_PREFIX").unwrap_or_default(),
            registry_url: base_url(&variable, "REGISTRY_URL")?,
            gateway_url: base_url(&variable, "GATEWAY_URL")?,
            reading,
            strict_subscribers,
            allow_private_addresses: variable("ALLOW_PRIVATE_ADDRESSES").as_deref() == Some("true"),
            lookups_per_minute: count(&variable, "LOOKUPS_PER_MINUTE", LOOKUPS_PER_MINUTE)?,
            subscribes_per_minute: count(&variable, "SUBSCRIBES_PER_MINUTE", SUBSCRIBES_PER_MINUTE)?,
        })
    }

    /// How messages of this peer are read.
    pub fn reading_of(&self, subscriber: &SubscriberId) -> Reading {
        if self.strict_subscribers.contains(subscriber) { Reading::Strict } else { self.reading }
    }
}

/// A number of one or more.
fn count(
    variable: &impl Fn(&'static str) -> Option<String>,
    name: &'static str,
    otherwise: u32,
) -> Result<u32, SettingsError> {
    match variable(name).filter(|value| !value.is_empty()) {
        None => Ok(otherwise),
        Some(value) => value
            .parse()
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| SettingsError::new(name, "expected a whole number of 1 or more")),
    }
}

/// An optional base URL, without its trailing slash.
pub(crate) fn base_url(
    variable: &impl Fn(&'static str) -> Option<String>,
    name: &'static str,
) -> Result<Option<String>, SettingsError> {
    match variable(name).filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some(value) => match url::Url::parse(&value) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                Ok(Some(value.trim_end_matches('/').to_owned()))
            }
            _ => Err(SettingsError::new(name, "expected an http(s) URL")),
        },
    }
}
