//! A thousand providers behind one gateway, and two consumers who search at the same time.
//!
//! Some providers are slow, some are dead, some refuse. Nobody waits for them, everybody living hears the
//! consumer's own bytes, and every answer arrives where it belongs and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use beckn_health::network::identity::Role;
use beckn_health_platform::store::participants::Participants;
use beckn_health_protocol::ids::{KeyId, SubscriberId};
use beckn_health_protocol::registry::{SubscriberType, Subscription, SubscriptionStatus};
use beckn_health_protocol::signature::{self, AuthorizationHeader, SigningKey, VerifyingKey, verify};
use beckn_health_tests::app::App;
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::Stranger;
use beckn_health_tests::{http, within};
use bytes::Bytes;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// How many there are.
const PROVIDERS: usize = 1_000;
/// How many of them are slow.
const SLOW: usize = 70;
/// How many of them post their answers at the same time.
const ANSWERING: usize = 24;

/// What a provider is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It acknowledges at once.
    Well,
    /// It acknowledges when it is told to. They are the first that the gateway comes to, and more than it has
    /// requests that have just begun: one that waits for them serves nobody else.
    Slow,
    /// Nobody listens where it was: five in a hundred.
    Dead,
    /// It answers NACK.
    Refusing,
    /// It answers 500.
    Failing,
}

impl Kind {
    fn of(index: usize) -> Self {
        match index % 100 {
            _ if index < SLOW => Self::Slow,
            7 | 27 | 47 | 67 | 87 => Self::Dead,
            11 | 31 | 51 => Self::Refusing,
            71 | 91 => Self::Failing,
            _ => Self::Well,
        }
    }

    /// Whether it acknowledges, sooner or later.
    fn answers(self) -> bool {
        matches!(self, Self::Well | Self::Slow)
    }
}

/// How many of a kind there are.
fn count(is: impl Fn(Kind) -> bool) -> usize {
    (0..PROVIDERS).filter(|index| is(Kind::of(*index))).count()
}

fn name(index: usize) -> String {
    format!("bpp-{index:04}.crowd.example")
}

fn key(index: usize) -> SigningKey {
    let mut seed = [3u8; 32];
    seed[..8].copy_from_slice(&index.to_le_bytes());
    SigningKey::generate(seed)
}

/// A search as a provider received it.
struct Heard {
    index: usize,
    headers: HeaderMap,
    body: Bytes,
}

/// The providers, all behind one port.
struct Crowd {
    base: String,
    gateway: String,
    now: i64,
    timestamp: String,
    heard: watch::Sender<Vec<Heard>>,
    /// The slow ones acknowledge.
    release: watch::Sender<bool>,
    /// Those that have acknowledged send their answers.
    answer: watch::Sender<bool>,
    /// How many requests had come when the sender of one to a slow provider went away, for each that did.
    given_up_after: watch::Sender<Vec<usize>>,
    /// What was said to the answers: by whom, and what.
    said: watch::Sender<Vec<(usize, u16, Value)>>,
    http: reqwest::Client,
    posting: Semaphore,
}

/// A request to a slow one, until it is answered or its sender goes away.
struct Held<'a>(&'a Crowd, bool);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.1 {
            let heard = self.0.heard.borrow().len();
            self.0.given_up_after.send_modify(|all| all.push(heard));
        }
    }
}

