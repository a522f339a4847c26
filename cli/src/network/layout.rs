//! Which form the rows in a data folder have.
//!
//! Invariant: a folder is used in the form it was made in or not at all, and nothing in it changes before that is known.
//! Rows that cannot be read could be slots that somebody has booked.

use std::io::ErrorKind;
use std::path::Path;

use super::StartError;

/// The form that tables and queues of this program have. It is raised when keys or rows change so that those of
/// before cannot be read.
const LAYOUT: &str = "2";

/// Notes the form in a new folder; in one that is in use, compares it.
///
/// # Errors
/// [`StartError::Layout`] when it is another, or the folder cannot be read.
pub(super) fn settle(folder: &Path) -> Result<(), StartError> {
    let marker = folder.join("layout");
    let storage = |error: std::io::Error| StartError::Storage(format!("{}: {error}", marker.display()));
    match std::fs::read_to_string(&marker) {
        Ok(found) if found.trim() == LAYOUT => Ok(()),
        Ok(_) => Err(StartError::Layout(folder.to_owned())),
        // There were folders before there were markers.
        Err(error) if error.kind() == ErrorKind::NotFound && folder.join("dynamodb.sqlite").exists() => {
            Err(StartError::Layout(folder.to_owned()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            std::fs::write(&marker, format!("{LAYOUT}\n")).map_err(storage)
        }
        Err(error) => Err(storage(error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_is_used_in_the_form_it_was_made_in() {
        let folder = tempfile::tempdir().unwrap();
        settle(folder.path()).unwrap();
        std::fs::write(folder.path().join("dynamodb.sqlite"), "rows").unwrap();
        settle(folder.path()).unwrap();
        let refused = || matches!(settle(folder.path()), Err(StartError::Layout(named)) if named == folder.path());
        for other in ["1", "3", "", "22"] {
            std::fs::write(folder.path().join("layout"), other).unwrap();
            assert!(refused(), "{other}");
        }
        // One of before there was a layout; it does not get one either.
        std::fs::remove_file(folder.path().join("layout")).unwrap();
        assert!(refused() && !folder.path().join("layout").exists());
    }
}
