//! The whole network in one process: every function of every role on one port.
//!
//! Invariant: only the composition is local. The handlers, the AWS SDK calls, the signatures and
//! the paths are those of a deployment; what stands in for AWS is the embedded DynamoDB, the
//! embedded SQS, and the two mappings between them and the functions.

pub mod aws;
pub mod callers;
mod dynamodb;
mod front;
pub mod identity;
mod layout;
mod mappings;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use beckn_health_domain::catalogue::{Catalogue, City};
use beckn_health_functions as functions;
use beckn_health_platform::clock::Clock;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, Trigger};
use beckn_health_platform::store::catalogue::CatalogueStore;
use beckn_health_platform::store::participants::Participants;
use beckn_health_platform::store::snapshots::Snapshots;
use beckn_health_protocol::dialect::Reading;
use beckn_health_protocol::registry::Subscription;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::sqs::{QUEUE_NAME_PREFIX, Sqs};
use callers::Callers;
use front::Front;
use identity::{LocalKeys, Role};

/// The local network's name as a deployment.
pub const DEPLOYMENT: &str = "beckn-health-local";

/// Put before every table name, as in a deployment.
const TABLE_PREFIX: &str = QUEUE_NAME_PREFIX;

/// How a local network is started.
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where to keep everything; in memory when absent.
    pub data: Option<PathBuf>,
    /// What the provider offers; kept from the last run when absent.
    pub catalogue: Option<Catalogue>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// How messages of participants are read.
    pub reading: Reading,
    /// Who may call the client API. When absent: the token kept with the data, or a new one.
    pub callers: Option<Callers>,
}

/// Why the network does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken or may not be used.
    #[error("cannot listen on {0}: {reason}; choose another port with --port, or --port 0 for a free one", reason = reason(.1))]
    Listen(SocketAddr, std::io::Error),
    /// The port for AWS clients is taken or may not be used.
    #[error("cannot listen on {0} for AWS clients: {reason}; choose another port with --aws-port, or --aws-port 0 for a free one", reason = reason(.1))]
    ListenForAws(SocketAddr, std::io::Error),
    /// A key file is unreadable or damaged.
    #[error("the key file {0} cannot be used: {1}")]
    Keys(PathBuf, String),
    /// The kept token is unreadable or damaged, or cannot be kept.
    #[error("the token in {0} cannot be used: {1}")]
    Token(PathBuf, String),
    /// The data folder was made by a program that keeps its rows in another form.
    #[error(
        "the data in {0} was kept by another version of beckn-health, which this one cannot read; name a new folder with \
         --data, and copy `keys` and `token` into it to stay who you are"
    )]
    Layout(PathBuf),
    /// Storage failed.
    #[error("storage: {0}")]
    Storage(String),
    /// A role's dependencies could not be built.
    #[error(transparent)]
    Deps(#[from] beckn_health_platform::deps::StartError),
}

