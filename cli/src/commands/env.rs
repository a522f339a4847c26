//! `beckn-health env`: the environment in which a function runs against the local network.

use std::path::PathBuf;

use beckn_health_protocol::ids::{KeyId, SubscriberId};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::{read, say, say_json};
use crate::failure::Failure;
use crate::network::DEPLOYMENT;
use crate::network::aws::secret_name;
use crate::network::identity::Role;

/// Print what a function of a role needs to run outside the network's process.
#[derive(Args)]
pub struct Env {
    /// Whose function it is
    role: RoleName,
    /// The network's port for AWS clients, as `up --aws-port` was given it or printed it
    #[arg(long)]
    aws_port: u16,
    /// The network's port
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The network's folder, when it was started with --data
    #[arg(long)]
    data: Option<PathBuf>,
    /// Print a JSON object instead of shell commands
    #[arg(long)]
    json: bool,
}

/// A role, as it is named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// The consumer app's platform
    Bap,
    /// The provider's platform
    Bpp,
    /// The gateway
    Gateway,
    /// The registry
    Registry,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Bap => Self::Bap,
            RoleName::Bpp => Self::Bpp,
            RoleName::Gateway => Self::Gateway,
            RoleName::Registry => Self::Registry,
        }
    }
}

/// Who a role of the local network is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its subscriber id.
    pub subscriber_id: SubscriberId,
    /// The id of the key it signs with.
    pub key_id: KeyId,
}

impl Env {
    /// Runs the command.
    ///
    /// # Errors
    /// The key file cannot be read.
    pub fn run(self) -> Result<(), Failure> {
        let role = Role::from(self.role);
        let identity = match &self.data {
            None => usual_identity(role)?,
            Some(data) => {
                let path = data.join("keys").join(format!("{}.json", role.path()));
                identity_in(&read(&path)?).ok_or_else(|| {
                    Failure(format!("{} is no key file; --data names the folder given to `up`", path.display()))
                })?
            }
        };
        let variables = variables(role, &identity, self.port, self.aws_port);
        if self.json {
            say_json(&Value::Object(
                variables.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect::<Map<_, _>>(),
            ));
        } else {
            variables.iter().for_each(|(name, value)| say(&format!("export {name}={}", quoted(value))));
        }
        Ok(())
    }
}

/// Who a role is on a network that makes its own keys.
///
/// # Errors
/// None that can happen: the ids are well formed.
pub fn usual_identity(role: Role) -> Result<Identity, Failure> {
    Ok(Identity {
        subscriber_id: SubscriberId::parse(format!("{}.beckn-health.localhost", role.path()))?,
        key_id: KeyId::parse(format!("{}-key-1", role.path()))?,
    })
}

/// Who a key file belongs to; `None` when it is none.
fn identity_in(file: &[u8]) -> Option<Identity> {
    let file: Value = serde_json::from_slice(file).ok()?;
    let key_id = file["active"].as_str().or_else(|| file["key_id"].as_str())?;
    Some(Identity {
        subscriber_id: SubscriberId::parse(file["subscriber_id"].as_str()?).ok()?,
        key_id: KeyId::parse(key_id).ok()?,
    })
}

/// The environment of a role's functions, as the templates in `infra/` set it on AWS, and how the AWS SDK finds
/// the local network.
pub fn variables(role: Role, identity: &Identity, port: u16, aws_port: u16) -> Vec<(&'static str, String)> {
    let base = format!("http://127.0.0.1:{port}");
    let aws = format!("http://127.0.0.1:{aws_port}");
    let mut variables = vec![
        ("TABLE_PREFIX", format!("{DEPLOYMENT}-")),
        ("QUEUE_URL_PREFIX", format!("{aws}/000000000000/{DEPLOYMENT}-")),
        ("SUBSCRIBER_ID", identity.subscriber_id.to_string()),
        ("SUBSCRIBER_TYPE", role.subscriber_type().to_string()),
        ("SUBSCRIBER_URL", format!("{base}/{}", role.path())),
        ("KEY_ID", identity.key_id.to_string()),
        ("SIGNING_KEY_SECRET", secret_name(role)),
    ];
    if role != Role::Registry {
        variables.push(("REGISTRY_URL", format!("{base}/registry")));
    }
    if role == Role::Bap {
        variables.push(("GATEWAY_URL", format!("{base}/gateway")));
    }
    variables.extend([
        ("READING", "compat".to_owned()),
        ("ALLOW_PRIVATE_ADDRESSES", "true".to_owned()),
        ("AWS_ENDPOINT_URL", aws),
        ("AWS_REGION", "us-east-1".to_owned()),
        // Nobody checks them there, but the SDK signs with some.
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
    ]);
    variables
}

/// A value as a POSIX shell reads it back.
fn quoted(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@%+=,".contains(&byte);
    if !value.is_empty() && value.bytes().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_value_reaches_the_shell_whole() {
        assert_eq!(quoted("http://127.0.0.1:8080/bpp"), "http://127.0.0.1:8080/bpp");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn key_files_of_one_key_and_of_many_tell_whose_they_are() {
        let one = br#"{"subscriber_id":"bap.example","key_id":"k-1","signing_private_key":"x"}"#;
        assert_eq!(identity_in(one).unwrap().key_id.as_str(), "k-1");
        let ring = br#"{"subscriber_id":"bap.example","active":"k-2","keys":[{"key_id":"k-1"},{"key_id":"k-2"}]}"#;
        assert_eq!(identity_in(ring).unwrap().key_id.as_str(), "k-2");
        assert_eq!(identity_in(b"{}"), None);
        assert_eq!(identity_in(b"no JSON"), None);
    }
}
