//! The dead-letter queues of a deployment: how much rests there, what it is, and back where it came from.
//!
//! Invariant: looking removes nothing, and moving never deletes a message before it is on the other queue.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, ListMessageMoveTasksResultEntry, Message, MessageSystemAttributeName,
    MessageSystemAttributeNameForSends, MessageSystemAttributeValue, QueueAttributeName,
};
use beckn_health_functions as functions;
use beckn_health_platform::function::Trigger;
use jiff::Timestamp;
use serde_json::Value;

use super::Deployment;
use crate::failure::Failure;
use crate::sqs::DEAD_LETTER_SUFFIX;

/// How long messages that are being looked at are hidden at most, should we end before we give them back.
const LOOK_SECONDS: i32 = 30;
/// How long a message that is being moved by hand is hidden.
const MOVE_SECONDS: i32 = 120;
/// Messages of one call.
const BATCH: usize = 10;
/// Most messages that are looked at at once: they are all hidden meanwhile.
pub const MAX_SHOWN: u32 = 100;
/// Pause between two looks at a running move.
const POLL: Duration = Duration::from_secs(1);

/// A dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterQueue {
    /// Its name without the deployment's, e.g. `bpp-callbacks-dlq`.
    pub name: String,
    /// What its messages are.
    pub holds: Holds,
}

/// What the messages of a dead-letter queue are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// Messages of this queue that were delivered in vain; they can be moved back.
    MessagesOf(&'static str),
    /// Reports of stream batches that this function gave up. The changes themselves are in no queue.
    ReportsOf(&'static str),
}

/// Every dead-letter queue that the functions have, in the order of their names.
pub fn known() -> Vec<DeadLetterQueue> {
    let mut queues: Vec<DeadLetterQueue> = functions::all()
        .filter_map(|function| match function.trigger {
            Trigger::Queue { queue, .. } => {
                Some(DeadLetterQueue { name: format!("{queue}{DEAD_LETTER_SUFFIX}"), holds: Holds::MessagesOf(queue) })
            }
            Trigger::Stream { .. } => Some(DeadLetterQueue {
                name: format!("{}{DEAD_LETTER_SUFFIX}", function.name),
                holds: Holds::ReportsOf(function.name),
            }),
            Trigger::Http { .. } | Trigger::Schedule { .. } => None,
        })
        .collect();
    queues.sort_by(|a, b| a.name.cmp(&b.name));
    queues.dedup();
    queues
}

/// The queue an operator means: by the name of the dead-letter queue, of the queue it belongs to, or by
/// the full name on AWS.
///
/// # Errors
/// There is no such queue; the sentence lists those there are.
pub fn named(deployment: &Deployment, text: &str) -> Result<DeadLetterQueue, Failure> {
    let short = text.strip_prefix(&deployment.full("")).unwrap_or(text);
    let all = known();
    let wanted = |queue: &&DeadLetterQueue| {
        queue.name == short || queue.name.strip_suffix(DEAD_LETTER_SUFFIX).is_some_and(|source| source == short)
    };
    all.iter().find(wanted).cloned().ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|queue| queue.name.as_str()).collect();
        Failure(format!("{text} is no queue with dead letters; expected one of {}", names.join(", ")))
    })
}

/// How many messages rest in a dead-letter queue, as nearly as SQS tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    /// The queue.
    pub queue: DeadLetterQueue,
    /// Messages that can be looked at or moved now.
    pub visible: u64,
    /// Messages that somebody is looking at or moving.
    pub in_flight: u64,
}

impl Depth {
    /// All of them.
    pub fn messages(&self) -> u64 {
        self.visible + self.in_flight
    }
}

