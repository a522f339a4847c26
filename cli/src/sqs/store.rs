//! The tables of the queues and every statement on them.
//!
//! Invariant: a row of `message` (small, rewritten at each receive) and its row of `content` (large,
//! written once) are made and removed in the same transaction. Times are milliseconds since the
//! Unix epoch.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::SqsError;
use super::message::{AcceptedMessage, MessageAttribute, MessageState, PeekedMessage, Receipt, texts};
use super::queue::Depth;

const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE queue (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    visibility_ms INTEGER NOT NULL,
    retention_ms INTEGER NOT NULL,
    max_receive_count INTEGER,
    dead_letter INTEGER REFERENCES queue (id),
    created_at INTEGER NOT NULL
);
CREATE TABLE message (
    seq INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL REFERENCES queue (id),
    available_at INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    receive_count INTEGER NOT NULL DEFAULT 0,
    receipt INTEGER,
    first_received_at INTEGER
);
CREATE INDEX message_due ON message (queue, available_at);
CREATE TABLE content (
    seq INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL,
    md5_of_body TEXT NOT NULL,
    body TEXT NOT NULL,
    attributes TEXT,
    group_id TEXT,
    trace_header TEXT
);
PRAGMA user_version = 1;
";

/// A row of `queue`.
pub(super) struct QueueRow {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) visibility_ms: i64,
    pub(super) retention_ms: i64,
    pub(super) created_at: i64,
    /// Receives before a message is a dead letter, and the queue it then goes to.
    pub(super) dead_letter: Option<(u32, i64)>,
}

/// A message a receiver may get.
pub(super) struct StoredMessage {
    pub(super) seq: i64,
    pub(super) sent_at: i64,
    pub(super) receive_count: u32,
    pub(super) first_received_at: Option<i64>,
    pub(super) message_id: String,
    pub(super) md5_of_body: String,
    pub(super) body: String,
    pub(super) attributes: BTreeMap<String, MessageAttribute>,
    pub(super) group_id: Option<String>,
    pub(super) trace_header: Option<String>,
}

/// The one connection to the tables.
pub(super) struct Store {
    conn: Connection,
}

