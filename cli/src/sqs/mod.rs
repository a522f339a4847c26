//! An SQS inside the process, for the local network.
//!
//! The functions talk to SQS through the AWS SDK. Locally the same SDK client is given
//! [`Sqs::connector`] as its HTTP client, so every byte the deployed functions would send to AWS is
//! answered here, without sockets. The queues behave as SQS standard queues do: at least once, a
//! visibility timeout, delays, receive counts, a dead-letter queue, retention.
//!
//! Invariant: what was answered with success is committed. With a data file that means synced to
//! disk, so `kill -9` loses nothing that was accepted.
//!
//! - `queue`, `message`: the settings and the messages; what SQS allows of them
//! - `engine`: the rules; `store`: the tables; `writer`: the thread and the group commit; `fresh`: ids
//! - `wire`: the AWS JSON 1.0 protocol; `connector`: the SDK's HTTP client

mod connector;
mod digest;
mod engine;
mod error;
mod fresh;
mod message;
mod queue;
mod store;
mod wire;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::oneshot;

pub use connector::SqsHttpClient;
pub use error::SqsError;
pub use message::{
    AttributeValue, MAX_DELAY, MessageAttribute, MessageState, OutgoingMessage, PeekedMessage, ReceivedMessage,
    SentMessage,
};
pub use queue::{
    DEAD_LETTER_RETENTION, DEAD_LETTER_SUFFIX, Depth, MAX_VISIBILITY_TIMEOUT, MESSAGE_RETENTION, QUEUE_ARN_PREFIX,
    QUEUE_NAME_PREFIX, QUEUE_URL_PREFIX, QueueSettings,
};
pub(crate) use wire::Answer;

use engine::Engine;
use message::{AcceptedMessage, Delivered};
use queue::{check_visibility, millis};
use store::Store;
use wire::MoveTask;
use writer::{Command, Poll, Writer};

/// The size cap of a message and of a batch unless changed: 1 MiB.
pub const MAXIMUM_MESSAGE_SIZE: usize = 1_024 * 1_024;

/// The longest wait of a receive; longer ones are cut to it, so that no wait overflows the clock.
const MAX_WAIT: Duration = Duration::from_secs(86_400);

/// A handle on the queues; cheap to clone. The queues close, and the data file is free again, when
/// the last handle and the last [`SqsHttpClient`] are gone.
#[derive(Clone)]
pub struct Sqs {
    inner: Arc<Inner>,
}

struct Inner {
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<JoinHandle<()>>,
    faults: Mutex<HashMap<String, u32>>,
    moves: Mutex<Vec<MoveTask>>,
    maximum_message_size: AtomicUsize,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Without a sender the thread ends; waiting for it frees the data file for the next open.
        drop(self.commands.take());
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            thread.join().ok();
        }
    }
}

impl fmt::Debug for Sqs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqs").finish_non_exhaustive()
    }
}

impl Sqs {
    /// Opens the queues kept in the file at `path` (made when absent; its folder must exist), or
    /// new ones in memory. `clock` tells the time for delays, visibility and retention.
    ///
    /// # Errors
    /// [`SqsError::Storage`] when the file cannot be opened or another process has it,
    /// [`SqsError::SchemaTooNew`] when a newer version wrote it, [`SqsError::Closed`] when the
    /// writer thread cannot start.
    pub fn open(path: Option<&Path>, clock: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Result<Self, SqsError> {
        let engine = Engine::new(Store::open(path)?, clock)?;
        let (commands, waiting) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("sqs-writer".to_owned())
            .spawn(move || Writer::new(engine).run(&waiting))
            .map_err(|error| {
                tracing::error!(%error, "the writer thread of the local SQS could not start");
                SqsError::Closed
            })?;
        Ok(Self {
            inner: Arc::new(Inner {
                commands: Some(commands),
                thread: Some(thread),
                faults: Mutex::new(HashMap::new()),
                moves: Mutex::new(Vec::new()),
                maximum_message_size: AtomicUsize::new(MAXIMUM_MESSAGE_SIZE),
            }),
        })
    }

    /// Makes the queue and its dead-letter queue `<name>-dlq`. A queue that exists takes the new
    /// settings and keeps its messages.
    ///
    /// # Errors
    /// [`SqsError::InvalidParameterValue`] when a setting is outside SQS's limits.
    pub async fn create_queue(&self, settings: QueueSettings) -> Result<(), SqsError> {
        settings.check()?;
        self.run(move |engine| engine.create_queue(&settings)).await
    }

    /// What precedes a queue's name in its URL.
    #[must_use]
    pub fn queue_url_prefix(&self) -> &'static str {
        QUEUE_URL_PREFIX
    }

