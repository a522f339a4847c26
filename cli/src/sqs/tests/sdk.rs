//! The AWS SDK against the queues: what the deployed functions do.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::send_message::SendMessageError;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, MessageAttributeValue,
    MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};

use super::{VISIBILITY, memory, send};
use crate::sqs::{QUEUE_ARN_PREFIX, QUEUE_NAME_PREFIX, QUEUE_URL_PREFIX, Sqs};

fn client_with(sqs: &Sqs, retries: RetryConfig) -> Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .http_client(sqs.connector())
        .retry_config(retries)
        .build();
    Client::from_conf(config)
}

fn client(sqs: &Sqs) -> Client {
    client_with(sqs, RetryConfig::disabled())
}

fn url(sqs: &Sqs, queue: &str) -> String {
    format!("{}{queue}", sqs.queue_url_prefix())
}

fn attribute(data_type: &str, value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type(data_type).string_value(value).build().unwrap()
}

/// The code of a refusal, whether modelled or not.
fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    error.code().unwrap_or_default()
}

#[tokio::test]
async fn send_receive_and_delete_round_trip() {
    let (sqs, _) = memory().await;
    let client = client(&sqs);
    let url = url(&sqs, "bpp-select");
    let sent = client
        .send_message()
        .queue_url(&url)
        .message_body("hello")
        .message_attributes("action", attribute("String", "select"))
        .message_attributes("attempt", attribute("Number.int", "3"))
        .message_attributes(
            "digest",
            MessageAttributeValue::builder().data_type("Binary").binary_value(Blob::new([0, 255])).build().unwrap(),
        )
        .message_group_id("bap.example")
        .send()
        .await
        .unwrap();
    assert_eq!(sent.md5_of_message_body(), Some("5d41402abc4b2a76b9719d911017c592"));

    let received = client
        .receive_message()
        .queue_url(&url)
        .max_number_of_messages(10)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .message_attribute_names("All")
        .send()
        .await
        .unwrap();
    let [message] = received.messages() else { panic!("one message expected") };
    assert_eq!(message.body(), Some("hello"));
    assert_eq!(message.message_id(), sent.message_id());
    assert_eq!(message.md5_of_message_attributes(), sent.md5_of_message_attributes());
    let attributes = message.message_attributes().unwrap();
    assert_eq!(attributes["action"].string_value(), Some("select"));
    assert_eq!(attributes["attempt"].data_type(), "Number.int");
    assert_eq!(attributes["digest"].binary_value().unwrap().as_ref(), [0, 255]);
    let system = message.attributes().unwrap();
    assert_eq!(system[&MessageSystemAttributeName::ApproximateReceiveCount], "1");
    assert_eq!(system[&MessageSystemAttributeName::MessageGroupId], "bap.example");
    assert_eq!(system[&MessageSystemAttributeName::SentTimestamp], "1750000000000");

    client.delete_message().queue_url(&url).receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
    assert!(sqs.is_idle().await.unwrap());
}

/// The digest of one String attribute, put together by hand as the SQS guide describes it:
/// MD5 of `00000001 "k" 00000006 "String" 01 00000001 "v"`.
#[tokio::test]
async fn the_attribute_digest_is_that_of_sqs() {
    let (sqs, _) = memory().await;
    let sent = client(&sqs)
        .send_message()
        .queue_url(url(&sqs, "bpp-select"))
        .message_body("x")
        .message_attributes("k", attribute("String", "v"))
        .send()
        .await
        .unwrap();
    assert_eq!(sent.md5_of_message_attributes(), Some("0a77b0642718c3d9dd47090567d11e0d"));
}