/// A dead letter, seen from outside.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// SQS's id.
    pub id: String,
    /// When it was first sent.
    pub sent_at: Option<Timestamp>,
    /// How often it was received, this look included.
    pub receive_count: Option<u32>,
    /// Whose it is: who sent the request, or who did not take the callback or the broadcast search.
    pub subscriber: Option<String>,
    /// The action or callback.
    pub action: Option<String>,
    /// The transaction.
    pub transaction_id: Option<String>,
    /// Beckn's message id.
    pub message_id: Option<String>,
    /// The message as it was sent. It may hold personal data.
    pub body: String,
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter")
            .field("id", &self.id)
            .field("action", &self.action)
            .field("transaction_id", &self.transaction_id)
            .field("message_id", &self.message_id)
            .finish_non_exhaustive()
    }
}

impl Letter {
    fn read(message: Message) -> Self {
        let system = message.attributes.unwrap_or_default();
        let system = |name: MessageSystemAttributeName| system.get(&name).map(String::as_str);
        let attributes: BTreeMap<String, String> = message
            .message_attributes
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.string_value?)))
            .collect();
        let body = message.body.unwrap_or_default();
        let parsed: Value = serde_json::from_str(&body).unwrap_or_default();
        let attribute = |name: &str| attributes.get(name).cloned();
        let context = |name: &str| parsed["context"][name].as_str().map(str::to_owned);
        Self {
            id: message.message_id.unwrap_or_default(),
            sent_at: system(MessageSystemAttributeName::SentTimestamp)
                .and_then(|at| Timestamp::from_millisecond(at.parse().ok()?).ok()),
            receive_count: system(MessageSystemAttributeName::ApproximateReceiveCount)
                .and_then(|count| count.parse().ok()),
            // Callbacks, broadcast searches and requests in this order.
            subscriber: attribute("to").or_else(|| attribute("target")).or_else(|| attribute("subscriber_id")),
            action: attribute("callback").or_else(|| context("action")),
            transaction_id: attribute("transaction_id").or_else(|| context("transaction_id")),
            message_id: attribute("message_id").or_else(|| context("message_id")),
            body,
        }
    }
}

/// How a move went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Messages that are back on their queue.
    pub messages: u64,
    /// Whether they were moved one by one, because the endpoint has no operation for it.
    pub one_by_one: bool,
}

/// How a move stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Messages moved so far.
    pub moved: u64,
    /// Of how many, when that is known.
    pub of: Option<u64>,
}

/// Every dead-letter queue that the deployment has, with its depth.
///
/// # Errors
/// SQS cannot be asked, or the deployment has none at all.
pub async fn list(deployment: &Deployment) -> Result<Vec<Depth>, Failure> {
    let doing = "listing the dead-letter queues";
    let sqs = deployment.sqs();
    let mut urls: BTreeMap<String, String> = BTreeMap::new();
    let mut pages =
        sqs.list_queues().queue_name_prefix(deployment.full("")).max_results(1_000).into_paginator().items().send();
    while let Some(url) = pages.next().await {
        let url = url.map_err(|error| deployment.failed(doing, &error))?;
        if let Some((_, name)) = url.rsplit_once('/') {
            urls.insert(name.to_owned(), url.clone());
        }
    }
    let mut found = Vec::new();
    for queue in known() {
        let Some(url) = urls.get(&deployment.full(&queue.name)) else { continue };
        let described = sqs
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            .send()
            .await
            .map_err(|error| deployment.failed(&format!("counting {}", queue.name), &error))?;
        let attributes = described.attributes.unwrap_or_default();
        let count = |name: QueueAttributeName| attributes.get(&name).and_then(|count| count.parse().ok()).unwrap_or(0);
        found.push(Depth {
            queue,
            visible: count(QueueAttributeName::ApproximateNumberOfMessages),
            in_flight: count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        });
    }
    if found.is_empty() {
        return Err(Failure(format!(
            "{} has no queues of a deployment called {}; check --deployment, AWS_REGION and AWS_PROFILE",
            deployment.place(),
            deployment.name()
        )));
    }
    Ok(found)
}