impl Crowd {
    async fn listen(network: &TestNetwork) -> Arc<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let crowd = Arc::new(Self {
            base: format!("http://{}", listener.local_addr().unwrap()),
            gateway: format!("{}/gateway/on_search", network.url()),
            now: network.now().as_second(),
            timestamp: network.now().to_string(),
            heard: watch::channel(Vec::new()).0,
            release: watch::channel(false).0,
            answer: watch::channel(false).0,
            given_up_after: watch::channel(Vec::new()).0,
            said: watch::channel(Vec::new()).0,
            http: http(),
            posting: Semaphore::new(ANSWERING),
        });
        let served = crowd.clone();
        let app = axum::Router::new().fallback(move |request: Request| {
            let crowd = served.clone();
            async move { crowd.hear(request).await }
        });
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        crowd
    }

    /// `POST /{index}/search`.
    async fn hear(self: Arc<Self>, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let index: usize = parts.uri.path().trim_matches('/').strip_suffix("/search").unwrap().parse().unwrap();
        let kind = Kind::of(index);
        let held = (kind == Kind::Slow).then(|| Held(&self, false));
        let heard = Heard { index, headers: parts.headers, body: body.clone() };
        self.heard.send_modify(|all| all.push(heard));
        if kind.answers() {
            tokio::spawn(self.clone().answer(index, body));
        }
        if let Some(mut held) = held {
            let _ = self.release.subscribe().wait_for(|released| *released).await;
            held.1 = true;
        }
        let (status, body) = match kind {
            Kind::Well | Kind::Slow => (200, json!({ "message": { "ack": { "status": "ACK" } } })),
            Kind::Refusing => (
                200,
                json!({ "message": { "ack": { "status": "NACK" } }, "error": { "code": "40001", "message": "no" } }),
            ),
            Kind::Failing | Kind::Dead => (500, json!({})),
        };
        Response::builder().status(status).body(Body::from(body.to_string())).unwrap()
    }

    /// Sends `on_search`: every other one directly, the rest through the gateway.
    async fn answer(self: Arc<Self>, index: usize, search: Bytes) {
        let _ = self.answer.subscribe().wait_for(|answer| *answer).await;
        let search: Value = serde_json::from_slice(&search).unwrap();
        let mut context = search["context"].clone();
        context["action"] = json!("on_search");
        context["bpp_id"] = json!(name(index));
        context["bpp_uri"] = json!(format!("{}/{index}", self.base));
        context["timestamp"] = json!(self.timestamp);
        let url = match index % 2 {
            0 => format!("{}/on_search", context["bap_uri"].as_str().unwrap()),
            _ => self.gateway.clone(),
        };
        let message = json!({ "context": context, "message": { "catalog": { "providers": [{ "id": name(index) }] } } });
        let bytes = message.to_string().into_bytes();
        let (id, key_id) = (SubscriberId::parse(name(index)).unwrap(), KeyId::parse("k1").unwrap());
        let authorization = signature::sign(&bytes, &id, &key_id, &key(index), self.now, self.now + 300);
        let _permit = self.posting.acquire().await.unwrap();
        let request = self.http.post(url).header("content-type", "application/json");
        let reply = request.header("authorization", authorization).body(bytes).send().await.unwrap();
        let (status, body) = (reply.status().as_u16(), reply.bytes().await.unwrap());
        let body = serde_json::from_slice(&body).unwrap_or_default();
        self.said.send_modify(|all| all.push((index, status, body)));
    }

    /// Puts all of them into the registry.
    async fn register(&self, network: &TestNetwork) {
        // A port that was free a moment ago, and that nobody listens on.
        let nowhere = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
        let participants = Participants::new(network.role(Role::Registry).tables.clone());
        for index in 0..PROVIDERS {
            let url = match Kind::of(index) {
                Kind::Dead => format!("http://{nowhere}/{index}"),
                _ => format!("{}/{index}", self.base),
            };
            let row = Subscription {
                subscriber_id: Some(SubscriberId::parse(name(index)).unwrap()),
                url: Some(url),
                r#type: Some(SubscriberType::Bpp),
                key_id: Some(KeyId::parse("k1").unwrap()),
                signing_public_key: Some(key(index).verifying_key().to_base64()),
                status: Some(SubscriptionStatus::Subscribed),
                ..Subscription::default()
            };
            participants.put(&row).await.unwrap();
        }
    }

    /// Waits until this many requests have come.
    async fn reached(&self, count: usize, is: impl Fn(Kind) -> bool) {
        let heard = |all: &Vec<Heard>| all.iter().filter(|one| is(Kind::of(one.index))).count();
        stepwise("requests", &self.heard, count, heard).await;
    }
}

