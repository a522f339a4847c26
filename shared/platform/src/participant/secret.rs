//! A participant's ring in Secrets Manager.
//!
//! Invariant: the secret's text is parsed and forgotten; an error never quotes it.

use async_trait::async_trait;
use beckn_health_protocol::ids::KeyId;

use super::keys::{KeyError, KeySource, KeyStore};
use super::ring::KeyRing;

/// A secret that holds a ring.
#[derive(Debug, Clone)]
pub struct SecretKeys {
    client: aws_sdk_secretsmanager::Client,
    secret_id: String,
    key_id: Option<KeyId>,
}

impl SecretKeys {
    /// The secret with this name or ARN. `key_id` is the id of a key that is kept as Base64 alone.
    #[must_use]
    pub fn new(client: aws_sdk_secretsmanager::Client, secret_id: String, key_id: Option<KeyId>) -> Self {
        Self { client, secret_id, key_id }
    }
}

#[async_trait]
impl KeySource for SecretKeys {
    async fn read(&self) -> Result<KeyRing, KeyError> {
        let secret = self
            .client
            .get_secret_value()
            .secret_id(&self.secret_id)
            .send()
            .await
            .map_err(|error| KeyError::Unreachable(error.into_service_error().to_string()))?;
        Ok(KeyRing::parse(secret.secret_string().unwrap_or_default().as_bytes(), self.key_id.as_ref())?)
    }
}

#[async_trait]
impl KeyStore for SecretKeys {
    /// A new version of the secret; Secrets Manager keeps the one before as `AWSPREVIOUS`.
    async fn write(&self, ring: &KeyRing) -> Result<(), KeyError> {
        let document = String::from_utf8(ring.to_json())
            .map_err(|_| KeyError::Unreachable("the ring cannot be written as text".to_owned()))?;
        self.client
            .put_secret_value()
            .secret_id(&self.secret_id)
            .secret_string(document)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| KeyError::Unreachable(error.into_service_error().to_string()))
    }
}