/// Up to `max` messages of a queue, at most [`MAX_SHOWN`]. They are hidden from others while they are
/// read, and visible again afterwards (should this process end before that: 30 seconds later).
///
/// # Errors
/// SQS cannot be asked, or the deployment does not have the queue.
pub async fn show(deployment: &Deployment, queue: &DeadLetterQueue, max: u32) -> Result<Vec<Letter>, Failure> {
    let doing = format!("reading {}", queue.name);
    let sqs = deployment.sqs();
    let url = url(deployment, &sqs, &queue.name).await?;
    let max = max.min(MAX_SHOWN) as usize;
    let mut letters: Vec<Letter> = Vec::new();
    let mut receipts = Vec::new();
    let read = async {
        while letters.len() < max {
            let wanted = i32::try_from((max - letters.len()).min(BATCH)).unwrap_or(1);
            let messages = receive(&sqs, &url, wanted, LOOK_SECONDS).await;
            let messages = messages.map_err(|error| deployment.failed(&doing, &error))?;
            if messages.is_empty() {
                break;
            }
            for message in messages {
                receipts.extend(message.receipt_handle.clone());
                let letter = Letter::read(message);
                if !letters.iter().any(|known| known.id == letter.id) {
                    letters.push(letter);
                }
            }
        }
        Ok(())
    }
    .await;
    for handles in receipts.chunks(BATCH) {
        let entries = handles.iter().enumerate().filter_map(|(place, handle)| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(place.to_string());
            entry.receipt_handle(handle).visibility_timeout(0).build().ok()
        });
        // One that fails becomes visible by itself when its time is over.
        let _ = sqs.change_message_visibility_batch().queue_url(&url).set_entries(Some(entries.collect())).send().await;
    }
    read.map(|()| letters)
}

/// Moves all messages of a dead-letter queue back to where they came from, at most `rate` a second (SQS takes
/// 1 to 500), and returns when all are moved. A move that runs already is followed to its end. `progress` is
/// told how it stands.
///
/// # Errors
/// SQS cannot be asked, the queue holds no messages of another queue, or the move failed; the messages that were
/// not moved are still in the dead-letter queue.
pub async fn redrive(
    deployment: &Deployment,
    queue: &DeadLetterQueue,
    rate: Option<u32>,
    mut progress: impl FnMut(Progress),
) -> Result<Moved, Failure> {
    let source = match queue.holds {
        Holds::MessagesOf(source) => source,
        Holds::ReportsOf(function) => {
            return Err(Failure(format!(
                "{} holds reports of changes that {function} gave up, and no messages to move; read them with `dlq \
                 show`, put right what they tell of, and for bpp-index load the catalogue again (`catalogue load`)",
                queue.name
            )));
        }
    };
    let doing = format!("moving the messages of {}", queue.name);
    let sqs = deployment.sqs();
    let url = url(deployment, &sqs, &queue.name).await?;
    let arn = arn(deployment, &sqs, &url, &doing).await?;
    let running = match latest(&sqs, &arn).await {
        Ok(task) => task.is_some_and(|task| task.status.as_deref() == Some("RUNNING")),
        Err(error) if is_unknown(&error) => {
            let target = self::url(deployment, &sqs, source).await?;
            return one_by_one(deployment, &sqs, (&url, &target), rate, progress).await;
        }
        Err(error) => return Err(deployment.failed(&doing, &error)),
    };
    if !running {
        let rate = rate.map(|rate| i32::try_from(rate).unwrap_or(i32::MAX));
        let started =
            sqs.start_message_move_task().source_arn(&arn).set_max_number_of_messages_per_second(rate).send().await;
        match started {
            Ok(_) => {}
            Err(error) if is_unknown(&error) => {
                let target = self::url(deployment, &sqs, source).await?;
                return one_by_one(deployment, &sqs, (&url, &target), rate.map(i32::unsigned_abs), progress).await;
            }
            Err(error) => return Err(deployment.failed(&doing, &error)),
        }
    }
    loop {
        let task = latest(&sqs, &arn).await.map_err(|error| deployment.failed(&doing, &error))?;
        let Some(task) = task else {
            return Err(Failure(format!("{doing}: SQS lists no such move; look at `dlq list` and try again")));
        };
        let moved = u64::try_from(task.approximate_number_of_messages_moved).unwrap_or_default();
        let of = task.approximate_number_of_messages_to_move.and_then(|of| u64::try_from(of).ok());
        progress(Progress { moved, of });
        match task.status.as_deref() {
            Some("RUNNING") => tokio::time::sleep(POLL).await,
            Some("COMPLETED") => return Ok(Moved { messages: moved, one_by_one: false }),
            other => {
                let reason = task.failure_reason.unwrap_or_else(|| "SQS gives no reason".to_owned());
                return Err(Failure(format!(
                    "{doing}: the move is {} after {moved} messages ({reason}); the others are still there, try again",
                    other.unwrap_or("in no known state")
                )));
            }
        }
    }
}