/// Waits until there are so many; for each hundred as long as a test waits for anything.
async fn stepwise<T>(what: &str, all: &watch::Sender<T>, count: usize, counted: impl Fn(&T) -> usize) {
    let mut seen = all.subscribe();
    for step in (100..count).step_by(100).chain([count]) {
        let _ = within(&format!("{step} {what}"), seen.wait_for(|all| counted(all) >= step)).await.unwrap();
    }
}

/// Both signatures of a message, by these two.
fn check(headers: &HeaderMap, body: &[u8], sender: (&str, &VerifyingKey), gateway: (&str, &VerifyingKey)) {
    for (name, (id, key)) in [("authorization", sender), ("x-gateway-authorization", gateway)] {
        let header = AuthorizationHeader::parse(headers[name].to_str().unwrap()).unwrap();
        assert_eq!(header.key_id.subscriber_id.as_str(), id, "{name}");
        verify(&header, body, key).unwrap();
    }
}

/// The id and key of one of our participants.
fn ours(network: &TestNetwork, role: Role) -> (String, VerifyingKey) {
    (network.id(role), network.role(role).participant.keys.held().unwrap().active().signing.verifying_key())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_providers_hear_two_searches_and_every_answer_arrives() {
    let network = TestNetwork::start().await;
    let crowd = Crowd::listen(&network).await;
    crowd.register(&network).await;
    let stranger = Stranger::bap(&network, "bap.stranger.example").await;
    let app = App::of(&network);

    // Both search at once.
    let mut search = stranger.message("search", json!({ "intent": {} }));
    let context = search["context"].as_object_mut().unwrap();
    context.shift_remove("bpp_id");
    context.shift_remove("bpp_uri");
    let bytes = search.to_string().replacen(':', " :  ", 3).into_bytes();
    let (sent, reply) = tokio::join!(
        app.accepted("search", json!({}), json!({ "intent": {} })),
        stranger.send_bytes("/gateway/search", bytes.clone()),
    );
    reply.ack();

    // Everybody who does not keep the gateway waiting has both searches while those who do keep theirs open.
    let quick = count(|kind| kind != Kind::Slow && kind != Kind::Dead);
    crowd.reached(2 * quick, |kind| kind != Kind::Slow).await;
    crowd.reached(2 * SLOW, |kind| kind == Kind::Slow).await;
    // On a machine that is busy the first of them may have been given up before the last of the others was
    // served. Had the gateway waited for them, next to nobody would have been.
    let given_up_after = crowd.given_up_after.borrow().clone();
    assert!(given_up_after.iter().all(|served| *served > PROVIDERS), "given up after so many: {given_up_after:?}");
    crowd.release.send_replace(true);
    crowd.answer.send_replace(true);

    // Nobody's answer is turned away.
    let answering = count(Kind::answers);
    stepwise("answers", &crowd.said, 2 * answering, Vec::len).await;
    let said = crowd.said.borrow().clone();
    let turned_away = said.iter().find(|(_, status, body)| *status != 200 || body["message"]["ack"]["status"] != "ACK");
    assert_eq!(turned_away, None);
    within("the relay's queue to be empty", async {
        while network.depth("gateway-relay").await > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;

    // Every provider that could be reached has each consumer's own bytes, once, and both signatures hold.
    let bap = ours(&network, Role::Bap);
    let gateway = ours(&network, Role::Gateway);
    let theirs = AuthorizationHeader::parse(&stranger.sign(&bytes)).unwrap();
    let stranger_id = stranger.id.to_string();
    let stranger_key = stranger_key(&stranger);
    let local = &sent.transaction_id;
    let foreign = search["context"]["transaction_id"].as_str().unwrap();
    let mut reached: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut distinct: BTreeMap<String, BTreeSet<(String, String, Bytes)>> = BTreeMap::new();
    for one in crowd.heard.borrow().iter() {
        let message: Value = serde_json::from_slice(&one.body).unwrap();
        let transaction = message["context"]["transaction_id"].as_str().unwrap().to_owned();
        let text = |name: &str| one.headers[name].to_str().unwrap().to_owned();
        let signed = (text("authorization"), text("x-gateway-authorization"), one.body.clone());
        if distinct.entry(transaction.clone()).or_default().insert(signed) {
            let sender =
                if transaction == *local { (bap.0.as_str(), &bap.1) } else { (stranger_id.as_str(), &stranger_key) };
            check(&one.headers, &one.body, sender, (&gateway.0, &gateway.1));
        }
        reached.entry(transaction).or_default().push(one.index);
    }
    let expected: Vec<usize> = (0..PROVIDERS).filter(|index| Kind::of(*index) != Kind::Dead).collect();
    assert_eq!(reached.keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from([local.as_str(), foreign]));
    for indexes in reached.values_mut() {
        indexes.sort_unstable();
        assert_eq!(*indexes, expected);
    }
    for (transaction, signed) in &distinct {
        let of_sender: BTreeSet<_> = signed.iter().map(|(authorization, _, body)| (authorization, body)).collect();
        assert_eq!(of_sender.len(), 1, "{transaction}: one message, byte for byte, with one signature of its sender");
    }
    let (authorization, _, body) = distinct[foreign].first().unwrap();
    assert_eq!((AuthorizationHeader::parse(authorization).unwrap(), body.as_ref()), (theirs, bytes.as_slice()));

    // Every answer is where it belongs: that of our own provider too.
    let ours_too = network.id(Role::Bpp);
    let living: BTreeSet<String> =
        (0..PROVIDERS).filter(|index| Kind::of(*index).answers()).map(name).chain([ours_too.clone()]).collect();
    let shown = app.transaction(local, "").await.body;
    let stored = shown["messages"].as_array().unwrap().iter().filter(|one| one["action"] == "on_search");
    let stored: Vec<&Value> = stored.collect();
    assert_eq!(stored.len(), living.len());
    assert_eq!(stored.iter().map(|one| one["peer"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>(), living);
    assert!(stored.iter().all(|one| one["body"]["context"]["transaction_id"] == local.as_str()));
    assert_eq!(app.transaction(foreign, "").await.status, 404);
    let received = stranger.heard(living.len()).await;
    assert_eq!(received.len(), living.len());
    let mut from = BTreeSet::new();
    for one in &received {
        let message = one.json();
        let text = |name: &str| message["context"][name].as_str().unwrap().to_owned();
        assert_eq!((text("transaction_id").as_str(), text("bap_id")), (foreign, stranger_id.clone()));
        let bpp = text("bpp_id");
        let index = bpp.strip_prefix("bpp-").and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
        match index.filter(|index| index % 2 == 1) {
            Some(index) => {
                check(&one.headers, &one.body, (&bpp, &key(index).verifying_key()), (&gateway.0, &gateway.1))
            }
            None => assert!(!one.headers.contains_key("x-gateway-authorization"), "{bpp} answered directly"),
        }
        from.insert(bpp);
    }
    assert_eq!(from, living);

    // Who could not be reached, or failed, is tried again alone; who refused is not.
    let again = 2 * count(|kind| matches!(kind, Kind::Dead | Kind::Failing)) + given_up_after.len();
    within("the last search to be carried", async {
        while network.depth("gateway-broadcast").await != again as u64 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(network.depth("gateway-broadcast-dlq").await + network.depth("gateway-relay-dlq").await, 0);
    network.stop().await;
}

/// The key that verifies what a stranger signs, from its row.
fn stranger_key(stranger: &Stranger) -> VerifyingKey {
    VerifyingKey::from_base64(stranger.row().signing_public_key.as_deref().unwrap()).unwrap()
}