#[tokio::test]
async fn only_the_attributes_asked_for_are_returned() {
    let (sqs, _) = memory().await;
    let client = client(&sqs);
    let url = url(&sqs, "bpp-select");
    client
        .send_message()
        .queue_url(&url)
        .message_body("x")
        .message_attributes("beckn.action", attribute("String", "select"))
        .message_attributes("other", attribute("String", "y"))
        .send()
        .await
        .unwrap();
    let received = client
        .receive_message()
        .queue_url(&url)
        .message_attribute_names("beckn.*")
        .visibility_timeout(0)
        .send()
        .await
        .unwrap();
    let message = &received.messages()[0];
    assert!(message.attributes().is_none());
    assert_eq!(message.message_attributes().unwrap().len(), 1);
    let bare = client.receive_message().queue_url(&url).send().await.unwrap();
    assert!(bare.messages()[0].message_attributes().is_none());
    assert!(bare.messages()[0].md5_of_message_attributes().is_none());
}

#[tokio::test]
async fn a_batch_reports_each_entry() {
    let (sqs, _) = memory().await;
    let client = client(&sqs);
    let url = url(&sqs, "bpp-select");
    let entry =
        |id: &str, body: &str| SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap();
    let sent = client
        .send_message_batch()
        .queue_url(&url)
        .entries(entry("good", "a"))
        .entries(entry("bad", "\u{1}"))
        .entries(entry("fine", "b"))
        .send()
        .await
        .unwrap();
    let ids: Vec<_> = sent.successful().iter().map(|entry| entry.id()).collect();
    assert_eq!(ids, ["good", "fine"]);
    assert_eq!(sent.failed()[0].id(), "bad");
    assert_eq!(sent.failed()[0].code(), "InvalidMessageContents");
    assert!(sent.failed()[0].sender_fault());

    let received = client.receive_message().queue_url(&url).max_number_of_messages(10).send().await.unwrap();
    let handles: Vec<_> = received.messages().iter().filter_map(|m| m.receipt_handle()).collect();
    let changed = client
        .change_message_visibility_batch()
        .queue_url(&url)
        .entries(
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id("first")
                .receipt_handle(handles[0])
                .visibility_timeout(0)
                .build()
                .unwrap(),
        )
        .send()
        .await
        .unwrap();
    assert_eq!(changed.successful()[0].id(), "first");
    assert_eq!(sqs.depth("bpp-select").await.unwrap().visible, 1);

    let delete = |id: &str, handle: &str| {
        DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build().unwrap()
    };
    let deleted = client
        .delete_message_batch()
        .queue_url(&url)
        .entries(delete("one", handles[0]))
        .entries(delete("two", "nonsense"))
        .entries(delete("three", handles[1]))
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.successful().len(), 2);
    assert_eq!(deleted.failed()[0].code(), "ReceiptHandleIsInvalid");
    assert!(sqs.is_idle().await.unwrap());

    let twice = client
        .send_message_batch()
        .queue_url(&url)
        .entries(entry("same", "a"))
        .entries(entry("same", "b"))
        .send()
        .await
        .unwrap_err();
    assert!(twice.into_service_error().is_batch_entry_ids_not_distinct());
    let empty = client.send_message_batch().queue_url(&url).set_entries(Some(vec![])).send().await;
    assert!(empty.unwrap_err().into_service_error().is_empty_batch_request());
    let eleven = (0..11).map(|number| entry(&number.to_string(), "a")).collect();
    let many = client.send_message_batch().queue_url(&url).set_entries(Some(eleven)).send().await;
    assert!(many.unwrap_err().into_service_error().is_too_many_entries_in_batch_request());
    let long = "x".repeat(600_000);
    let heavy = client
        .send_message_batch()
        .queue_url(&url)
        .entries(entry("one", &long))
        .entries(entry("two", &long))
        .send()
        .await;
    assert!(heavy.unwrap_err().into_service_error().is_batch_request_too_long());
}

