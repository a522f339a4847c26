#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use beckn_health_protocol::registry::SubscriptionStatus;
use beckn_health_protocol::signature::SigningKey;
use jiff::SignedDuration;
use tokio::sync::Semaphore;

use super::*;
use crate::clock::ManualClock;

/// How the registry behaves.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    /// It cannot be reached.
    Dead,
    /// It takes the question and answers when it is let go on.
    Slow,
    /// It refuses us.
    Refusing,
}

struct Fake {
    rows: Mutex<Vec<Subscription>>,
    mood: Mutex<Mood>,
    lookups: AtomicUsize,
    go_on: Semaphore,
}

impl Fake {
    fn say(&self, rows: &[Subscription]) {
        *self.rows.lock().unwrap() = rows.to_vec();
    }

    fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn lookups(&self) -> usize {
        self.lookups.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Registry for Fake {
    async fn lookup(&self, request: &LookupRequest) -> Result<Vec<Subscription>, RegistryError> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Well => {}
            Mood::Dead => return Err(RegistryError::Silent("dead".to_owned())),
            Mood::Slow => self.go_on.acquire().await.unwrap().forget(),
            Mood::Refusing => return Err(RegistryError::Unusable("status 401".to_owned())),
        }
        let rows = self.rows.lock().unwrap().clone();
        Ok(rows.into_iter().filter(|row| request.matches(row)).collect())
    }
}

struct Scene {
    fake: Arc<Fake>,
    clock: Arc<ManualClock>,
    registry: Arc<CachedRegistry>,
}

impl Scene {
    fn with(rows: &[Subscription]) -> Self {
        let fake = Arc::new(Fake {
            rows: Mutex::new(rows.to_vec()),
            mood: Mutex::new(Mood::Well),
            lookups: AtomicUsize::new(0),
            go_on: Semaphore::new(0),
        });
        let clock = Arc::new(ManualClock::at("2026-11-23T03:00:00Z".parse().unwrap()));
        let registry = CachedRegistry::new(fake.clone(), clock.clone()).with_patience(Duration::from_millis(20));
        Self { fake, clock, registry: Arc::new(registry) }
    }

    fn after(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    async fn knows(&self, key: &str) -> bool {
        self.registry.key(&bap(), &key_id(key)).await.unwrap().is_some()
    }
}

fn bap() -> SubscriberId {
    SubscriberId::parse("bap.example").unwrap()
}

fn key_id(text: &str) -> KeyId {
    KeyId::parse(text).unwrap()
}

fn row(key: &str) -> Subscription {
    Subscription {
        subscriber_id: Some(bap()),
        url: Some("https://bap.example/beckn/".to_owned()),
        r#type: Some(SubscriberType::Bap),
        key_id: Some(key_id(key)),
        signing_public_key: Some(SigningKey::generate([3; 32]).verifying_key().to_base64()),
        status: Some(SubscriptionStatus::Subscribed),
        ..Subscription::default()
    }
}

#[tokio::test]
async fn an_answer_is_believed_for_five_minutes_and_no_longer() {
    let scene = Scene::with(&[row("k1")]);
    assert!(scene.knows("k1").await);
    scene.fake.say(&[]);
    scene.after(FRESH_SECONDS - 1);
    assert!(scene.knows("k1").await);
    assert_eq!(scene.fake.lookups(), 1);
    scene.after(1);
    assert!(!scene.knows("k1").await, "a revoked key stops working within five minutes");
    assert_eq!(scene.fake.lookups(), 2);
}

#[tokio::test]
async fn a_row_is_not_believed_beyond_its_end_nor_one_that_is_not_in_force() {
    let until = "2026-11-23T03:01:00Z".parse().unwrap();
    let pending = Subscription { status: Some(SubscriptionStatus::UnderSubscription), ..row("k2") };
    let scene = Scene::with(&[Subscription { valid_until: Some(until), ..row("k1") }, pending]);
    assert!(scene.knows("k1").await && !scene.knows("k2").await);
    scene.after(60);
    assert!(!scene.knows("k1").await);
    // Not while the registry is silent either.
    scene.fake.be(Mood::Dead);
    scene.after(10);
    assert!(scene.registry.key(&bap(), &key_id("k1")).await.is_err());
}

#[tokio::test]
async fn a_new_key_is_found_at_once_and_an_unknown_one_asked_for_every_five_seconds_at_most() {
    let scene = Scene::with(&[row("k1")]);
    assert!(scene.knows("k1").await);
    scene.fake.say(&[row("k1"), row("k2")]);
    // Within five seconds of a lookup nobody asks again.
    scene.after(REFETCH_SECONDS - 1);
    assert!(!scene.knows("k2").await);
    scene.after(1);
    assert!(scene.knows("k2").await);
    let asked = scene.fake.lookups();
    for _ in 0..50 {
        assert!(!scene.knows("k3").await);
    }
    assert_eq!(scene.fake.lookups(), asked);
    // One who is not registered is remembered as such too.
    let stranger = SubscriberId::parse("nobody.example").unwrap();
    for _ in 0..50 {
        assert!(scene.registry.key(&stranger, &key_id("k1")).await.unwrap().is_none());
    }
    assert_eq!(scene.fake.lookups(), asked + 1);
}

#[tokio::test]
async fn a_newcomer_is_reached_within_seconds() {
    let scene = Scene::with(&[]);
    assert_eq!(scene.registry.peer(&bap(), SubscriberType::Bap).await.unwrap(), None);
    scene.fake.say(&[row("k1")]);
    scene.after(REFETCH_SECONDS);
    let peer = scene.registry.peer(&bap(), SubscriberType::Bap).await.unwrap().unwrap();
    assert_eq!(peer.url, "https://bap.example/beckn");
    assert_eq!(scene.registry.peer(&bap(), SubscriberType::Bpp).await.unwrap(), None);
}

#[tokio::test]
async fn a_peer_is_at_the_endpoint_of_its_url_alone() {
    let found = |registered: &'static str| async move {
        let scene = Scene::with(&[Subscription { url: Some(registered.to_owned()), ..row("k1") }]);
        scene.registry.key(&bap(), &key_id("k1")).await.unwrap().unwrap()
    };
    let peer = found("https://bap.example/beckn/").await;
    for url in ["https://bap.example/beckn", "https://BAP.example:443/", "https://bap.example?on_search"] {
        assert!(peer.is_at(url), "{url}");
    }
    for url in [
        "",
        "bap.example",
        "http://bap.example/beckn",
        "https://bap.example:8443/beckn",
        "https://bap.example.org/beckn",
        "https://bap.example@other.example/beckn",
        "https://user@bap.example/beckn",
        "ftp://bap.example/beckn",
    ] {
        assert!(!peer.is_at(url), "{url}");
    }
    // An address that is none is not theirs because it is repeated.
    for registered in ["https://user@bap.example", "bap.example", "ftp://bap.example"] {
        assert!(!found(registered).await.is_at(registered), "{registered}");
    }
}