/// The latest move from a queue.
async fn latest(
    sqs: &aws_sdk_sqs::Client,
    arn: &str,
) -> Result<
    Option<ListMessageMoveTasksResultEntry>,
    SdkError<aws_sdk_sqs::operation::list_message_move_tasks::ListMessageMoveTasksError>,
> {
    let tasks = sqs.list_message_move_tasks().source_arn(arn).max_results(1).send().await?;
    Ok(tasks.results.unwrap_or_default().into_iter().next())
}

/// Receive, send, delete, in this order: a message is never in neither queue. Should this end in between, it
/// is in both, which a function that gets it twice has to bear anyway.
async fn one_by_one(
    deployment: &Deployment,
    sqs: &aws_sdk_sqs::Client,
    (from, to): (&str, &str),
    rate: Option<u32>,
    mut progress: impl FnMut(Progress),
) -> Result<Moved, Failure> {
    let mut moved = 0;
    loop {
        let messages = receive(sqs, from, BATCH as i32, MOVE_SECONDS).await;
        let messages = messages.map_err(|error| deployment.failed("receiving from the dead-letter queue", &error))?;
        if messages.is_empty() {
            return Ok(Moved { messages: moved, one_by_one: true });
        }
        for message in messages {
            let system = message.attributes.unwrap_or_default();
            let trace = system
                .get(&MessageSystemAttributeName::AwsTraceHeader)
                .map(|header| MessageSystemAttributeValue::builder().data_type("String").string_value(header).build());
            let mut send = sqs
                .send_message()
                .queue_url(to)
                .set_message_body(message.body)
                .set_message_attributes(message.message_attributes)
                .set_message_group_id(system.get(&MessageSystemAttributeName::MessageGroupId).cloned());
            if let Some(Ok(trace)) = trace {
                send = send.message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace);
            }
            send.send().await.map_err(|error| deployment.failed("sending to the queue", &error))?;
            sqs.delete_message()
                .queue_url(from)
                .set_receipt_handle(message.receipt_handle)
                .send()
                .await
                .map_err(|error| deployment.failed("deleting what was moved", &error))?;
            moved += 1;
            progress(Progress { moved, of: None });
            if let Some(rate) = rate.filter(|rate| *rate > 0) {
                tokio::time::sleep(Duration::from_secs(1) / rate).await;
            }
        }
    }
}

async fn receive(
    sqs: &aws_sdk_sqs::Client,
    url: &str,
    max: i32,
    hidden_seconds: i32,
) -> Result<Vec<Message>, SdkError<aws_sdk_sqs::operation::receive_message::ReceiveMessageError>> {
    let received = sqs
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(max)
        .visibility_timeout(hidden_seconds)
        // With a wait SQS asks all of its servers, so that an empty answer means an empty queue.
        .wait_time_seconds(1)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .message_attribute_names("All")
        .send()
        .await?;
    Ok(received.messages.unwrap_or_default())
}