#[tokio::test]
async fn refusals_carry_the_codes_of_sqs() {
    let (sqs, _) = memory().await;
    let client = client(&sqs);
    let send = |queue: &str, body: &str| client.send_message().queue_url(url(&sqs, queue)).message_body(body).send();
    let absent = send("absent", "x").await.unwrap_err();
    assert_eq!(code(&absent), "AWS.SimpleQueueService.NonExistentQueue");
    assert!(matches!(absent.into_service_error(), SendMessageError::QueueDoesNotExist(_)));

    for body in ["\u{0}", "\u{b}", "a\u{fffe}"] {
        let refused = send("bpp-select", body).await.unwrap_err();
        assert!(matches!(refused.into_service_error(), SendMessageError::InvalidMessageContents(_)));
    }
    send("bpp-select", "\t\r\n नमस्ते 🩺").await.unwrap();

    let limit = crate::sqs::MAXIMUM_MESSAGE_SIZE;
    send("bpp-select", &"x".repeat(limit)).await.unwrap();
    let long = send("bpp-select", &"x".repeat(limit + 1)).await.unwrap_err();
    assert_eq!(code(&long), "InvalidParameterValue");
    assert_eq!(long.raw_response().unwrap().status().as_u16(), 400);
    sqs.set_maximum_message_size(10);
    assert!(send("bpp-select", "eleven char").await.is_err());
    assert_eq!(code(&send("bpp-select", "").await.unwrap_err()), "MissingParameter");

    let select = url(&sqs, "bpp-select");
    let handle = client.delete_message().queue_url(&select).receipt_handle("nonsense").send().await;
    assert!(handle.unwrap_err().into_service_error().is_receipt_handle_is_invalid());
    let foreign = client.receive_message().queue_url("https://elsewhere/q").send().await;
    assert!(foreign.unwrap_err().into_service_error().is_invalid_address());
    let too_many = client.receive_message().queue_url(&select).max_number_of_messages(11).send().await;
    assert_eq!(code(&too_many.unwrap_err()), "InvalidParameterValue");
    let unknown = client.purge_queue().queue_url(&select).send().await;
    assert_eq!(code(&unknown.unwrap_err()), "UnknownOperationException");
}

#[test]
fn addresses_hold_the_name_of_the_deployment() {
    assert!(QUEUE_URL_PREFIX.ends_with(&format!("/{QUEUE_NAME_PREFIX}")));
    assert!(QUEUE_ARN_PREFIX.ends_with(&format!(":{QUEUE_NAME_PREFIX}")));
}

#[tokio::test]
async fn a_fault_is_a_500_that_the_sdk_retries() {
    let (sqs, _) = memory().await;
    let url = url(&sqs, "bpp-select");
    sqs.fail_next("SendMessage", 1);
    let failed = client(&sqs).send_message().queue_url(&url).message_body("a").send().await;
    let failed = failed.unwrap_err();
    assert_eq!(failed.raw_response().unwrap().status().as_u16(), 500);
    assert_eq!(code(&failed), "InternalFailure");
    assert!(sqs.is_idle().await.unwrap());

    sqs.fail_next("SendMessage", 2);
    let retries =
        RetryConfig::standard().with_max_attempts(3).with_initial_backoff(std::time::Duration::from_millis(1));
    let client = client_with(&sqs, retries);
    client.send_message().queue_url(&url).message_body("b").send().await.unwrap();
    assert_eq!(sqs.depth("bpp-select").await.unwrap().visible, 1);
}

