//! The promises of the embedded SQS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod delivery;
mod durability;
mod sdk;
mod waiting;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use jiff::Timestamp;

use super::{OutgoingMessage, QueueSettings, ReceivedMessage, Sqs};

const NOW: Duration = Duration::ZERO;
const VISIBILITY: Duration = Duration::from_secs(30);

/// A clock that stands still until it is moved.
#[derive(Clone)]
struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_750_000_000_000)))
    }

    fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap();
        self.0.fetch_add(by, Ordering::SeqCst);
    }

    fn reader(&self) -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
        let now = Arc::clone(&self.0);
        Arc::new(move || Timestamp::from_millisecond(now.load(Ordering::SeqCst)).unwrap())
    }
}

fn settings(name: &str) -> QueueSettings {
    QueueSettings { name: name.to_owned(), visibility_timeout: VISIBILITY, max_receive_count: 3 }
}

/// Queues in memory with one queue, `bpp-select`.
async fn memory() -> (Sqs, ManualClock) {
    let clock = ManualClock::new();
    let sqs = Sqs::open(None, clock.reader()).unwrap();
    sqs.create_queue(settings("bpp-select")).await.unwrap();
    (sqs, clock)
}

async fn send(sqs: &Sqs, body: &str) -> String {
    let sent = sqs.send("bpp-select", OutgoingMessage::new(body)).await;
    sent.unwrap().message_id
}

async fn receive(sqs: &Sqs, max: u32) -> Vec<ReceivedMessage> {
    sqs.receive("bpp-select", max, NOW).await.unwrap()
}

fn bodies(messages: &[ReceivedMessage]) -> Vec<&str> {
    messages.iter().map(|message| message.body.as_str()).collect()
}

/// A future that has been polled once, so its command is on its way, and is not done.
async fn started<T: std::fmt::Debug>(
    future: impl Future<Output = T> + Send + 'static,
) -> Pin<Box<dyn Future<Output = T> + Send>> {
    let mut future: Pin<Box<dyn Future<Output = T> + Send>> = Box::pin(future);
    tokio::select! {
        biased;
        done = &mut future => panic!("already done: {done:?}"),
        () = std::future::ready(()) => future,
    }
}

/// Holds the writer in the middle of a turn until the sender is dropped.
async fn hold_writer(sqs: &Sqs) -> mpsc::Sender<()> {
    let (release, held) = mpsc::channel::<()>();
    let (entered, inside) = tokio::sync::oneshot::channel();
    let sqs = sqs.clone();
    tokio::spawn(async move {
        sqs.run(move |_| {
            entered.send(()).unwrap();
            held.recv().unwrap_err();
            Ok(())
        })
        .await
    });
    inside.await.unwrap();
    release
}