#[tokio::test]
async fn two_rows_with_one_key_id_are_believed_neither() {
    let scene = Scene::with(&[row("k1"), row("k1")]);
    assert!(!scene.knows("k1").await);
}

#[tokio::test]
async fn many_who_want_the_same_ask_once() {
    let scene = Scene::with(&[row("k1")]);
    scene.fake.be(Mood::Slow);
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let registry = scene.registry.clone();
            tokio::spawn(async move { registry.key(&bap(), &key_id("k1")).await.unwrap().is_some() })
        })
        .collect();
    while scene.fake.lookups() == 0 {
        tokio::task::yield_now().await;
    }
    scene.fake.go_on.add_permits(100);
    for one in asking {
        assert!(one.await.unwrap());
    }
    assert_eq!(scene.fake.lookups(), 1);
}

#[tokio::test]
async fn a_dead_registry_does_not_stop_those_already_known_for_an_hour() {
    let scene = Scene::with(&[row("k1")]);
    assert!(scene.knows("k1").await);
    scene.fake.be(Mood::Dead);
    scene.after(FRESH_SECONDS);
    let asked = scene.fake.lookups();
    for _ in 0..50 {
        assert!(scene.knows("k1").await);
    }
    assert_eq!(scene.fake.lookups(), asked + 1, "a dead registry is asked once in five seconds");
    // A stranger cannot be checked, which is not his fault; a wrong signature is.
    assert!(scene.registry.key(&bap(), &key_id("k2")).await.is_err());
    let known = scene.registry.key(&bap(), &key_id("k1")).await.unwrap().unwrap();
    assert!(scene.registry.newer_key(&known, &key_id("k1")).await.unwrap().is_none());
    scene.after(STALE_LIMIT_SECONDS - 1);
    assert!(scene.knows("k1").await);
    scene.after(1);
    assert!(scene.registry.key(&bap(), &key_id("k1")).await.is_err());
}

#[tokio::test]
async fn a_registry_that_is_back_is_obeyed_at_once() {
    let scene = Scene::with(&[row("k1")]);
    assert!(scene.knows("k1").await);
    scene.fake.be(Mood::Dead);
    scene.after(FRESH_SECONDS);
    assert!(scene.knows("k1").await);
    scene.fake.be(Mood::Well);
    scene.fake.say(&[]);
    scene.after(REFETCH_SECONDS);
    assert!(!scene.knows("k1").await);
}

#[tokio::test]
async fn a_registry_that_refuses_us_is_not_taken_for_silent() {
    let scene = Scene::with(&[row("k1")]);
    assert!(scene.knows("k1").await);
    scene.fake.be(Mood::Refusing);
    scene.after(FRESH_SECONDS);
    assert!(scene.registry.key(&bap(), &key_id("k1")).await.is_err());
}

#[tokio::test]
async fn a_slow_registry_holds_nobody_up_and_its_late_answer_counts() {
    let scene = Scene::with(&[row("k1")]);
    assert!(scene.knows("k1").await);
    scene.fake.be(Mood::Slow);
    scene.fake.say(&[]);
    scene.after(FRESH_SECONDS);
    assert!(scene.knows("k1").await, "what it said before stands while it thinks");
    scene.fake.go_on.add_permits(1);
    // The revocation arrives late, and counts from then on.
    while scene.fake.go_on.available_permits() > 0 || scene.knows("k1").await {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn providers_of_a_place_are_listed_once_each() {
    let bpp = |id: &str, key: &str| Subscription {
        subscriber_id: Some(SubscriberId::parse(id).unwrap()),
        r#type: Some(SubscriberType::Bpp),
        ..row(key)
    };
    let scene = Scene::with(&[bpp("b.example", "k1"), bpp("a.example", "k1"), bpp("b.example", "k2"), row("k1")]);
    let place = Place { domain: None, country: None, city: None };
    let ids = |peers: Vec<Peer>| peers.into_iter().map(|peer| peer.subscriber_id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(scene.registry.providers(place.clone()).await.unwrap()), ["a.example", "b.example"]);
    scene.fake.be(Mood::Dead);
    scene.after(PLACE_FRESH_SECONDS);
    assert_eq!(ids(scene.registry.providers(place).await.unwrap()), ["a.example", "b.example"]);
}