    /// An HTTP client for `aws_sdk_sqs::config::Builder::http_client` that answers from these
    /// queues.
    #[must_use]
    pub fn connector(&self) -> SqsHttpClient {
        SqsHttpClient::new(self.clone())
    }

    /// Answers one HTTP request of an SDK client: the operation that `x-amz-target` names after
    /// `AmazonSQS.`, and its JSON body.
    pub(crate) async fn answer(&self, operation: &str, body: &[u8]) -> Answer {
        wire::answer(self, operation, body).await
    }

    /// Sends a message; answers when it is committed.
    ///
    /// # Errors
    /// The error SQS would give for the message or the queue name.
    pub async fn send(&self, queue: &str, message: OutgoingMessage) -> Result<SentMessage, SqsError> {
        self.take_fault("SendMessage")?;
        let queue = queue.to_owned();
        let message = self.accept(message)?;
        self.run(move |engine| {
            let place = engine.place(&queue)?;
            engine.send(place, &message)?;
            Ok(message.receipt_for_sender())
        })
        .await
    }

    /// Receives up to `max` messages, those available longest first, and hides them for the queue's
    /// visibility timeout. With none available waits up to `wait` (real time, at most a day) for a send, a delay or a
    /// visibility timeout to bring one; no messages is not an error.
    ///
    /// # Errors
    /// [`SqsError::QueueDoesNotExist`]; [`SqsError::InvalidParameterValue`] when `max` is zero.
    pub async fn receive(&self, queue: &str, max: u32, wait: Duration) -> Result<Vec<ReceivedMessage>, SqsError> {
        self.take_fault("ReceiveMessage")?;
        let delivered = self.poll(queue, max, wait, None).await?;
        Ok(delivered.into_iter().map(ReceivedMessage::from).collect())
    }

    /// Deletes received messages. The handle of a receive that was followed by another one is
    /// accepted and deletes nothing.
    ///
    /// # Errors
    /// [`SqsError::ReceiptHandleIsInvalid`] when a handle was not issued by this queue; then nothing
    /// is deleted.
    pub async fn delete(&self, queue: &str, receipt_handles: Vec<String>) -> Result<(), SqsError> {
        self.take_fault("DeleteMessage")?;
        let queue = queue.to_owned();
        self.run(move |engine| {
            let place = engine.place(&queue)?;
            for handle in &receipt_handles {
                engine.receipt(place, handle)?;
            }
            for handle in &receipt_handles {
                engine.delete(place, handle)?;
            }
            Ok(())
        })
        .await
    }

    /// Hides a message in flight for `timeout` from now; zero makes it visible.
    ///
    /// # Errors
    /// [`SqsError::MessageNotInflight`] when it is visible again already;
    /// [`SqsError::InvalidParameterValue`] when it was received again, deleted, or `timeout` exceeds
    /// 12 hours; [`SqsError::ReceiptHandleIsInvalid`].
    pub async fn change_visibility(
        &self,
        queue: &str,
        receipt_handle: &str,
        timeout: Duration,
    ) -> Result<(), SqsError> {
        self.take_fault("ChangeMessageVisibility")?;
        check_visibility(timeout)?;
        let (queue, handle) = (queue.to_owned(), receipt_handle.to_owned());
        self.run(move |engine| {
            let place = engine.place(&queue)?;
            engine.change_visibility(place, &handle, millis(timeout))
        })
        .await
    }

    /// How many messages the queue holds.
    ///
    /// # Errors
    /// [`SqsError::QueueDoesNotExist`].
    pub async fn depth(&self, queue: &str) -> Result<Depth, SqsError> {
        let queue = queue.to_owned();
        self.run(move |engine| {
            let place = engine.place(&queue)?;
            engine.depth(place)
        })
        .await
    }

    /// The names of all queues, dead-letter queues included, sorted.
    ///
    /// # Errors
    /// [`SqsError::Closed`].
    pub async fn queue_names(&self) -> Result<Vec<String>, SqsError> {
        self.run(|engine| Ok(engine.queue_names())).await
    }

    /// Moves the visible messages of a dead-letter queue back to its source, as new messages;
    /// answers how many.
    ///
    /// # Errors
    /// [`SqsError::QueueDoesNotExist`]; [`SqsError::InvalidParameterValue`] when the queue is not a
    /// dead-letter queue.
    pub async fn redrive(&self, dlq: &str) -> Result<u64, SqsError> {
        let dlq = dlq.to_owned();
        self.run(move |engine| {
            let place = engine.place(&dlq)?;
            engine.redrive(place, None)
        })
        .await
    }

