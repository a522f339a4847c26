//! Long polls, faults and the news of an idle network. Nothing here sleeps: each wait is ended by
//! what it waits for.

use std::time::Duration;

use super::{NOW, VISIBILITY, bodies, hold_writer, memory, receive, send, started};
use crate::sqs::{OutgoingMessage, ReceivedMessage, Sqs, SqsError};

const LONG: Duration = Duration::from_secs(600);

async fn wait_for_message(sqs: Sqs) -> Vec<ReceivedMessage> {
    sqs.receive("bpp-select", 10, LONG).await.unwrap()
}

#[tokio::test]
async fn a_waiting_receiver_is_woken_by_a_send() {
    let (sqs, _) = memory().await;
    let waiting = started(wait_for_message(sqs.clone())).await;
    send(&sqs, "a").await;
    assert_eq!(bodies(&waiting.await), ["a"]);
}

#[tokio::test]
async fn one_message_wakes_one_receiver_and_the_other_keeps_waiting() {
    let (sqs, _) = memory().await;
    let first = started(wait_for_message(sqs.clone())).await;
    let second = started(wait_for_message(sqs.clone())).await;
    send(&sqs, "a").await;
    assert_eq!(bodies(&first.await), ["a"]);
    send(&sqs, "b").await;
    assert_eq!(bodies(&second.await), ["b"]);
}

#[tokio::test]
async fn a_waiting_receiver_is_woken_by_the_end_of_a_delay_and_of_a_visibility_timeout() {
    let (sqs, clock) = memory().await;
    let mut message = OutgoingMessage::new("later");
    message.delay = Duration::from_secs(900);
    sqs.send("bpp-select", message).await.unwrap();
    let waiting = started(wait_for_message(sqs.clone())).await;
    clock.advance(Duration::from_secs(900));
    sqs.wake();
    assert_eq!(bodies(&waiting.await), ["later"]);

    let waiting = started(wait_for_message(sqs.clone())).await;
    clock.advance(VISIBILITY);
    sqs.wake();
    assert_eq!(waiting.await[0].receive_count, 2);
}

#[tokio::test]
async fn a_due_message_wakes_a_receiver_by_the_clock_alone() {
    let start = std::time::Instant::now();
    let epoch = jiff::Timestamp::UNIX_EPOCH;
    let clock = move || epoch + start.elapsed();
    let sqs = Sqs::open(None, std::sync::Arc::new(clock)).unwrap();
    sqs.create_queue(super::settings("bpp-select")).await.unwrap();
    let mut message = OutgoingMessage::new("soon");
    message.delay = Duration::from_millis(20);
    sqs.send("bpp-select", message).await.unwrap();
    assert_eq!(bodies(&wait_for_message(sqs).await), ["soon"]);
}

#[tokio::test]
async fn a_dead_letter_wakes_who_waits_for_dead_letters() {
    let (sqs, clock) = memory().await;
    send(&sqs, "poison").await;
    for _ in 0..3 {
        receive(&sqs, 1).await;
        clock.advance(VISIBILITY);
    }
    let at_dlq = sqs.clone();
    let waiting = started(async move { at_dlq.receive("bpp-select-dlq", 1, LONG).await.unwrap() }).await;
    assert!(receive(&sqs, 1).await.is_empty());
    assert_eq!(bodies(&waiting.await), ["poison"]);
}

#[tokio::test]
async fn a_wait_without_messages_ends_empty() {
    let (sqs, _) = memory().await;
    let nothing = sqs.receive("bpp-select", 1, Duration::from_millis(5)).await.unwrap();
    assert!(nothing.is_empty());
}

#[tokio::test]
async fn a_receiver_that_left_takes_no_message_with_it() {
    let (sqs, _) = memory().await;
    drop(started(wait_for_message(sqs.clone())).await);
    send(&sqs, "a").await;
    let received = receive(&sqs, 1).await;
    assert_eq!(bodies(&received), ["a"]);
    assert_eq!(received[0].receive_count, 1);
}

#[tokio::test]
async fn receives_of_a_receiver_that_left_can_be_taken_back() {
    let (sqs, _) = memory().await;
    send(&sqs, "a").await;
    let delivered = sqs.poll("bpp-select", 1, NOW, None).await.unwrap();
    let receipts = delivered.iter().map(|message| message.receipt).collect();
    sqs.run(move |engine| engine.undo_receive(receipts)).await.unwrap();
    assert_eq!(receive(&sqs, 1).await[0].receive_count, 1);
}

#[tokio::test]
async fn idle_is_told_by_the_last_delete() {
    let (sqs, _) = memory().await;
    sqs.wait_until_idle().await.unwrap();
    send(&sqs, "a").await;
    send(&sqs, "b").await;
    let waiter = sqs.clone();
    let idle = started(async move { waiter.wait_until_idle().await }).await;
    let handles: Vec<_> = receive(&sqs, 2).await.into_iter().map(|message| message.receipt_handle).collect();
    let last = sqs.clone();
    sqs.delete("bpp-select", handles[..1].to_vec()).await.unwrap();
    let idle = started(idle).await;
    last.delete("bpp-select", handles[1..].to_vec()).await.unwrap();
    idle.await.unwrap();
}

#[tokio::test]
async fn a_fault_fails_the_next_calls_and_does_nothing() {
    let (sqs, _) = memory().await;
    sqs.fail_next("SendMessage", 2);
    for _ in 0..2 {
        let failed = sqs.send("bpp-select", OutgoingMessage::new("a")).await;
        assert!(matches!(failed, Err(SqsError::InternalFailure)));
    }
    assert!(sqs.is_idle().await.unwrap());
    send(&sqs, "b").await;
    assert_eq!(bodies(&receive(&sqs, 10).await), ["b"]);
}

#[tokio::test]
async fn senders_that_wait_together_share_one_commit() {
    let (sqs, _) = memory().await;
    let commits = || sqs.run(|engine| Ok(engine.commits));
    let before = commits().await.unwrap();
    let writer = hold_writer(&sqs).await;
    let mut senders = Vec::new();
    for number in 0..64 {
        let sqs = sqs.clone();
        senders.push(started(async move { send(&sqs, &number.to_string()).await }).await);
    }
    drop(writer);
    for sender in senders {
        sender.await;
    }
    // The turn that read `before`, and the one of the held writer and all senders.
    assert_eq!(commits().await.unwrap(), before + 2);
    assert_eq!(sqs.depth("bpp-select").await.unwrap().visible, 64);
}

#[tokio::test]
async fn no_sender_is_told_of_success_when_the_storage_fails() {
    let (sqs, _) = memory().await;
    let writer = hold_writer(&sqs).await;
    let sender = sqs.clone();
    let sent = started(async move { sender.send("bpp-select", OutgoingMessage::new("a")).await }).await;
    let broken = sqs.clone();
    let failed = started(async move {
        let full = rusqlite::Error::InvalidQuery;
        broken.run(move |_| Err::<(), _>(SqsError::from(full))).await
    })
    .await;
    drop(writer);
    assert!(matches!(failed.await, Err(SqsError::Storage(_))));
    assert!(matches!(sent.await, Err(SqsError::Storage(_))));
    assert!(sqs.is_idle().await.unwrap(), "the send was taken back");
    send(&sqs, "b").await;
    assert_eq!(bodies(&receive(&sqs, 10).await), ["b"]);
}
