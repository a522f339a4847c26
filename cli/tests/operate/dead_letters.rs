//! `dlq list`, `dlq show` and `dlq redrive`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use beckn_health::network::DEPLOYMENT;
use beckn_health::operator::Deployment;
use beckn_health::operator::dead_letters::{self, Moved, Progress};
use beckn_health_platform::clock::{Clock as _, ManualClock};
use beckn_health_platform::deliver::CALLBACKS;
use jiff::SignedDuration;

use crate::peer::Peer;
use crate::{Local, now, within};

const DEAD: &str = "bpp-callbacks-dlq";
const TRANSACTION: &str = "2f4d2b0e-5a43-4c52-9a51-7a8d3a3a0c01";
const MESSAGE: &str = "2f4d2b0e-5a43-4c52-9a51-7a8d3a3a0c02";
/// A message that waits for its next try is hidden for less than this, one that is being handled for longer.
const LONGEST_BACKOFF: SignedDuration = SignedDuration::from_secs(150);

/// A network with a peer that was away for so long that its callback rests in the dead-letter queue.
async fn with_a_dead_letter() -> (Local, Peer) {
    let clock = Arc::new(ManualClock::at(now()));
    let local = Local::with(clock.clone()).await;
    let peer = Peer::away(&local, "bap.away.example").await;
    peer.search(&local, TRANSACTION, MESSAGE, clock.now()).await;
    let sqs = local.network.sqs();
    let next_try = async || {
        within("the callback to wait for its next try", async {
            loop {
                if sqs.depth(DEAD).await.unwrap().visible == 1 {
                    return None;
                }
                let waiting = sqs.peek(CALLBACKS, 10).await.unwrap();
                let due = waiting.iter().map(|message| message.available_at).find(|at| *at > clock.now());
                if let Some(due) = due.filter(|due| due.duration_since(clock.now()) < LONGEST_BACKOFF) {
                    return Some(due);
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    };
    next_try().await;
    // Were the clock moved before the request is done with, it would look abandoned and come again.
    within("the request to be handled", async {
        while sqs.peek("bpp-on-search", 1).await.unwrap().len() == 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // The message's ten minutes pass.
    clock.advance(SignedDuration::from_mins(11));
    sqs.wake();
    while let Some(due) = next_try().await {
        clock.set(due);
        sqs.wake();
    }
    (local, peer)
}

async fn depths(deployment: &Deployment) -> BTreeMap<String, u64> {
    let depths = dead_letters::list(deployment).await.unwrap();
    depths.into_iter().map(|depth| (depth.queue.name.clone(), depth.messages())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_that_nobody_took_is_listed_shown_and_sent_again() {
    let (local, peer) = with_a_dead_letter().await;
    let deployment = &local.deployment;
    let listed = depths(deployment).await;
    assert_eq!(listed[DEAD], 1);
    assert_eq!(listed.values().sum::<u64>(), 1, "{listed:?}");
    assert!(listed.contains_key("gateway-broadcast-dlq") && listed.contains_key("bpp-on-init-dlq"));
    assert!(!listed.contains_key("bpp-index-dlq"), "the local network has none for streams");

    let queue = dead_letters::named(deployment, "bpp-callbacks").unwrap();
    let mut counts = Vec::new();
    for _ in 0..2 {
        let letters = dead_letters::show(deployment, &queue, 10).await.unwrap();
        let [letter] = letters.as_slice() else { panic!("one letter expected, found {letters:?}") };
        assert_eq!(letter.subscriber.as_ref(), Some(&peer.id));
        assert_eq!(letter.action.as_deref(), Some("on_search"));
        assert_eq!(letter.transaction_id.as_deref(), Some(TRANSACTION));
        assert_eq!(letter.message_id.as_deref(), Some(MESSAGE));
        assert!(letter.sent_at.is_some());
        assert!(letter.body.contains("catalog") && !format!("{letter:?}").contains("catalog"));
        counts.push(letter.receive_count.unwrap());
        assert_eq!(local.network.sqs().depth(DEAD).await.unwrap().visible, 1, "nothing is removed or left hidden");
    }
    assert_eq!(counts[1], counts[0] + 1, "a look counts as a receive");

    peer.come_home();
    let mut told = Vec::new();
    let moved = dead_letters::redrive(deployment, &queue, Some(100), |progress| told.push(progress)).await.unwrap();
    assert_eq!(moved, Moved { messages: 1, one_by_one: false });
    assert_eq!(told, [Progress { moved: 1, of: Some(1) }]);
    let received = peer.received(1).await;
    assert_eq!(received[0]["context"]["message_id"], MESSAGE);
    within("the queues to be empty", local.network.sqs().wait_until_idle()).await.unwrap();
    assert_eq!(depths(deployment).await.values().sum::<u64>(), 0);
    assert_eq!(dead_letters::show(deployment, &queue, 10).await.unwrap(), []);
    let moved = dead_letters::redrive(deployment, &queue, None, |_| {}).await.unwrap();
    assert_eq!(moved.messages, 0, "an empty queue is no failure");
    local.network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_without_moves_gets_them_one_by_one() {
    let (local, peer) = with_a_dead_letter().await;
    let emulator = without_moves(local.aws.clone()).await;
    let deployment = Deployment::at(DEPLOYMENT.parse().unwrap(), &emulator).await;
    let queue = dead_letters::named(&deployment, DEAD).unwrap();
    peer.come_home();
    let mut told = Vec::new();
    let moved = dead_letters::redrive(&deployment, &queue, Some(500), |progress| told.push(progress)).await.unwrap();
    assert_eq!(moved, Moved { messages: 1, one_by_one: true });
    assert_eq!(told, [Progress { moved: 1, of: None }]);
    // Its attributes came with it, or it could not be delivered.
    assert_eq!(peer.received(1).await[0]["context"]["transaction_id"], TRANSACTION);
    within("the queues to be empty", local.network.sqs().wait_until_idle()).await.unwrap();
    assert_eq!(depths(&deployment).await[DEAD], 0);
    local.network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_letters_than_one_call_gives_are_each_shown_once() {
    let local = Local::with(Arc::new(ManualClock::at(now()))).await;
    let queue = dead_letters::named(&local.deployment, "bpp-on-init").unwrap();
    for number in 0..23 {
        let poison = beckn_health::sqs::OutgoingMessage::new(format!("poison {number}"));
        local.network.sqs().send(&queue.name, poison).await.unwrap();
    }
    let shown = dead_letters::show(&local.deployment, &queue, 100).await.unwrap();
    let mut ids: Vec<&str> = shown.iter().map(|letter| letter.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 23);
    assert_eq!(shown[0].action, None, "what is no message of the network is shown as well");
    assert_eq!(dead_letters::show(&local.deployment, &queue, 4).await.unwrap().len(), 4);
    assert_eq!(local.network.sqs().depth(&queue.name).await.unwrap().visible, 23);
    local.network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_is_not_there_is_told_from_an_empty_one() {
    let local = Local::start().await;
    let elsewhere = Deployment::at("beckn-health-prod".parse().unwrap(), &local.aws).await;
    let failure = dead_letters::list(&elsewhere).await.unwrap_err().0;
    assert!(failure.contains("no queues of a deployment called beckn-health-prod"), "{failure}");
    let queue = dead_letters::named(&elsewhere, DEAD).unwrap();
    let failure = dead_letters::show(&elsewhere, &queue, 1).await.unwrap_err().0;
    assert!(failure.contains("finding beckn-health-prod-bpp-callbacks-dlq"), "{failure}");
    assert!(failure.contains("check --deployment (now beckn-health-prod)"), "{failure}");
    local.network.stop().await;
}

/// The network's AWS port, as an emulator offers it that knows nothing of moving messages.
async fn without_moves(aws: String) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let app = axum::Router::new().fallback(move |request: Request| {
        let (http, aws) = (http.clone(), aws.clone());
        async move {
            let (mut parts, body) = request.into_parts();
            if parts.headers["x-amz-target"].to_str().unwrap().contains("MessageMoveTask") {
                let unknown = r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#;
                return Response::builder().status(400).body(Body::from(unknown)).unwrap();
            }
            parts.headers.remove("host");
            let body = to_bytes(body, usize::MAX).await.unwrap();
            let answer = http.post(aws).headers(parts.headers).body(body).send().await.unwrap();
            let mut response = Response::builder().status(answer.status());
            response.headers_mut().unwrap().extend(answer.headers().clone());
            response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
        }
    });
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}")
}
