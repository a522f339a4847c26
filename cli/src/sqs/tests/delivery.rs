//! Who gets which message, and how often.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{NOW, VISIBILITY, bodies, memory, receive, send, settings};
use crate::sqs::{
    DEAD_LETTER_RETENTION, Depth, MESSAGE_RETENTION, MessageAttribute, MessageState, OutgoingMessage, QueueSettings,
    SqsError,
};

#[tokio::test]
async fn a_sent_message_is_received_once_and_gone_when_deleted() {
    let (sqs, _) = memory().await;
    let mut message = OutgoingMessage::new("select me");
    message.attributes.insert("subscriber_id".to_owned(), MessageAttribute::string("bap.example"));
    message.group_id = Some("bap.example".to_owned());
    message.trace_header = Some("Root=1-2-3".to_owned());
    let sent = sqs.send("bpp-select", message).await.unwrap();

    let received = receive(&sqs, 10).await;
    assert_eq!(bodies(&received), ["select me"]);
    let first = &received[0];
    assert_eq!(first.message_id, sent.message_id);
    assert_eq!(first.md5_of_body, sent.md5_of_body);
    assert_eq!(first.receive_count, 1);
    assert_eq!(first.message_attributes["subscriber_id"], "bap.example");
    assert_eq!(first.group_id.as_deref(), Some("bap.example"));
    assert_eq!(first.trace_header.as_deref(), Some("Root=1-2-3"));
    assert_eq!(first.first_received_at, first.sent_at);
    assert!(!sqs.is_idle().await.unwrap(), "a message is in flight");

    sqs.delete("bpp-select", vec![first.receipt_handle.clone()]).await.unwrap();
    assert!(sqs.is_idle().await.unwrap());
}

#[tokio::test]
async fn messages_come_oldest_first_and_no_more_than_asked_for() {
    let (sqs, _) = memory().await;
    for body in ["a", "b", "c"] {
        send(&sqs, body).await;
    }
    assert_eq!(bodies(&receive(&sqs, 2).await), ["a", "b"]);
    assert_eq!(bodies(&receive(&sqs, 2).await), ["c"]);
    assert!(receive(&sqs, 2).await.is_empty());
}

#[tokio::test]
async fn a_received_message_is_hidden_until_its_visibility_timeout_ends() {
    let (sqs, clock) = memory().await;
    send(&sqs, "a").await;
    assert_eq!(receive(&sqs, 1).await.len(), 1);
    clock.advance(VISIBILITY - Duration::from_millis(1));
    assert!(receive(&sqs, 1).await.is_empty());
    clock.advance(Duration::from_millis(1));
    let again = receive(&sqs, 1).await;
    assert_eq!(again[0].receive_count, 2);
    assert_eq!(again[0].sent_at, again[0].first_received_at);
}

#[tokio::test]
async fn visibility_can_be_extended_and_ended_early() {
    let (sqs, clock) = memory().await;
    send(&sqs, "a").await;
    let handle = receive(&sqs, 1).await.remove(0).receipt_handle;
    sqs.change_visibility("bpp-select", &handle, 2 * VISIBILITY).await.unwrap();
    clock.advance(VISIBILITY);
    assert!(receive(&sqs, 1).await.is_empty());
    sqs.change_visibility("bpp-select", &handle, NOW).await.unwrap();
    assert!(matches!(
        sqs.change_visibility("bpp-select", &handle, VISIBILITY).await,
        Err(SqsError::MessageNotInflight)
    ));
    assert_eq!(receive(&sqs, 1).await.len(), 1);
    assert_eq!(
        sqs.change_visibility("bpp-select", &handle, VISIBILITY).await.unwrap_err().code(),
        "InvalidParameterValue",
        "the handle is that of an earlier receive"
    );
}

#[tokio::test]
async fn a_delayed_message_appears_when_its_delay_has_passed() {
    let (sqs, clock) = memory().await;
    let mut message = OutgoingMessage::new("later");
    message.delay = Duration::from_secs(5);
    sqs.send("bpp-select", message.clone()).await.unwrap();
    clock.advance(Duration::from_millis(4_999));
    assert!(receive(&sqs, 1).await.is_empty());
    assert!(!sqs.is_idle().await.unwrap(), "a message is delayed");
    clock.advance(Duration::from_millis(1));
    assert_eq!(receive(&sqs, 1).await.len(), 1);

    message.delay = Duration::from_secs(901);
    let refused = sqs.send("bpp-select", message).await.unwrap_err();
    assert_eq!(refused.code(), "InvalidParameterValue");
}

