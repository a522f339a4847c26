//! The rules of the queues: what becomes visible when, who gets it, and when it is a dead letter.
//!
//! Invariant: for a queue that is not `ready`, `next_due` is no later than the moment its next
//! message becomes available. So a receiver that waits for `ready` or `next_due` misses nothing,
//! and nobody has to poll. The engine runs inside the writer's transaction and never commits alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::error::SqsError;
use super::fresh;
use super::message::{AcceptedMessage, Delivered, PeekedMessage, Receipt};
use super::queue::{
    DEAD_LETTER_RETENTION, DEAD_LETTER_SUFFIX, Depth, MESSAGE_RETENTION, QueueDescription, QueueSettings, millis,
};
use super::store::{Store, StoredMessage, instant};

/// Where the engine reads the time.
pub(super) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Expired messages are invisible at once; this is how often their rows are removed.
const SWEEP_EVERY_MS: i64 = 3_600_000;

#[derive(Clone, Copy)]
enum Role {
    /// Feeds a function; exhausted messages go to the queue at this place.
    Source { max_receive_count: u32, dead_letter: usize },
    /// Holds the dead letters of the queue at this place.
    DeadLetter { source: usize },
}

struct Queue {
    id: i64,
    name: String,
    visibility_ms: i64,
    retention_ms: i64,
    created_at: i64,
    role: Role,
    /// A message may be available now.
    ready: bool,
    /// No hidden message becomes available before this.
    next_due: Option<i64>,
}

impl Queue {
    /// Notes that a message becomes available at `at`.
    fn expect(&mut self, at: i64, now: i64) {
        if at <= now {
            self.ready = true;
        } else {
            self.next_due = Some(self.next_due.map_or(at, |due| due.min(at)));
        }
    }

    /// Messages sent at or before this are past their retention.
    fn cutoff(&self, now: i64) -> i64 {
        now.saturating_sub(self.retention_ms)
    }
}

/// The state of all queues.
pub(super) struct Engine {
    store: Store,
    clock: Clock,
    now: i64,
    queues: Vec<Queue>,
    places: HashMap<String, usize>,
    failure: Option<SqsError>,
    swept_at: Option<i64>,
    #[cfg(test)]
    pub(super) commits: u64,
}

impl Engine {
    pub(super) fn new(store: Store, clock: Clock) -> Result<Self, SqsError> {
        let mut engine = Self {
            now: clock().as_millisecond(),
            store,
            clock,
            queues: Vec::new(),
            places: HashMap::new(),
            failure: None,
            swept_at: None,
            #[cfg(test)]
            commits: 0,
        };
        engine.load()?;
        Ok(engine)
    }

    /// Reads the queues from the store and expects messages in all of them.
    fn load(&mut self) -> Result<(), SqsError> {
        let rows = self.store.queues()?;
        let places: HashMap<i64, usize> = rows.iter().enumerate().map(|(place, row)| (row.id, place)).collect();
        let sources: HashMap<i64, usize> = rows
            .iter()
            .enumerate()
            .filter_map(|(place, row)| row.dead_letter.map(|(_, queue)| (queue, place)))
            .collect();
        self.queues = rows
            .into_iter()
            .filter_map(|row| {
                let role = match row.dead_letter {
                    Some((max_receive_count, queue)) => {
                        Role::Source { max_receive_count, dead_letter: places.get(&queue).copied()? }
                    }
                    None => Role::DeadLetter { source: sources.get(&row.id).copied()? },
                };
                Some(Queue {
                    id: row.id,
                    name: row.name,
                    visibility_ms: row.visibility_ms,
                    retention_ms: row.retention_ms,
                    created_at: row.created_at,
                    role,
                    ready: true,
                    next_due: None,
                })
            })
            .collect();
        self.places = self.queues.iter().enumerate().map(|(place, queue)| (queue.name.clone(), place)).collect();
        Ok(())
    }

