//! What the batch operations share: their limits and the failures of single entries.
//!
//! Invariant: an entry at fault fails alone; a fault of ours fails the whole request, so that the
//! sender's retry covers every entry.

use std::collections::HashSet;

use serde::Serialize;

use crate::sqs::SqsError;

const MAX_ENTRIES: usize = 10;
const MAX_ID: usize = 80;

/// An entry that failed, as SQS reports it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchResultErrorEntry {
    id: String,
    sender_fault: bool,
    code: &'static str,
    message: String,
}

/// The answer to a batch: entries done and entries failed.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchResult<T> {
    pub(super) successful: Vec<T>,
    pub(super) failed: Vec<BatchResultErrorEntry>,
}

impl<T> BatchResult<T> {
    pub(super) fn new() -> Self {
        Self { successful: Vec::new(), failed: Vec::new() }
    }

    /// Files an entry's result; a fault of ours is not the entry's and is given back.
    pub(super) fn file(&mut self, id: String, result: Result<T, SqsError>) -> Result<(), SqsError> {
        match result {
            Ok(done) => self.successful.push(done),
            Err(error) if error.is_sender_fault() => self.failed.push(BatchResultErrorEntry {
                id,
                sender_fault: true,
                code: error.code(),
                message: error.to_string(),
            }),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// The entry of a batch that did what it asked and has nothing more to say.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Done {
    pub(super) id: String,
}

/// Checks the number of entries and their ids.
pub(super) fn check_ids<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> Result<(), SqsError> {
    match ids.len() {
        0 => return Err(SqsError::EmptyBatchRequest),
        1..=MAX_ENTRIES => {}
        count => return Err(SqsError::TooManyEntriesInBatchRequest(count)),
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let mut seen = HashSet::new();
    for id in ids {
        if id.is_empty() || id.len() > MAX_ID || !id.bytes().all(allowed) {
            return Err(SqsError::InvalidBatchEntryId);
        }
        if !seen.insert(id) {
            return Err(SqsError::BatchEntryIdsNotDistinct(id.to_owned()));
        }
    }
    Ok(())
}