#[tokio::test]
async fn a_message_received_too_often_becomes_a_dead_letter_and_can_be_redriven() {
    let (sqs, clock) = memory().await;
    let id = send(&sqs, "poison").await;
    for count in 1..=3 {
        assert_eq!(receive(&sqs, 1).await[0].receive_count, count);
        clock.advance(VISIBILITY);
    }
    assert!(receive(&sqs, 1).await.is_empty(), "the fourth receive buries it");
    assert!(sqs.is_idle().await.unwrap(), "dead letters are not work");
    let letters = sqs.peek("bpp-select-dlq", 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].message_id, id);
    assert_eq!(letters[0].receive_count, 3);
    assert_eq!(letters[0].state, MessageState::Visible);
    assert_eq!(letters[0].body_bytes, 6);

    assert!(sqs.redrive("bpp-select").await.is_err(), "not a dead-letter queue");
    assert_eq!(sqs.redrive("bpp-select-dlq").await.unwrap(), 1);
    assert_eq!(sqs.redrive("bpp-select-dlq").await.unwrap(), 0);
    let again = receive(&sqs, 1).await;
    assert_eq!(bodies(&again), ["poison"]);
    assert_eq!(again[0].receive_count, 1, "a redriven message is a new message");
    assert_ne!(again[0].message_id, id);
}

#[tokio::test]
async fn exhausted_messages_do_not_stand_in_the_way_of_others() {
    let (sqs, clock) = memory().await;
    for body in ["a", "b", "c"] {
        send(&sqs, body).await;
    }
    for _ in 0..3 {
        assert_eq!(receive(&sqs, 3).await.len(), 3);
        clock.advance(VISIBILITY);
    }
    send(&sqs, "fresh").await;
    assert_eq!(bodies(&receive(&sqs, 1).await), ["fresh"]);
    assert_eq!(sqs.depth("bpp-select-dlq").await.unwrap().visible, 3);
}

#[tokio::test]
async fn a_receive_that_hides_nothing_leaves_the_message_for_the_next() {
    let (sqs, clock) = memory().await;
    for body in ["a", "b", "c"] {
        send(&sqs, body).await;
    }
    for _ in 0..3 {
        // Exhausts `a` and `b`, which then stand before `c`.
        assert_eq!(receive(&sqs, 2).await.len(), 2);
        sqs.run(|engine| engine.release_in_flight()).await.unwrap();
    }
    clock.advance(Duration::from_secs(1));
    for count in 1..=2 {
        let peeked = sqs.poll("bpp-select", 2, NOW, Some(NOW)).await.unwrap();
        let bodies: Vec<_> = peeked.iter().map(|message| message.body.as_str()).collect();
        assert_eq!(bodies, ["c"]);
        assert_eq!(peeked[0].receive_count, count);
    }
    assert_eq!(sqs.depth("bpp-select-dlq").await.unwrap().visible, 2);
}

#[tokio::test]
async fn the_handle_of_an_earlier_receive_deletes_nothing() {
    let (sqs, clock) = memory().await;
    send(&sqs, "a").await;
    let stale = receive(&sqs, 1).await.remove(0).receipt_handle;
    clock.advance(VISIBILITY);
    let current = receive(&sqs, 1).await.remove(0).receipt_handle;
    sqs.delete("bpp-select", vec![stale]).await.unwrap();
    assert_eq!(sqs.depth("bpp-select").await.unwrap().in_flight, 1);
    sqs.delete("bpp-select", vec![current]).await.unwrap();
    assert!(sqs.is_idle().await.unwrap());
}

#[tokio::test]
async fn a_handle_from_elsewhere_is_refused_and_nothing_is_deleted() {
    let (sqs, _) = memory().await;
    sqs.create_queue(settings("bap-notify")).await.unwrap();
    send(&sqs, "a").await;
    let handle = receive(&sqs, 1).await.remove(0).receipt_handle;
    for wrong in ["", "nonsense", "1.2", "1.2.3.4"] {
        let handles = vec![handle.clone(), wrong.to_owned()];
        let refused = sqs.delete("bpp-select", handles).await.unwrap_err();
        assert_eq!(refused.code(), "ReceiptHandleIsInvalid", "{wrong:?}");
    }
    let refused = sqs.delete("bap-notify", vec![handle]).await.unwrap_err();
    assert_eq!(refused.code(), "ReceiptHandleIsInvalid");
    assert_eq!(sqs.depth("bpp-select").await.unwrap().in_flight, 1);
}