    // The writer's part: one transaction around everything that happens in one turn.

    /// Reads the clock and opens a transaction.
    pub(super) fn begin(&mut self) {
        self.now = (self.clock)().as_millisecond();
        if let Err(error) = self.store.begin() {
            self.fail(error.into());
        } else if let Err(error) = self.sweep() {
            self.fail(error);
        }
    }

    /// Runs one operation, unless an earlier one of this transaction met a storage failure.
    pub(super) fn attempt<T>(
        &mut self,
        operation: impl FnOnce(&mut Self) -> Result<T, SqsError>,
    ) -> Result<T, SqsError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let result = operation(self);
        if let Err(error @ SqsError::Storage(_)) = &result {
            self.fail(error.clone());
        }
        result
    }

    fn fail(&mut self, error: SqsError) {
        self.failure.get_or_insert(error);
    }

    /// Commits; after a storage failure takes everything back instead, so that no caller is told
    /// of success for what is not on disk.
    pub(super) fn commit(&mut self) -> Result<(), SqsError> {
        let committed = match self.failure.take() {
            None => self.store.commit().map_err(SqsError::from),
            Some(failure) => Err(failure),
        };
        if let Err(error) = committed {
            tracing::error!(%error, "the queue storage failed; the transaction is taken back");
            if let Err(error) = self.store.rollback() {
                tracing::error!(%error, "the queue storage could not take the transaction back");
            }
            // What memory knows may include what was just taken back.
            if let Err(error) = self.load() {
                tracing::error!(%error, "the queues could not be read again");
            }
            return Err(error);
        }
        #[cfg(test)]
        {
            self.commits += 1;
        }
        Ok(())
    }

    fn sweep(&mut self) -> Result<(), SqsError> {
        if self.swept_at.is_some_and(|at| self.now.saturating_sub(at) < SWEEP_EVERY_MS) {
            return Ok(());
        }
        for queue in &self.queues {
            self.store.sweep(queue.id, queue.cutoff(self.now))?;
        }
        self.swept_at = Some(self.now);
        Ok(())
    }

    // What a waiting receiver needs to know.

    pub(super) fn place(&self, queue: &str) -> Result<usize, SqsError> {
        self.places.get(queue).copied().ok_or_else(|| SqsError::QueueDoesNotExist(queue.to_owned()))
    }

    /// Whether a receive may find something.
    pub(super) fn is_ready(&mut self, place: usize) -> bool {
        let now = self.now;
        self.queues.get_mut(place).is_some_and(|queue| {
            if queue.next_due.is_some_and(|due| due <= now) {
                queue.ready = true;
                queue.next_due = None;
            }
            queue.ready
        })
    }

    /// How long until a hidden message of the queue may become available.
    pub(super) fn until_due(&self, place: usize) -> Option<Duration> {
        let queue = self.queues.get(place)?;
        if queue.ready {
            return Some(Duration::ZERO);
        }
        let now = (self.clock)().as_millisecond();
        queue.next_due.map(|due| Duration::from_millis(due.saturating_sub(now).max(0).unsigned_abs()))
    }

    /// The time of this transaction, in milliseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.now
    }

    // Operations.

    pub(super) fn create_queue(&mut self, settings: &QueueSettings) -> Result<(), SqsError> {
        let dead_letter = self.store.put_queue(
            &format!("{}{DEAD_LETTER_SUFFIX}", settings.name),
            millis(settings.visibility_timeout),
            millis(DEAD_LETTER_RETENTION),
            None,
            self.now,
        )?;
        self.store.put_queue(
            &settings.name,
            millis(settings.visibility_timeout),
            millis(MESSAGE_RETENTION),
            Some((settings.max_receive_count, dead_letter)),
            self.now,
        )?;
        self.load()
    }

    pub(super) fn send(&mut self, place: usize, message: &AcceptedMessage) -> Result<(), SqsError> {
        let now = self.now;
        let queue = queue_at(&mut self.queues, place)?;
        let available_at = now.saturating_add(millis(message.message().delay));
        self.store.insert(queue.id, message, available_at, now)?;
        queue.expect(available_at, now);
        Ok(())
    }

    /// Receives up to `max` messages, and buries those received too often.
    pub(super) fn receive(
        &mut self,
        place: usize,
        max: usize,
        visibility_ms: Option<i64>,
    ) -> Result<Vec<Delivered>, SqsError> {
        let now = self.now;
        let queue = queue_at(&mut self.queues, place)?;
        let (id, role, cutoff) = (queue.id, queue.role, queue.cutoff(now));
        let hidden_until = now.saturating_add(visibility_ms.unwrap_or(queue.visibility_ms));
        let mut delivered = Vec::new();
        let mut exhausted = false;
        while delivered.len() < max && !exhausted {
            let limit = max - delivered.len();
            let found = self.store.available(id, now, limit)?;
            exhausted = found.len() < limit;
            for message in found {
                if message.sent_at <= cutoff {
                    self.store.discard(message.seq)?;
                    continue;
                }
                if let Role::Source { max_receive_count, dead_letter } = role
                    && message.receive_count >= max_receive_count
                {
                    let grave = queue_at(&mut self.queues, dead_letter)?;
                    self.store.bury(message.seq, grave.id, now)?;
                    grave.ready = true;
                    tracing::warn!(
                        message_id = message.message_id,
                        dead_letter_queue = grave.name,
                        "message was received too often"
                    );
                    continue;
                }
                let receipt = Receipt::issue(id, message.seq);
                self.store.mark_received(receipt, hidden_until, now)?;
                delivered.push(self.delivered(message, receipt, role));
            }
            // With a visibility timeout of zero a second look would find the same messages again.
            if hidden_until <= now && !delivered.is_empty() {
                break;
            }
        }
        let due = if exhausted { self.store.next_due(id, now)? } else { None };
        let queue = queue_at(&mut self.queues, place)?;
        if exhausted {
            queue.ready = hidden_until <= now && !delivered.is_empty();
            queue.next_due = due;
        } else {
            queue.expect(hidden_until, now);
        }
        Ok(delivered)
    }

    fn delivered(&self, message: StoredMessage, receipt: Receipt, role: Role) -> Delivered {
        let source = match role {
            Role::Source { .. } => None,
            Role::DeadLetter { source } => self.queues.get(source),
        };
        Delivered {
            receipt,
            message_id: message.message_id,
            body: message.body,
            md5_of_body: message.md5_of_body,
            receive_count: message.receive_count.saturating_add(1),
            sent_at: instant(message.sent_at),
            first_received_at: instant(message.first_received_at.unwrap_or(self.now)),
            attributes: message.attributes,
            group_id: message.group_id,
            trace_header: message.trace_header,
            dead_letter_source: source.map(|queue| queue.name.clone()),
        }
    }

    /// Takes back receives whose receiver had left.
    pub(super) fn undo_receive(&mut self, receipts: Vec<Receipt>) -> Result<(), SqsError> {
        for receipt in receipts {
            self.store.undo_receive(receipt, self.now)?;
            if let Some(queue) = self.queues.iter_mut().find(|queue| queue.id == receipt.queue) {
                queue.ready = true;
            }
        }
        Ok(())
    }

    pub(super) fn release_in_flight(&mut self) -> Result<u64, SqsError> {
        let released = self.store.release_in_flight(self.now)?;
        for queue in &mut self.queues {
            queue.ready = true;
        }
        Ok(released as u64)
    }

    /// Deletes the message. As in SQS the handle of an earlier receive is accepted and does nothing.
    pub(super) fn delete(&mut self, place: usize, handle: &str) -> Result<(), SqsError> {
        let receipt = self.receipt(place, handle)?;
        self.store.remove(receipt)?;
        Ok(())
    }

    /// Refuses a handle this queue cannot have issued.
    pub(super) fn receipt(&mut self, place: usize, handle: &str) -> Result<Receipt, SqsError> {
        let queue = queue_at(&mut self.queues, place)?;
        Receipt::parse(handle)
            .filter(|receipt| receipt.queue == queue.id)
            .ok_or_else(|| SqsError::ReceiptHandleIsInvalid(queue.name.clone()))
    }

    pub(super) fn change_visibility(&mut self, place: usize, handle: &str, timeout_ms: i64) -> Result<(), SqsError> {
        let receipt = self.receipt(place, handle)?;
        let Some(hidden_until) = self.store.hidden_until(receipt)? else {
            return Err(SqsError::invalid(
                "ReceiptHandle",
                "Message does not exist or is not available for visibility timeout change",
            ));
        };
        if hidden_until <= self.now {
            return Err(SqsError::MessageNotInflight);
        }
        let until = self.now.saturating_add(timeout_ms);
        self.store.hide_until(receipt.seq, until)?;
        queue_at(&mut self.queues, place)?.expect(until, self.now);
        Ok(())
    }

    pub(super) fn depth(&mut self, place: usize) -> Result<Depth, SqsError> {
        let queue = queue_at(&mut self.queues, place)?;
        Ok(self.store.depth(queue.id, self.now, queue.cutoff(self.now))?)
    }

    pub(super) fn peek(&mut self, place: usize, max: u32) -> Result<Vec<PeekedMessage>, SqsError> {
        let queue = queue_at(&mut self.queues, place)?;
        Ok(self.store.peek(queue.id, max, self.now, queue.cutoff(self.now))?)
    }

    /// Moves the visible dead letters to `destination`, or back to their source.
    pub(super) fn redrive(&mut self, place: usize, destination: Option<usize>) -> Result<u64, SqsError> {
        let now = self.now;
        let queue = queue_at(&mut self.queues, place)?;
        let Role::DeadLetter { source } = queue.role else {
            return Err(SqsError::invalid("SourceArn", "Source queue must be configured as a Dead Letter Queue"));
        };
        let letters = self.store.visible(queue.id, now, queue.cutoff(now))?;
        let target = queue_at(&mut self.queues, destination.unwrap_or(source))?;
        for seq in &letters {
            self.store.resend(*seq, target.id, &fresh::id().to_string(), now)?;
        }
        target.ready |= !letters.is_empty();
        Ok(letters.len() as u64)
    }

    /// Whether every queue that feeds a function is empty.
    pub(super) fn is_idle(&self) -> Result<bool, SqsError> {
        for queue in &self.queues {
            if matches!(queue.role, Role::Source { .. }) && self.store.holds_any(queue.id, queue.cutoff(self.now))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn queue_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.queues.iter().map(|queue| queue.name.clone()).collect();
        names.sort_unstable();
        names
    }

    pub(super) fn describe(&mut self, place: usize) -> Result<QueueDescription, SqsError> {
        let depth = self.depth(place)?;
        let queue = queue_at(&mut self.queues, place)?;
        let (name, role) = (queue.name.clone(), queue.role);
        let (visibility_timeout_ms, retention_ms) = (queue.visibility_ms, queue.retention_ms);
        let created_at_ms = queue.created_at;
        let redrive = match role {
            Role::Source { max_receive_count, dead_letter } => {
                let grave = queue_at(&mut self.queues, dead_letter)?;
                Some((grave.name.clone(), max_receive_count))
            }
            Role::DeadLetter { .. } => None,
        };
        Ok(QueueDescription { name, visibility_timeout_ms, retention_ms, created_at_ms, redrive, depth })
    }
}

/// The queue at a place handed out by [`Engine::place`]; queues are never removed.
fn queue_at(queues: &mut [Queue], place: usize) -> Result<&mut Queue, SqsError> {
    queues.get_mut(place).ok_or(SqsError::Closed)
}
