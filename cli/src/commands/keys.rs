//! `beckn-health keys`: signing keys.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Failure, say};
use crate::network::identity::{KeyFile, new_signing_key, write_private};

/// Make signing keys.
#[derive(Subcommand)]
pub enum Keys {
    /// Make an Ed25519 key pair: the private half into a file only you can read, the public half on
    /// standard output
    #[command(after_help = "Example:\n  beckn-health keys new --subscriber-id bap.example.org --out bap.json")]
    New {
        /// The participant the key is for, as the registry knows it
        #[arg(long)]
        subscriber_id: String,
        /// The key's id in the registry
        #[arg(long, default_value = "key-1")]
        key_id: String,
        /// File for the private key; must not exist yet
        #[arg(long)]
        out: PathBuf,
    },
}

impl Keys {
    /// Runs the command.
    ///
    /// # Errors
    /// An id is malformed, or the file exists or cannot be written.
    pub fn run(self) -> Result<(), Failure> {
        let Self::New { subscriber_id, key_id, out } = self;
        let key = new_signing_key();
        let file = KeyFile {
            subscriber_id: subscriber_id.parse().map_err(|error| Failure(format!("--subscriber-id: {error}")))?,
            key_id: key_id.parse().map_err(|error| Failure(format!("--key-id: {error}")))?,
            signing_private_key: key.to_base64(),
        };
        write_private(&out, &serde_json::to_vec_pretty(&file)?).map_err(|error| {
            let reason = match error.kind() {
                std::io::ErrorKind::AlreadyExists => {
                    "there is a file already, and a key is never overwritten".to_owned()
                }
                _ => error.to_string(),
            };
            Failure(format!("{} cannot be written: {reason}; choose another --out", out.display()))
        })?;
        say(&serde_json::to_string_pretty(&serde_json::json!({
            "subscriber_id": file.subscriber_id,
            "key_id": file.key_id,
            "signing_public_key": key.verifying_key().to_base64(),
            "private_key_file": out,
        }))?);
        Ok(())
    }
}