    /// Looks at up to `max` messages, oldest first, without receiving them and without their
    /// bodies.
    ///
    /// # Errors
    /// [`SqsError::QueueDoesNotExist`].
    pub async fn peek(&self, queue: &str, max: u32) -> Result<Vec<PeekedMessage>, SqsError> {
        let queue = queue.to_owned();
        self.run(move |engine| {
            let place = engine.place(&queue)?;
            engine.peek(place, max)
        })
        .await
    }

    /// Makes every message in flight visible and answers how many there were. For the start of a
    /// network whose receivers all ended with the last process: their messages need not wait for
    /// the visibility timeout. Receive counts stay.
    ///
    /// # Errors
    /// [`SqsError::Storage`].
    pub async fn release_in_flight(&self) -> Result<u64, SqsError> {
        self.run(Engine::release_in_flight).await
    }

    /// Whether no queue but the dead-letter queues holds a message, be it visible, delayed or in
    /// flight.
    ///
    /// # Errors
    /// [`SqsError::Storage`].
    pub async fn is_idle(&self) -> Result<bool, SqsError> {
        self.run(|engine| engine.is_idle()).await
    }

    /// Waits until [`Sqs::is_idle`] holds. It is told by the delete that makes it so.
    ///
    /// # Errors
    /// [`SqsError::Storage`], [`SqsError::Closed`].
    pub async fn wait_until_idle(&self) -> Result<(), SqsError> {
        let (reply, news) = oneshot::channel();
        self.command(Command::Idle(reply))?;
        news.await.map_err(|_| SqsError::Closed)?
    }

    /// Makes waiting receivers look at the clock again; call it after the clock was moved.
    pub fn wake(&self) {
        self.command(Command::Wake).ok();
    }

    /// Makes the next `times` calls of an SQS operation (`SendMessage`, `ReceiveMessage`, …) fail
    /// with HTTP 500 `InternalFailure` before anything is done, over the SDK and natively. An SDK
    /// client retries: with its default of three attempts it takes `times` = 3 to fail one call.
    pub fn fail_next(&self, operation: &str, times: u32) {
        let mut faults = self.inner.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.insert(operation.to_owned(), times);
    }

    /// Changes the size cap of a message and of a batch, in bytes.
    pub fn set_maximum_message_size(&self, bytes: usize) {
        self.inner.maximum_message_size.store(bytes, Ordering::Relaxed);
    }

    fn maximum_message_size(&self) -> usize {
        self.inner.maximum_message_size.load(Ordering::Relaxed)
    }

    fn take_fault(&self, operation: &str) -> Result<(), SqsError> {
        let mut faults = self.inner.faults.lock().unwrap_or_else(PoisonError::into_inner);
        match faults.get_mut(operation) {
            Some(times) if *times > 0 => {
                *times -= 1;
                Err(SqsError::InternalFailure)
            }
            _ => Ok(()),
        }
    }

    /// Checks and digests a message on the caller's thread, not the writer's.
    fn accept(&self, message: OutgoingMessage) -> Result<AcceptedMessage, SqsError> {
        AcceptedMessage::parse(message, self.maximum_message_size())
    }

    async fn poll(
        &self,
        queue: &str,
        max: u32,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> Result<Vec<Delivered>, SqsError> {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        if max == 0 {
            return Err(SqsError::invalid("MaxNumberOfMessages", "must be at least 1"));
        }
        let (reply, delivered) = oneshot::channel();
        let now = Instant::now();
        self.command(Command::Receive {
            queue: queue.to_owned(),
            poll: Poll { max, visibility_ms: visibility.map(millis), deadline: now + wait.min(MAX_WAIT), reply },
        })?;
        delivered.await.map_err(|_| SqsError::Closed)?
    }

    /// Runs an operation in the writer's next transaction and answers after its commit.
    async fn run<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Engine) -> Result<T, SqsError> + Send + 'static,
    ) -> Result<T, SqsError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Run(Box::new(move |engine| {
            let result = engine.attempt(operation);
            Box::new(move |outcome| {
                // A caller that left needs no answer.
                reply.send(outcome.clone().and(result)).ok();
            })
        })))?;
        answer.await.map_err(|_| SqsError::Closed)?
    }

    fn command(&self, command: Command) -> Result<(), SqsError> {
        let commands = self.inner.commands.as_ref().ok_or(SqsError::Closed)?;
        commands.send(command).map_err(|_| SqsError::Closed)
    }
}