#[tokio::test]
async fn concurrent_receivers_never_share_a_message() {
    let (sqs, _) = memory().await;
    for number in 0..500 {
        send(&sqs, &number.to_string()).await;
    }
    let receivers: Vec<_> = (0..8)
        .map(|_| {
            let sqs = sqs.clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let got = receive(&sqs, 7).await;
                    if got.is_empty() {
                        return mine;
                    }
                    mine.extend(got.into_iter().map(|message| message.body));
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for receiver in receivers {
        all.extend(receiver.await.unwrap());
    }
    assert_eq!(all.len(), 500, "no message twice");
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 500, "none lost");
}

#[tokio::test]
async fn depth_tells_visible_in_flight_delayed_and_age() {
    let (sqs, clock) = memory().await;
    let empty = Depth { visible: 0, in_flight: 0, delayed: 0, oldest_age: None };
    assert_eq!(sqs.depth("bpp-select").await.unwrap(), empty);
    for body in ["a", "b", "c"] {
        send(&sqs, body).await;
    }
    let mut message = OutgoingMessage::new("later");
    message.delay = Duration::from_secs(60);
    sqs.send("bpp-select", message).await.unwrap();
    receive(&sqs, 1).await;
    clock.advance(Duration::from_secs(7));
    assert_eq!(
        sqs.depth("bpp-select").await.unwrap(),
        Depth { visible: 2, in_flight: 1, delayed: 1, oldest_age: Some(Duration::from_secs(7)) }
    );
    let states: Vec<_> = sqs.peek("bpp-select", 10).await.unwrap().into_iter().map(|message| message.state).collect();
    use MessageState::{Delayed, InFlight, Visible};
    assert_eq!(states, [InFlight, Visible, Visible, Delayed]);
    assert_eq!(sqs.peek("bpp-select", 2).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_message_past_its_retention_is_gone() {
    let (sqs, clock) = memory().await;
    send(&sqs, "old").await;
    let letter = sqs.send("bpp-select-dlq", OutgoingMessage::new("letter")).await.unwrap();
    clock.advance(MESSAGE_RETENTION);
    assert!(sqs.is_idle().await.unwrap());
    assert!(receive(&sqs, 1).await.is_empty());
    let letters = sqs.peek("bpp-select-dlq", 1).await.unwrap();
    assert_eq!(letters[0].message_id, letter.message_id, "dead letters are kept longer");
    clock.advance(DEAD_LETTER_RETENTION - MESSAGE_RETENTION);
    assert!(sqs.peek("bpp-select-dlq", 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn making_a_queue_again_keeps_its_messages_and_takes_the_settings() {
    let (sqs, clock) = memory().await;
    send(&sqs, "a").await;
    let shorter = QueueSettings { visibility_timeout: Duration::from_secs(1), ..settings("bpp-select") };
    sqs.create_queue(shorter).await.unwrap();
    assert_eq!(receive(&sqs, 1).await.len(), 1);
    clock.advance(Duration::from_secs(1));
    assert_eq!(receive(&sqs, 1).await.len(), 1);
    assert_eq!(sqs.queue_names().await.unwrap(), ["bpp-select", "bpp-select-dlq"]);
}

#[tokio::test]
async fn queue_settings_outside_the_limits_are_refused() {
    let (sqs, _) = memory().await;
    let long = "q".repeat(77);
    for name in ["", "with space", "orders-dlq", "orders.fifo", long.as_str()] {
        assert!(sqs.create_queue(settings(name)).await.is_err(), "{name:?}");
    }
    let hidden_too_long = QueueSettings { visibility_timeout: Duration::from_secs(43_201), ..settings("orders") };
    assert!(sqs.create_queue(hidden_too_long).await.is_err());
    for max_receive_count in [0, 1_001] {
        let count = QueueSettings { max_receive_count, ..settings("orders") };
        assert!(sqs.create_queue(count).await.is_err());
    }
    let unknown = sqs.receive("orders", 1, NOW).await.unwrap_err();
    assert_eq!(unknown.code(), "AWS.SimpleQueueService.NonExistentQueue");
}

#[tokio::test]
async fn debug_output_shows_no_body_and_no_attribute_value() {
    let (sqs, _) = memory().await;
    let mut message = OutgoingMessage::new("SECRET-BODY");
    message.attributes.insert("patient".to_owned(), MessageAttribute::string("SECRET-VALUE"));
    let mut shown = format!("{message:?} {:?}", message.attributes);
    sqs.send("bpp-select", message).await.unwrap();
    shown += &format!("{:?}", sqs.peek("bpp-select", 1).await.unwrap());
    shown += &format!("{:?}", receive(&sqs, 1).await);
    assert!(!shown.contains("SECRET"), "{shown}");
}
