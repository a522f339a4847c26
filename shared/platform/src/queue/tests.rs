#![allow(clippy::unwrap_used)]
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use super::*;

/// An SQS that does not accept, one list of bodies per call, what it is told not to.
#[derive(Debug, Clone, Default)]
struct Picky {
    refuses: Arc<Mutex<VecDeque<Vec<&'static str>>>>,
    sender_fault: bool,
    /// The bodies of each call.
    asked: Arc<Mutex<Vec<Vec<String>>>>,
}

impl HttpClient for Picky {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Picky {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let asked: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let entries = asked["Entries"].as_array().unwrap();
        let bodies = entries.iter().map(|entry| entry["MessageBody"].as_str().unwrap().to_owned());
        self.asked.lock().unwrap().push(bodies.collect());
        let refuses = self.refuses.lock().unwrap().pop_front().unwrap_or_default();
        let (failed, done): (Vec<&Value>, Vec<&Value>) =
            entries.iter().partition(|entry| refuses.contains(&entry["MessageBody"].as_str().unwrap()));
        let answer = json!({
            "Successful": done.iter().map(|entry| json!({
                "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "",
            })).collect::<Vec<_>>(),
            "Failed": failed.iter().map(|entry| json!({
                "Id": entry["Id"], "SenderFault": self.sender_fault, "Code": "InternalError",
            })).collect::<Vec<_>>(),
        });
        let response = HttpResponse::new(200.try_into().unwrap(), SdkBody::from(answer.to_string()));
        HttpConnectorFuture::ready(Ok(response))
    }
}

fn queues(sqs: &Picky) -> Queues {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
        .region(aws_sdk_sqs::config::Region::new("us-east-1"))
        .credentials_provider(aws_sdk_sqs::config::Credentials::new("test", "test", None, None, "test"))
        .endpoint_url("http://sqs.test")
        .http_client(sqs.clone())
        .build();
    Queues::new(aws_sdk_sqs::Client::from_conf(config), "http://sqs.test/1/".to_owned())
}

fn message(body: &str) -> Outgoing {
    Outgoing { body: body.to_owned(), attributes: BTreeMap::new(), group: "g".to_owned(), delay: Duration::ZERO }
}

#[test]
fn a_call_holds_ten_messages_and_a_mebibyte() {
    let sizes = |messages: Vec<Outgoing>| -> Vec<usize> { calls(messages).iter().map(Vec::len).collect() };
    let small = |count: usize| (0..count).map(|place| message(&place.to_string())).collect::<Vec<_>>();
    assert!(sizes(small(0)).is_empty());
    assert_eq!(sizes(small(10)), [10]);
    assert_eq!(sizes(small(21)), [10, 10, 1]);
    let large = |bytes: usize| message(&"a".repeat(bytes));
    assert_eq!(sizes(vec![large(MAX_MESSAGE / 2), large(MAX_MESSAGE / 2), large(1)]), [2, 1]);
    assert_eq!(sizes(vec![large(1), large(MAX_MESSAGE + 1), large(1)]), [1, 1, 1]);
    // Attributes count.
    let mut half = large(MAX_MESSAGE / 2);
    half.attributes.insert("a", "b".to_owned());
    assert_eq!(sizes(vec![half, large(MAX_MESSAGE / 2)]), [1, 1]);
    let bodies: Vec<String> = calls(small(21)).into_iter().flatten().map(|message| message.body).collect();
    assert_eq!(bodies, (0..21).map(|place| place.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_was_not_accepted_is_sent_again_alone() {
    let sqs = Picky::default();
    sqs.refuses.lock().unwrap().extend([vec!["b", "c"], vec!["c"]]);
    queues(&sqs).send_batch("q", ["a", "b", "c"].map(message).into()).await.unwrap();
    assert_eq!(*sqs.asked.lock().unwrap(), [vec!["a", "b", "c"], vec!["b", "c"], vec!["c"]]);
}

#[tokio::test]
async fn what_is_never_accepted_is_told() {
    let sqs = Picky::default();
    sqs.refuses.lock().unwrap().extend(std::iter::repeat_n(vec!["b"], 9));
    let error = queues(&sqs).send_batch("q", ["a", "b"].map(message).into()).await.unwrap_err();
    assert!(!error.message_at_fault);
    assert_eq!(error.to_string(), "SQS SendMessageBatch on q: 1 of 1 messages: InternalError");
    assert_eq!(sqs.asked.lock().unwrap().len(), BATCH_ATTEMPTS as usize);
}

#[tokio::test]
async fn a_message_at_fault_is_not_sent_again() {
    let sqs = Picky { sender_fault: true, ..Picky::default() };
    sqs.refuses.lock().unwrap().push_back(vec!["b"]);
    assert!(queues(&sqs).send_batch("q", ["a", "b"].map(message).into()).await.unwrap_err().message_at_fault);
    assert_eq!(sqs.asked.lock().unwrap().len(), 1);
}
