//! A participant's keys in a file of its operator's.
//!
//! Invariant: the file is replaced as a whole and only its owner can read it; an error never quotes what is in it.

use std::path::PathBuf;

use async_trait::async_trait;
use beckn_health_platform::participant::keys::{KeyError, KeySource, KeyStore};
use beckn_health_platform::participant::ring::KeyRing;

use crate::network::identity::replace_private;

/// A file that holds a ring, as `keys new` writes it and a local network keeps it.
#[derive(Debug, Clone)]
pub struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// The file at `path`.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The permission bits by which others than the owner may read it; `None` when there are none, or this system
    /// has no such bits.
    #[must_use]
    pub fn open_to_others(&self) -> Option<u32> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&self.path).ok()?.permissions().mode() & 0o777;
            (mode & 0o077 != 0).then_some(mode)
        }
        #[cfg(not(unix))]
        None
    }
}

#[async_trait]
impl KeySource for KeyFile {
    async fn read(&self) -> Result<KeyRing, KeyError> {
        let bytes = std::fs::read(&self.path)
            .map_err(|error| KeyError::Unreachable(format!("{}: {error}", self.path.display())))?;
        Ok(KeyRing::parse(&bytes, None)?)
    }
}

#[async_trait]
impl KeyStore for KeyFile {
    async fn write(&self, ring: &KeyRing) -> Result<(), KeyError> {
        replace_private(&self.path, &ring.to_json())
            .map_err(|error| KeyError::Unreachable(format!("{}: {error}", self.path.display())))
    }
}