async fn url(deployment: &Deployment, sqs: &aws_sdk_sqs::Client, queue: &str) -> Result<String, Failure> {
    let found = sqs.get_queue_url().queue_name(deployment.full(queue)).send().await;
    let found = found.map_err(|error| deployment.failed(&format!("finding {}", deployment.full(queue)), &error))?;
    Ok(found.queue_url.unwrap_or_default())
}

async fn arn(deployment: &Deployment, sqs: &aws_sdk_sqs::Client, url: &str, doing: &str) -> Result<String, Failure> {
    let described =
        sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::QueueArn).send().await;
    let described = described.map_err(|error| deployment.failed(doing, &error))?;
    let arn = described.attributes.unwrap_or_default().remove(&QueueAttributeName::QueueArn);
    arn.ok_or_else(|| Failure(format!("{doing}: SQS does not tell the queue's ARN")))
}

/// Whether the endpoint does not know the operation at all, as some emulators.
fn is_unknown<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    const CODES: [&str; 6] = [
        "UnknownOperationException",
        "UnknownOperation",
        "InvalidAction",
        "NotImplemented",
        "NotImplementedException",
        "AWS.SimpleQueueService.UnknownOperation",
    ];
    error.as_service_error().and_then(ProvideErrorMetadata::code).is_some_and(|code| CODES.contains(&code))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use aws_sdk_sqs::types::MessageAttributeValue;

    #[tokio::test]
    async fn a_queue_is_found_by_any_of_its_names() {
        let deployment = Deployment::at("beckn-health-dev".parse().unwrap(), "http://127.0.0.1:1").await;
        for name in ["bpp-callbacks", "bpp-callbacks-dlq", "beckn-health-dev-bpp-callbacks-dlq"] {
            let queue = named(&deployment, name).unwrap();
            assert_eq!(queue.holds, Holds::MessagesOf("bpp-callbacks"), "{name}");
        }
        assert_eq!(named(&deployment, "bpp-index").unwrap().holds, Holds::ReportsOf("bpp-index"));
        let failure = named(&deployment, "bpp-tick").unwrap_err().0;
        assert!(failure.contains("bpp-callbacks-dlq, bpp-expire-dlq"), "{failure}");
    }

    #[tokio::test]
    async fn reports_of_a_stream_cannot_be_moved() {
        let deployment = Deployment::at("beckn-health-dev".parse().unwrap(), "http://127.0.0.1:1").await;
        let queue = named(&deployment, "bpp-index-dlq").unwrap();
        let failure = redrive(&deployment, &queue, None, |_| {}).await.unwrap_err().0;
        assert!(failure.contains("no messages to move"), "{failure}");
    }

    #[test]
    fn a_letter_tells_its_message_by_attributes_or_context_and_hides_its_body() {
        let text = |value: &str| MessageAttributeValue::builder().data_type("String").string_value(value).build();
        let body =
            r#"{"context":{"action":"on_init","transaction_id":"t-1","message_id":"m-1"},"message":{"name":"Nila"}}"#;
        let callback = Message::builder()
            .message_id("sqs-1")
            .body(body)
            .message_attributes("to", text("bap.example").unwrap())
            .message_attributes("callback", text("on_init").unwrap())
            .attributes(MessageSystemAttributeName::SentTimestamp, "1767225600000")
            .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "13")
            .build();
        let letter = Letter::read(callback);
        assert_eq!(letter.subscriber.as_deref(), Some("bap.example"));
        assert_eq!(letter.action.as_deref(), Some("on_init"));
        assert_eq!((letter.transaction_id.as_deref(), letter.message_id.as_deref()), (Some("t-1"), Some("m-1")));
        assert_eq!((letter.receive_count, letter.sent_at), (Some(13), "2026-01-01T00:00:00Z".parse().ok()));
        assert!(!format!("{letter:?}").contains("Nila"));
        let poison = Letter::read(Message::builder().message_id("sqs-2").body("no JSON").build());
        assert_eq!((poison.action, poison.transaction_id, poison.sent_at), (None, None, None));
    }
}
