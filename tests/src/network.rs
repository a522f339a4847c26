//! A local network on a free port, with a clock that tests move.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use beckn_health::network::callers::Callers;
use beckn_health::network::identity::{LocalKeys, Role};
use beckn_health::network::{Config, Network};
use beckn_health::sqs::Sqs;
use beckn_health_domain::catalogue::Catalogue;
use beckn_health_platform::clock::{Clock, ManualClock};
use beckn_health_platform::deps::Deps;
use beckn_health_platform::store::participants::Participants;
use beckn_health_platform::store::{Tables, table};
use beckn_health_protocol::dialect::Reading;
use beckn_health_protocol::registry::Subscription;
use jiff::{SignedDuration, Timestamp};

use crate::{fixture, within};

/// Longest time for which a message that waits for its next try is hidden in these tests; one that is
/// being handled is hidden for longer.
const LONGEST_BACKOFF: SignedDuration = SignedDuration::from_secs(150);

/// How a network is started.
pub struct Setup {
    /// Where it keeps everything; in memory when absent.
    pub data: Option<PathBuf>,
    /// What its BPP offers.
    pub catalogue: Option<Catalogue>,
    /// How it reads messages.
    pub reading: Reading,
    /// What its clock shows.
    pub now: Timestamp,
    /// Who may call its client API; somebody with a new token when absent.
    pub callers: Option<Callers>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            data: None,
            catalogue: Some(fixture::catalogue()),
            reading: Reading::Compat,
            now: fixture::monday(),
            callers: None,
        }
    }
}

/// A running network.
pub struct TestNetwork {
    network: Network,
    clock: Arc<ManualClock>,
}

impl TestNetwork {
    /// In memory, with the catalogue of [`fixture`], on its Monday.
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    /// As `setup` says.
    pub async fn with(setup: Setup) -> Self {
        let clock = Arc::new(ManualClock::at(setup.now));
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            data: setup.data,
            catalogue: setup.catalogue,
            clock: clock.clone(),
            reading: setup.reading,
            callers: setup.callers,
        };
        let network = within("the network to start", Network::start(config)).await.unwrap();
        Self { network, clock }
    }

    /// Stops it and lets go of its files.
    pub async fn stop(self) {
        within("the network to stop", self.network.stop()).await;
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        self.network.base_url()
    }

    /// A token for its client API.
    pub fn token(&self) -> &str {
        self.network.token()
    }

    /// The dependencies of a role.
    pub fn role(&self, role: Role) -> &Arc<Deps> {
        self.network.role(role)
    }

    /// Where the keys of a role are kept.
    pub fn keys(&self, role: Role) -> &Arc<LocalKeys> {
        self.network.keys(role)
    }

    /// The subscriber id of a role.
    pub fn id(&self, role: Role) -> String {
        self.role(role).participant.subscriber_id.to_string()
    }

    /// The queues.
    pub fn sqs(&self) -> &Sqs {
        self.network.sqs()
    }

    /// The clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// What the clock shows.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sets the clock.
    pub fn set(&self, now: Timestamp) {
        self.clock.set(now);
        self.sqs().wake();
    }

    /// Moves the clock on.
    pub fn advance(&self, by: SignedDuration) {
        self.clock.advance(by);
        self.sqs().wake();
    }

    /// Puts a row into the registry.
    pub async fn register(&self, row: &Subscription) {
        Participants::new(self.role(Role::Registry).tables.clone()).put(row).await.unwrap();
    }

    /// Runs what is scheduled, as the minute does.
    pub async fn tick(&self) {
        self.network.tick().await.unwrap();
    }

    /// Waits until every queued message has been handled.
    pub async fn idle(&self) {
        within("the queues to be empty", self.sqs().wait_until_idle()).await.unwrap();
    }

    /// Waits until every queue but `queue` is empty: were the clock moved before, what is being handled there
    /// would look abandoned and be delivered a second time.
    async fn handled_but(&self, queue: &str) {
        let others = self.sqs().queue_names().await.unwrap();
        let others: Vec<String> = others.into_iter().filter(|name| name != queue && !name.ends_with("-dlq")).collect();
        within("the other queues to be empty", async {
            for other in &others {
                while self.depth(other).await > 0 {
                    tokio::task::yield_now().await;
                }
            }
        })
        .await;
    }

    /// Waits until a message of `queue` waits for its next try, and moves the clock to that moment.
    pub async fn skip_to_retry(&self, queue: &str) {
        self.handled_but(queue).await;
        within("a message that waits to be tried again", async {
            loop {
                let now = self.now();
                let waiting = self.sqs().peek(queue, 100).await.unwrap();
                let due = waiting.iter().map(|message| message.available_at).filter(|at| *at > now).min();
                if let Some(due) = due.filter(|due| due.duration_since(now) < LONGEST_BACKOFF) {
                    return self.set(due);
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Moves the clock from retry to retry of `queue` until every message is handled or dead.
    pub async fn settle(&self, queue: &str) {
        within("the retries to end", async {
            while !self.sqs().is_idle().await.unwrap() {
                tokio::select! {
                    () = self.skip_to_retry(queue) => {}
                    idle = self.sqs().wait_until_idle() => idle.unwrap(),
                }
            }
        })
        .await;
    }

    /// Messages in a queue, whatever their state.
    pub async fn depth(&self, queue: &str) -> u64 {
        let depth = self.sqs().depth(queue).await.unwrap();
        depth.visible + depth.in_flight + depth.delayed
    }

    /// Messages in all queues, the dead-letter queues included.
    pub async fn queued(&self) -> u64 {
        let mut all = 0;
        for queue in self.sqs().queue_names().await.unwrap() {
            all += self.depth(&queue).await;
        }
        all
    }

    /// Every row of every table but the catalogue's own.
    pub async fn rows(&self) -> Rows {
        Rows::read(&self.role(Role::Bpp).tables).await
    }
}

/// The rows of the tables that messages can change, each as text. How often the registry was asked is not among them.
#[derive(Clone, PartialEq, Eq)]
pub struct Rows(BTreeMap<&'static str, BTreeSet<String>>);

impl Rows {
    async fn read(tables: &Tables) -> Self {
        let mut rows = BTreeMap::new();
        let others = [table::CATALOGUE, table::SNAPSHOTS, table::LIMITS];
        for name in table::ALL.into_iter().filter(|name| !others.contains(name)) {
            let pages = tables.client().scan().table_name(tables.name(name)).into_paginator().items().send();
            let items = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
            let texts = items.iter().map(|item| format!("{:?}", item.iter().collect::<BTreeMap<_, _>>()));
            rows.insert(name, texts.collect());
        }
        Self(rows)
    }

    /// How many rows a table has.
    pub fn count(&self, table: &str) -> usize {
        self.0[table].len()
    }

    /// How many rows of a table hold all these texts.
    pub fn count_with(&self, table: &str, texts: &[&str]) -> usize {
        self.0[table].iter().filter(|row| texts.iter().all(|text| row.contains(text))).count()
    }

    /// The same without one table.
    pub fn without(mut self, table: &str) -> Self {
        self.0.remove(table);
        self
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0).finish()
    }
}
