//! The folder of what others published.

use std::path::{Path, PathBuf};

/// A file or folder of `../shared`, if it is there; says so when it is not.
pub(crate) fn find(path: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.parent()?.join("shared").join(path);
    if found.exists() {
        return Some(found);
    }
    eprintln!("skipped: ../shared/{path} is not here");
    None
}

/// The text of a file of `../shared`.
pub(crate) fn text(path: &str) -> Option<String> {
    find(path).map(|found| std::fs::read_to_string(&found).unwrap_or_else(|error| panic!("{path}: {error}")))
}