impl Store {
    /// Opens the file, or tables in memory when there is none, and makes the tables when new.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, SqsError> {
        let conn = match path {
            Some(path) => {
                let conn = Connection::open(path)?;
                // Time for the previous process to end.
                conn.busy_timeout(Duration::from_millis(500))?;
                // Exclusive: two processes on one data directory would each hide messages from the
                // other, so the second one is refused; it also spares the shared-memory file.
                conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
                conn.pragma_update(None, "journal_mode", "WAL")?;
                // FULL syncs the log at every commit: what was answered survives power loss too.
                conn.pragma_update(None, "synchronous", "FULL")?;
                conn.pragma_update(None, "wal_autocheckpoint", 4_000)?;
                conn.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
                conn.pragma_update(None, "cache_size", -32 * 1024)?;
                conn
            }
            None => Connection::open_in_memory()?,
        };
        conn.set_prepared_statement_cache_capacity(64);
        let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match version {
            0 => conn.execute_batch(&format!("BEGIN EXCLUSIVE; {SCHEMA} COMMIT;"))?,
            SCHEMA_VERSION => {}
            found => {
                return Err(SqsError::SchemaTooNew { found, known: SCHEMA_VERSION });
            }
        }
        Ok(Self { conn })
    }

    fn execute(&self, sql: &str, parameters: impl rusqlite::Params) -> rusqlite::Result<usize> {
        self.conn.prepare_cached(sql)?.execute(parameters)
    }

    pub(super) fn begin(&self) -> rusqlite::Result<()> {
        self.execute("BEGIN", []).map(drop)
    }

    pub(super) fn commit(&self) -> rusqlite::Result<()> {
        self.execute("COMMIT", []).map(drop)
    }

    pub(super) fn rollback(&self) -> rusqlite::Result<()> {
        // SQLite has already rolled back after some errors, such as a full disk.
        if self.conn.is_autocommit() {
            return Ok(());
        }
        self.execute("ROLLBACK", []).map(drop)
    }

    pub(super) fn queues(&self) -> rusqlite::Result<Vec<QueueRow>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, name, visibility_ms, retention_ms, created_at, max_receive_count, dead_letter \
             FROM queue ORDER BY id",
        )?;
        let rows = statement.query_map([], |row| {
            let limit: Option<u32> = row.get(5)?;
            let queue: Option<i64> = row.get(6)?;
            Ok(QueueRow {
                id: row.get(0)?,
                name: row.get(1)?,
                visibility_ms: row.get(2)?,
                retention_ms: row.get(3)?,
                created_at: row.get(4)?,
                dead_letter: limit.zip(queue),
            })
        })?;
        rows.collect()
    }

    /// Makes the queue or gives it these settings; answers its id.
    pub(super) fn put_queue(
        &self,
        name: &str,
        visibility_ms: i64,
        retention_ms: i64,
        dead_letter: Option<(u32, i64)>,
        now: i64,
    ) -> rusqlite::Result<i64> {
        let (limit, queue) = dead_letter.unzip();
        self.conn
            .prepare_cached(
                "INSERT INTO queue \
                 (name, visibility_ms, retention_ms, max_receive_count, dead_letter, created_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                 ON CONFLICT (name) DO UPDATE SET visibility_ms = ?2, retention_ms = ?3, \
                 max_receive_count = ?4, dead_letter = ?5 RETURNING id",
            )?
            .query_row(params![name, visibility_ms, retention_ms, limit, queue, now], |row| row.get(0))
    }

    pub(super) fn insert(
        &self,
        queue: i64,
        accepted: &AcceptedMessage,
        available_at: i64,
        now: i64,
    ) -> rusqlite::Result<()> {
        let message = accepted.message();
        let attributes = if message.attributes.is_empty() {
            None
        } else {
            let json = serde_json::to_string(&message.attributes)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
            Some(json)
        };
        self.execute(
            "INSERT INTO message (queue, available_at, sent_at) VALUES (?1, ?2, ?3)",
            params![queue, available_at, now],
        )?;
        let seq = self.conn.last_insert_rowid();
        self.execute(
            "INSERT INTO content \
             (seq, message_id, md5_of_body, body, attributes, group_id, trace_header) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                seq,
                accepted.message_id(),
                accepted.md5_of_body(),
                message.body,
                attributes,
                message.group_id,
                message.trace_header
            ],
        )?;
        Ok(())
    }

    /// Messages available at `now`, those available longest first.
    pub(super) fn available(&self, queue: i64, now: i64, limit: usize) -> rusqlite::Result<Vec<StoredMessage>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT m.seq, m.sent_at, m.receive_count, m.first_received_at, c.message_id, \
             c.md5_of_body, c.body, c.attributes, c.group_id, c.trace_header \
             FROM message m JOIN content c ON c.seq = m.seq \
             WHERE m.queue = ?1 AND m.available_at <= ?2 \
             ORDER BY m.available_at, m.seq LIMIT ?3",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![queue, now, limit], |row| {
            Ok(StoredMessage {
                seq: row.get(0)?,
                sent_at: row.get(1)?,
                receive_count: row.get(2)?,
                first_received_at: row.get(3)?,
                message_id: row.get(4)?,
                md5_of_body: row.get(5)?,
                body: row.get(6)?,
                attributes: attributes(row, 7)?,
                group_id: row.get(8)?,
                trace_header: row.get(9)?,
            })
        })?;
        rows.collect()
    }

    /// When the next hidden message of the queue becomes available.
    pub(super) fn next_due(&self, queue: i64, now: i64) -> rusqlite::Result<Option<i64>> {
        self.conn
            .prepare_cached("SELECT min(available_at) FROM message WHERE queue = ?1 AND available_at > ?2")?
            .query_row(params![queue, now], |row| row.get(0))
    }

    pub(super) fn mark_received(&self, receipt: Receipt, hidden_until: i64, now: i64) -> rusqlite::Result<()> {
        self.execute(
            "UPDATE message SET available_at = ?2, receipt = ?3, receive_count = receive_count + 1, \
             first_received_at = coalesce(first_received_at, ?4) WHERE seq = ?1",
            params![receipt.seq, hidden_until, receipt.nonce, now],
        )
        .map(drop)
    }

    /// Takes back a receive nobody got: the message is as it was before.
    pub(super) fn undo_receive(&self, receipt: Receipt, now: i64) -> rusqlite::Result<()> {
        self.execute(
            "UPDATE message SET available_at = ?3, receipt = NULL, receive_count = receive_count - 1, \
             first_received_at = CASE WHEN receive_count > 1 THEN first_received_at END \
             WHERE seq = ?1 AND receipt = ?2",
            params![receipt.seq, receipt.nonce, now],
        )
        .map(drop)
    }

    /// Makes every message in flight visible; answers how many.
    pub(super) fn release_in_flight(&self, now: i64) -> rusqlite::Result<usize> {
        self.execute("UPDATE message SET available_at = ?1 WHERE receipt IS NOT NULL AND available_at > ?1", [now])
    }

    /// Removes the message when the receipt is that of its latest receive.
    pub(super) fn remove(&self, receipt: Receipt) -> rusqlite::Result<bool> {
        let removed = self.execute(
            "DELETE FROM message WHERE seq = ?1 AND receipt = ?2 AND queue = ?3",
            params![receipt.seq, receipt.nonce, receipt.queue],
        )?;
        if removed == 1 {
            self.execute("DELETE FROM content WHERE seq = ?1", [receipt.seq])?;
        }
        Ok(removed == 1)
    }

    /// Removes a message whatever its state.
    pub(super) fn discard(&self, seq: i64) -> rusqlite::Result<()> {
        self.execute("DELETE FROM message WHERE seq = ?1", [seq])?;
        self.execute("DELETE FROM content WHERE seq = ?1", [seq]).map(drop)
    }

    /// Until when the message is hidden, when the receipt is that of its latest receive.
    pub(super) fn hidden_until(&self, receipt: Receipt) -> rusqlite::Result<Option<i64>> {
        self.conn
            .prepare_cached("SELECT available_at FROM message WHERE seq = ?1 AND receipt = ?2 AND queue = ?3")?
            .query_row(params![receipt.seq, receipt.nonce, receipt.queue], |row| row.get(0))
            .optional()
    }

    pub(super) fn hide_until(&self, seq: i64, until: i64) -> rusqlite::Result<()> {
        self.execute("UPDATE message SET available_at = ?2 WHERE seq = ?1", [seq, until]).map(drop)
    }

    /// Moves an exhausted message to its dead-letter queue; it keeps its age and its receives.
    pub(super) fn bury(&self, seq: i64, dead_letter: i64, now: i64) -> rusqlite::Result<()> {
        self.execute(
            "UPDATE message SET queue = ?2, available_at = ?3, receipt = NULL WHERE seq = ?1",
            [seq, dead_letter, now],
        )
        .map(drop)
    }

    /// Messages visible now and not past their retention.
    pub(super) fn visible(&self, queue: i64, now: i64, cutoff: i64) -> rusqlite::Result<Vec<i64>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT seq FROM message WHERE queue = ?1 AND available_at <= ?2 AND sent_at > ?3 \
             ORDER BY available_at, seq",
        )?;
        let rows = statement.query_map([queue, now, cutoff], |row| row.get(0))?;
        rows.collect()
    }

    /// Puts a dead letter into a queue as a new message, as a redrive does.
    pub(super) fn resend(&self, seq: i64, queue: i64, message_id: &str, now: i64) -> rusqlite::Result<()> {
        self.execute(
            "UPDATE message SET queue = ?2, available_at = ?3, sent_at = ?3, receive_count = 0, \
             receipt = NULL, first_received_at = NULL WHERE seq = ?1",
            [seq, queue, now],
        )?;
        self.execute("UPDATE content SET message_id = ?2 WHERE seq = ?1", params![seq, message_id]).map(drop)
    }

    /// Removes the queue's messages sent at or before `cutoff`.
    pub(super) fn sweep(&self, queue: i64, cutoff: i64) -> rusqlite::Result<()> {
        self.execute(
            "DELETE FROM content WHERE seq IN \
             (SELECT seq FROM message WHERE queue = ?1 AND sent_at <= ?2)",
            [queue, cutoff],
        )?;
        self.execute("DELETE FROM message WHERE queue = ?1 AND sent_at <= ?2", [queue, cutoff]).map(drop)
    }

    pub(super) fn holds_any(&self, queue: i64, cutoff: i64) -> rusqlite::Result<bool> {
        self.conn
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM message WHERE queue = ?1 AND sent_at > ?2)")?
            .query_row([queue, cutoff], |row| row.get(0))
    }

    pub(super) fn depth(&self, queue: i64, now: i64, cutoff: i64) -> rusqlite::Result<Depth> {
        self.conn
            .prepare_cached(
                "SELECT count(*) FILTER (WHERE available_at <= ?2), \
                 count(*) FILTER (WHERE available_at > ?2 AND receipt IS NOT NULL), \
                 count(*) FILTER (WHERE available_at > ?2 AND receipt IS NULL), \
                 min(sent_at) FROM message WHERE queue = ?1 AND sent_at > ?3",
            )?
            .query_row([queue, now, cutoff], |row| {
                let count = |index| row.get::<_, i64>(index).map(i64::unsigned_abs);
                let oldest: Option<i64> = row.get(3)?;
                Ok(Depth {
                    visible: count(0)?,
                    in_flight: count(1)?,
                    delayed: count(2)?,
                    oldest_age: oldest
                        .map(|sent| Duration::from_millis(now.saturating_sub(sent).max(0).unsigned_abs())),
                })
            })
    }

    pub(super) fn peek(&self, queue: i64, limit: u32, now: i64, cutoff: i64) -> rusqlite::Result<Vec<PeekedMessage>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT c.message_id, m.sent_at, m.available_at, m.receive_count, m.receipt IS NOT NULL, \
             c.attributes, c.group_id, octet_length(c.body) \
             FROM message m JOIN content c ON c.seq = m.seq \
             WHERE m.queue = ?1 AND m.sent_at > ?2 ORDER BY m.sent_at, m.seq LIMIT ?3",
        )?;
        let rows = statement.query_map(params![queue, cutoff, limit], |row| {
            let available_at: i64 = row.get(2)?;
            let state = match (available_at <= now, row.get(4)?) {
                (true, _) => MessageState::Visible,
                (false, true) => MessageState::InFlight,
                (false, false) => MessageState::Delayed,
            };
            Ok(PeekedMessage {
                message_id: row.get(0)?,
                state,
                sent_at: instant(row.get(1)?),
                available_at: instant(available_at),
                receive_count: row.get(3)?,
                message_attributes: texts(attributes(row, 5)?),
                group_id: row.get(6)?,
                body_bytes: row.get::<_, i64>(7)?.unsigned_abs(),
            })
        })?;
        rows.collect()
    }
}

fn attributes(row: &Row<'_>, index: usize) -> rusqlite::Result<BTreeMap<String, MessageAttribute>> {
    let Some(json) = row.get_ref(index)?.as_str_or_null()? else {
        return Ok(BTreeMap::new());
    };
    serde_json::from_str(json)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(error)))
}

/// The instant of stored milliseconds; they were written from one, so they are in range.
pub(super) fn instant(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}
