#![allow(clippy::unwrap_used)]
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_sdk_sqs::config::Builder;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};

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
    at("http://sqs.test", |config| config.http_client(sqs.clone()))
}

/// Queues of an SQS at `endpoint`.
fn at(endpoint: &str, more: impl FnOnce(Builder) -> Builder) -> Queues {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
        .region(aws_sdk_sqs::config::Region::new("us-east-1"))
        .credentials_provider(aws_sdk_sqs::config::Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint);
    Queues::new(aws_sdk_sqs::Client::from_conf(more(config).build()), format!("{endpoint}/1/"))
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

/// SQS on a port of this machine: answers as told, one answer a request, and counts the connections.
async fn listening(answers: &'static [(u16, &'static str)]) -> (Queues, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        let mut answers = answers.iter();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let mut stream = tokio::io::BufStream::new(stream);
            while let Some(body) = request(&mut stream).await {
                let (status, answer) = answers.next().unwrap();
                assert_eq!(*status == 400, body["Entries"] == json!([]), "{body}");
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
            }
        }
    });
    (at(&endpoint, |config| config), connections)
}

/// The body of the next request; `None` where the connection ends.
async fn request(stream: &mut tokio::io::BufStream<tokio::net::TcpStream>) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap() == 0 {
            return None;
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap()
            }
            None if line == "\r\n" => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    Some(serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn the_first_message_takes_the_connection_that_was_opened_at_start() {
    const EMPTY: &str = r#"{"__type":"com.amazonaws.sqs#EmptyBatchRequest","message":"no entries"}"#;
    let (queues, connections) = listening(&[(400, EMPTY), (200, r#"{"MessageId":"m","MD5OfMessageBody":""}"#)]).await;
    assert!(queues.connect("q").await, "a refusal is an answer");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    queues.send("q", message("a")).await.unwrap();
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}