#[tokio::test]
async fn queues_are_found_described_and_redriven() {
    let (sqs, clock) = memory().await;
    let client = client(&sqs);
    let found = client.get_queue_url().queue_name(format!("{QUEUE_NAME_PREFIX}bpp-select")).send().await.unwrap();
    assert_eq!(found.queue_url(), Some(url(&sqs, "bpp-select").as_str()));
    for other in ["absent", "bpp-select", "beckn-health-local-absent"] {
        let absent = client.get_queue_url().queue_name(other).send().await.unwrap_err();
        assert!(absent.into_service_error().is_queue_does_not_exist(), "{other}");
    }
    let elsewhere = "http://127.0.0.1:4566/000000000000/beckn-health-local-bpp-select";
    assert!(client.get_queue_attributes().queue_url(elsewhere).send().await.is_ok(), "the host does not matter");
    let dead = client.list_queues().queue_name_prefix("beckn-health-local-bpp-select-").send().await.unwrap();
    assert_eq!(dead.queue_urls(), [url(&sqs, "bpp-select-dlq")]);

    let page = client.list_queues().max_results(1).send().await.unwrap();
    assert_eq!(page.queue_urls(), [url(&sqs, "bpp-select")]);
    let rest =
        client.list_queues().max_results(1).set_next_token(page.next_token().map(str::to_owned)).send().await.unwrap();
    assert_eq!(rest.queue_urls(), [url(&sqs, "bpp-select-dlq")]);
    assert!(rest.next_token().is_none());

    send(&sqs, "poison").await;
    let described = client
        .get_queue_attributes()
        .queue_url(url(&sqs, "bpp-select"))
        .attribute_names(QueueAttributeName::All)
        .send()
        .await
        .unwrap();
    let attributes = described.attributes().unwrap();
    assert_eq!(attributes[&QueueAttributeName::ApproximateNumberOfMessages], "1");
    assert_eq!(attributes[&QueueAttributeName::VisibilityTimeout], "30");
    let policy: serde_json::Value = serde_json::from_str(&attributes[&QueueAttributeName::RedrivePolicy]).unwrap();
    assert_eq!(policy["maxReceiveCount"], 3);
    assert_eq!(policy["deadLetterTargetArn"], format!("{QUEUE_ARN_PREFIX}bpp-select-dlq"));

    for _ in 0..4 {
        super::receive(&sqs, 1).await;
        clock.advance(VISIBILITY);
    }
    let letter = client
        .receive_message()
        .queue_url(url(&sqs, "bpp-select-dlq"))
        .message_system_attribute_names(MessageSystemAttributeName::DeadLetterQueueSourceArn)
        .send()
        .await
        .unwrap();
    let system = letter.messages()[0].attributes().unwrap();
    assert_eq!(system[&MessageSystemAttributeName::DeadLetterQueueSourceArn], format!("{QUEUE_ARN_PREFIX}bpp-select"));
    clock.advance(VISIBILITY);
    let redrive =
        |queue: &str| client.start_message_move_task().source_arn(format!("{QUEUE_ARN_PREFIX}{queue}")).send();
    assert!(redrive("bpp-select-dlq").await.unwrap().task_handle().is_some());
    assert_eq!(sqs.depth("bpp-select").await.unwrap().visible, 1);
    let source = format!("{QUEUE_ARN_PREFIX}bpp-select-dlq");
    assert!(redrive("bpp-select-dlq").await.is_ok(), "an empty queue is moved as well");
    let tasks = client.list_message_move_tasks().source_arn(&source).max_results(10).send().await.unwrap();
    let moved: Vec<_> = tasks.results().iter().map(|task| task.approximate_number_of_messages_moved()).collect();
    assert_eq!(moved, [0, 1], "the latest first");
    assert_eq!(tasks.results()[1].status(), Some("COMPLETED"));
    assert_eq!(tasks.results()[1].approximate_number_of_messages_to_move(), Some(1));
    let last = client.list_message_move_tasks().source_arn(&source).send().await.unwrap();
    assert_eq!(last.results().len(), 1);
    for _ in 0..12 {
        redrive("bpp-select-dlq").await.unwrap();
    }
    let tasks = client.list_message_move_tasks().source_arn(&source).max_results(10).send().await.unwrap();
    assert!(tasks.results().iter().all(|task| task.approximate_number_of_messages_moved() == 0));
    assert_eq!(sqs.inner.moves.lock().unwrap().len(), 10);
    let absent = client.list_message_move_tasks().source_arn(format!("{QUEUE_ARN_PREFIX}absent")).send().await;
    assert!(absent.unwrap_err().into_service_error().is_resource_not_found_exception());
    let absent = redrive("absent").await.unwrap_err();
    assert!(absent.into_service_error().is_resource_not_found_exception());
}