/// A running network.
pub struct Network {
    address: SocketAddr,
    roles: HashMap<Role, Arc<Deps>>,
    keys: HashMap<Role, Arc<LocalKeys>>,
    callers: Callers,
    sqs: Sqs,
    /// Where the embedded DynamoDB is served.
    dynamodb: SocketAddr,
    stop: watch::Sender<bool>,
    /// Closes the tables, which what is being handled still needs after `stop`.
    close: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Network {
    /// Starts every role; returns when all of them serve and the catalogue can be searched.
    ///
    /// # Errors
    /// The port, the keys or the storage cannot be used.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let storage = |error: &dyn std::fmt::Display| StartError::Storage(error.to_string());
        if let Some(folder) = &config.data {
            identity::make_private_folder(folder)
                .map_err(|error| storage(&format!("{}: {error}", folder.display())))?;
            layout::settle(folder)?;
        }
        let data = config.data.as_deref();
        let callers = match (config.callers, data) {
            (Some(callers), _) => callers,
            (None, Some(folder)) => Callers::kept(folder)?,
            (None, None) => Callers::fresh().map_err(|error| storage(&error))?,
        };
        let listener =
            TcpListener::bind(config.listen).await.map_err(|error| StartError::Listen(config.listen, error))?;
        let address = listener.local_addr().map_err(|error| StartError::Listen(config.listen, error))?;
        let base = format!("http://{address}");
        let (stop, stopped) = watch::channel(false);
        let (close, closed) = watch::channel(false);

        let dynamo = dynamodb::start(data, TABLE_PREFIX, closed).await?;
        let now = {
            let clock = config.clock.clone();
            Arc::new(move || clock.now())
        };
        let queues = data.map(|folder| folder.join("sqs.sqlite"));
        let sqs = Sqs::open(queues.as_deref(), now).map_err(|error| storage(&error))?;
        for function in functions::all() {
            if let Some(settings) = mappings::queue_settings(&function) {
                sqs.create_queue(settings).await.map_err(|error| storage(&error))?;
            }
        }
        // Whoever was handling these is gone with the process that ran it.
        sqs.release_in_flight().await.map_err(|error| storage(&error))?;
        let sqs_client = aws_sdk_sqs::Client::from_conf(
            aws_sdk_sqs::Config::builder()
                .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
                .region(aws_sdk_sqs::config::Region::new("us-east-1"))
                .credentials_provider(aws_sdk_sqs::config::Credentials::new("local", "local", None, None, "embedded"))
                .endpoint_url(sqs.queue_url_prefix())
                .http_client(sqs.connector())
                .build(),
        );

        let (mut roles, mut keys) = (HashMap::new(), HashMap::new());
        for role in Role::ALL {
            let (participant, kept) = identity::participant(role, &base, data, config.clock.now()).await?;
            keys.insert(role, kept);
            let settings = identity::settings(&base, role, TABLE_PREFIX, sqs.queue_url_prefix(), config.reading);
            let deps =
                Deps::assemble(config.clock.clone(), settings, participant, dynamo.client.clone(), sqs_client.clone())?;
            roles.insert(role, Arc::new(deps));
        }
        let mut network =
            Self { address, roles, keys, callers, sqs, dynamodb: dynamo.address, stop, close, tasks: JoinSet::new() };
        let started_at = config.clock.now();
        network.register(config.catalogue.as_ref(), started_at).await?;
        let ready = Arc::new(AtomicBool::new(false));
        network.serve(listener, ready.clone(), stopped.clone());
        if let Some(catalogue) = &config.catalogue {
            network.load(catalogue, &dynamo.client).await?;
        }
        network.tasks.spawn(dynamodb::sweep(dynamo.database.clone(), stopped.clone()));
        network.map(dynamo.database, stopped);
        network.searchable(config.catalogue.as_ref(), started_at).await?;
        for (function, deps) in network.functions() {
            if let Some(prepare) = function.prepare {
                prepare(deps).await;
            }
        }
        ready.store(true, Ordering::Release);
        Ok(network)
    }

    /// `http://<address>` of the network.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A token for the client API: that of its first caller.
    pub fn token(&self) -> &str {
        self.callers.token()
    }

    /// The dependencies of a role, as its functions have them.
    pub fn role(&self, role: Role) -> &Arc<Deps> {
        // Every role is inserted by `start`.
        &self.roles[&role]
    }

    /// Where the keys of a role are kept.
    pub fn keys(&self, role: Role) -> &Arc<LocalKeys> {
        // As are these.
        &self.keys[&role]
    }

    /// The queues, for operators and tests.
    pub fn sqs(&self) -> &Sqs {
        &self.sqs
    }

    /// Answers as DynamoDB, SQS and Secrets Manager on a port, until the network stops.
    pub fn serve_aws(&mut self, port: aws::Port) {
        let secrets = Role::ALL.into_iter().map(|role| (aws::secret_name(role), self.role(role).clone())).collect();
        let services = aws::Services { sqs: self.sqs.clone(), dynamodb: self.dynamodb, secrets };
        self.tasks.spawn(aws::serve(port, services, self.stop.subscribe()));
    }

    /// Runs everything that is scheduled once, now: for tests that move the clock themselves.
    ///
    /// # Errors
    /// A scheduled function failed.
    pub async fn tick(&self) -> Result<(), beckn_health_platform::lambda::Error> {
        for (function, deps) in self.functions() {
            if let Trigger::Schedule { .. } = function.trigger {
                beckn_health_platform::lambda::invoke(&function, deps, serde_json::Value::Null).await?;
            }
        }
        Ok(())
    }

