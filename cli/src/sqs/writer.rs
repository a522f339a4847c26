//! The one thread that touches the queues.
//!
//! Invariant (group commit): a turn takes every command that is waiting, runs them in one
//! transaction, commits, and only then answers any of them. So an answer means "on disk", and
//! sixteen concurrent senders share one sync of the disk. Receivers that found nothing wait here;
//! the thread sleeps until a command, the next due message or the end of a wait.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::engine::Engine;
use super::error::SqsError;
use super::message::{Delivered, Receipt};

/// Most commands in one transaction; keeps the wait of the first of them short.
const MAX_TURN: usize = 512;

/// Pause before a turn is tried again after the storage failed.
const RETRY_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Tells the caller its result, once the fate of the transaction is known.
pub(super) type Answer = Box<dyn FnOnce(&Result<(), SqsError>) + Send>;

/// Where a received message goes.
pub(super) type DeliveryReply = oneshot::Sender<Result<Vec<Delivered>, SqsError>>;

/// Where the news of an idle network goes.
pub(super) type IdleReply = oneshot::Sender<Result<(), SqsError>>;

/// A receive that waits until something is there.
pub(super) struct Poll {
    pub(super) max: usize,
    pub(super) visibility_ms: Option<i64>,
    /// Real time: it bounds the caller's patience, not the age of a message.
    pub(super) deadline: Instant,
    pub(super) reply: DeliveryReply,
}

/// What the thread can be asked.
pub(super) enum Command {
    /// Run an operation and answer it after the commit.
    Run(Box<dyn FnOnce(&mut Engine) -> Answer + Send>),
    /// Receive, now or later.
    Receive { queue: String, poll: Poll },
    /// Tell when nothing is left to do.
    Idle(IdleReply),
    /// Look at the clock again.
    Wake,
}

/// The receive of one poll, not yet committed.
struct Delivery {
    reply: DeliveryReply,
    messages: Vec<Delivered>,
}

/// The state of the thread.
pub(super) struct Writer {
    engine: Engine,
    /// Waiting receivers, by place of their queue.
    polls: Vec<VecDeque<Poll>>,
    idle: Vec<IdleReply>,
    /// Receives whose receiver left between commit and answer.
    undelivered: Vec<Receipt>,
    /// The last turn was taken back.
    failed: bool,
}

impl Writer {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine, polls: Vec::new(), idle: Vec::new(), undelivered: Vec::new(), failed: false }
    }

    /// Works until every handle is gone.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        loop {
            let first = match self.next_wake() {
                None => match commands.recv() {
                    Ok(command) => Some(command),
                    Err(_) => return,
                },
                Some(wait) => match commands.recv_timeout(wait) {
                    Ok(command) => Some(command),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return,
                },
            };
            self.turn(first.into_iter().chain(commands.try_iter()).take(MAX_TURN));
        }
    }

    fn turn(&mut self, commands: impl Iterator<Item = Command>) {
        self.engine.begin();
        if !self.undelivered.is_empty() {
            let receipts = std::mem::take(&mut self.undelivered);
            // A failure here is the transaction's; the messages come back by visibility timeout.
            self.engine.attempt(|engine| engine.undo_receive(receipts)).ok();
        }
        let mut answers = Vec::new();
        for command in commands {
            match command {
                Command::Run(operation) => answers.push(operation(&mut self.engine)),
                Command::Receive { queue, poll } => self.admit(&queue, poll),
                Command::Idle(reply) => self.idle.push(reply),
                Command::Wake => {}
            }
        }
        let deliveries = self.deliver();
        let outcome = self.engine.commit();
        for answer in answers {
            answer(&outcome);
        }
        for Delivery { reply, messages } in deliveries {
            let message = outcome.clone().map(|()| messages);
            if let Err(Ok(messages)) = reply.send(message) {
                self.undelivered.extend(messages.iter().map(|message| message.receipt));
            }
        }
        self.failed = outcome.is_err();
        if !self.failed {
            self.tell_idle();
        }
    }

    fn admit(&mut self, queue: &str, poll: Poll) {
        match self.engine.place(queue) {
            Err(error) => {
                // The receiver may have left; then nobody needs the refusal.
                poll.reply.send(Err(error)).ok();
            }
            Ok(place) => {
                if self.polls.len() <= place {
                    self.polls.resize_with(place + 1, VecDeque::new);
                }
                if let Some(polls) = self.polls.get_mut(place) {
                    polls.push_back(poll);
                }
            }
        }
    }

    /// Gives what is available to those who wait, in their order, and sends the impatient away.
    fn deliver(&mut self) -> Vec<Delivery> {
        let Self { engine, polls, .. } = self;
        let instant = Instant::now();
        let mut deliveries = Vec::new();
        for (place, waiting) in polls.iter_mut().enumerate() {
            waiting.retain(|poll| !poll.reply.is_closed());
            while !waiting.is_empty() && engine.is_ready(place) {
                let Some(poll) = waiting.pop_front() else { break };
                match engine.attempt(|engine| engine.receive(place, poll.max, poll.visibility_ms)) {
                    Ok(messages) if messages.is_empty() => waiting.push_front(poll),
                    Ok(messages) => deliveries.push(Delivery { reply: poll.reply, messages }),
                    Err(_) => {
                        // The outcome of the transaction tells this receiver why.
                        deliveries.push(Delivery { reply: poll.reply, messages: Vec::new() });
                        break;
                    }
                }
            }
            while let Some(at) = waiting.iter().position(|poll| poll.deadline <= instant) {
                if let Some(poll) = waiting.remove(at) {
                    deliveries.push(Delivery { reply: poll.reply, messages: Vec::new() });
                }
            }
        }
        deliveries
    }

    fn tell_idle(&mut self) {
        self.idle.retain(|reply| !reply.is_closed());
        if self.idle.is_empty() {
            return;
        }
        let news = match self.engine.is_idle() {
            Ok(false) => return,
            Ok(true) => Ok(()),
            Err(error) => Err(error),
        };
        for reply in self.idle.drain(..) {
            reply.send(news.clone()).ok();
        }
    }

    /// How long the thread may sleep; forever when nobody waits for anything.
    fn next_wake(&self) -> Option<Duration> {
        if !self.undelivered.is_empty() {
            return Some(Duration::ZERO);
        }
        // Do not spin on a full disk.
        let soonest = if self.failed { RETRY_AFTER_FAILURE } else { Duration::ZERO };
        let instant = Instant::now();
        let waiting = self.polls.iter().enumerate().filter(|(_, polls)| !polls.is_empty());
        waiting
            .flat_map(|(place, polls)| {
                let patience = polls.iter().map(|poll| poll.deadline.saturating_duration_since(instant)).min();
                let due = self.engine.until_due(place).map(|due| due.max(soonest));
                patience.into_iter().chain(due)
            })
            .min()
    }
}