    /// Stops taking requests, lets what is being handled finish, and returns.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
        let _ = self.close.send(true);
    }

    /// Every function with the dependencies of its role.
    fn functions(&self) -> impl Iterator<Item = (Function, Arc<Deps>)> + '_ {
        functions::all().filter_map(|function| {
            let role = Role::ALL
                .into_iter()
                .find(|role| function.name.strip_prefix(role.path()).is_some_and(|rest| rest.starts_with('-')))?;
            Some((function, self.roles.get(&role)?.clone()))
        })
    }

    /// Puts the four participants into the registry.
    async fn register(&self, catalogue: Option<&Catalogue>, now: jiff::Timestamp) -> Result<(), StartError> {
        let kept = match catalogue {
            Some(catalogue) => catalogue.cities().to_vec(),
            None => {
                let store = CatalogueStore::new(self.role(Role::Bpp).tables.clone());
                store.cities().await.map_err(|error| StartError::Storage(error.to_string()))?
            }
        };
        let city = match kept.as_slice() {
            [city] => Some(city.code.as_str()),
            _ => None,
        };
        let participants = Participants::new(self.role(Role::Registry).tables.clone());
        for role in Role::ALL {
            let city = city.filter(|_| role == Role::Bpp);
            let row = identity::subscription(&self.role(role).participant, city, now);
            let failed = |error: beckn_health_platform::store::StoreError| StartError::Storage(error.to_string());
            participants.put(&row).await.map_err(failed)?;
            // Keys of an earlier run that are still in force are reached where this one listens.
            let us = &self.role(role).participant;
            let known = participants.subscriber(&us.subscriber_id, now).await.map_err(failed)?;
            for kept in known.in_force(now).filter(|kept| kept.url != row.url) {
                participants.put(&Subscription { url: row.url.clone(), ..kept.clone() }).await.map_err(failed)?;
            }
        }
        Ok(())
    }

    async fn load(&self, catalogue: &Catalogue, dynamodb: &aws_sdk_dynamodb::Client) -> Result<(), StartError> {
        let failed = |error: beckn_health_platform::store::StoreError| StartError::Storage(error.to_string());
        let store = CatalogueStore::new(self.role(Role::Bpp).tables.clone());
        let progress = crate::progress::Bar::start("storing practitioners", catalogue.practitioners().len());
        // A city that is no longer there is deleted with the stream on, so that its snapshot empties too.
        store.remove_others(catalogue).await.map_err(failed)?;
        dynamodb::set_catalogue_stream(dynamodb, TABLE_PREFIX, false).await?;
        store.put(catalogue, |stored| progress.at(stored)).await.map_err(failed)?;
        dynamodb::set_catalogue_stream(dynamodb, TABLE_PREFIX, true).await?;
        store.put_cities(catalogue).await.map_err(failed)?;
        progress.finish();
        Ok(())
    }

    fn serve(&mut self, listener: TcpListener, ready: Arc<AtomicBool>, mut stopped: watch::Receiver<bool>) {
        let front = Front::new(self.functions(), self.callers.clone(), ready);
        let app = axum::Router::new().fallback(move |request| {
            let front = front.clone();
            async move { front.answer(request).await }
        });
        self.tasks.spawn(async move {
            let until = async move {
                let _ = stopped.wait_for(|stopped| *stopped).await;
            };
            if let Err(problem) = axum::serve(listener, app).with_graceful_shutdown(until).await {
                tracing::error!(%problem, "the port is no longer served");
            }
        });
    }

    fn map(&mut self, database: dynoxide::Database, stopped: watch::Receiver<bool>) {
        let mapped: Vec<_> = self.functions().collect();
        for (function, deps) in mapped {
            match function.trigger {
                Trigger::Http { .. } => {}
                Trigger::Queue { .. } => {
                    self.tasks.spawn(mappings::from_queue(function, deps, self.sqs.clone(), stopped.clone()));
                }
                Trigger::Schedule { .. } => {
                    self.tasks.spawn(mappings::from_schedule(function, deps, stopped.clone()));
                }
                Trigger::Stream { .. } => {
                    let (database, stopped) = (database.clone(), stopped.clone());
                    self.tasks.spawn(async move {
                        mappings::from_stream(function, deps, database, TABLE_PREFIX, stopped).await
                    });
                }
            }
        }
    }

    /// Waits until `bpp-index` has published a snapshot of every city just loaded.
    async fn searchable(&self, catalogue: Option<&Catalogue>, started_at: jiff::Timestamp) -> Result<(), StartError> {
        let Some(catalogue) = catalogue else { return Ok(()) };
        let snapshots = Snapshots::new(self.role(Role::Bpp).tables.clone());
        loop {
            let current = snapshots.current().await.map_err(|error| StartError::Storage(error.to_string()))?;
            let is_new = |city: &City| {
                current.get(city.code.as_str()).is_some_and(|version| version.number >= started_at.as_millisecond())
            };
            if catalogue.cities().iter().all(is_new) {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

/// Why a port cannot be had, in words.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "another program listens there".to_owned(),
        std::io::ErrorKind::PermissionDenied => "this user may not listen there".to_owned(),
        _ => error.to_string(),
    }
}
