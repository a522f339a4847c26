//! One function of ours behind a port of its own, with another registry or another policy than the network's.
//!
//! Invariant: the handler, the queues and the tables are the network's; only what is given differs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use beckn_health::network::identity::Role;
use beckn_health_platform::deps::{Deps, Memory};
use beckn_health_platform::egress::Egress;
use beckn_health_platform::function::{Function, Request, Trigger};
use beckn_health_platform::hop::serve;
use beckn_health_platform::registry::{CachedRegistry, HttpRegistry, Registry};
use beckn_health_platform::store::participants::Participants;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::network::TestNetwork;

/// The function of this name.
pub fn function(name: &str) -> Function {
    beckn_health_functions::all().find(|function| function.name == name).unwrap_or_else(|| panic!("no {name}"))
}

/// The dependencies of a role of the network, but with a registry of its own at `url`.
pub fn with_registry(network: &TestNetwork, role: Role, url: &str) -> Deps {
    let ours = network.role(role);
    let registry = HttpRegistry::new(url.to_owned(), ours.participant.clone(), ours.egress.clone(), network.clock());
    assembled(network, role, Arc::new(registry), ours.egress.clone())
}

/// The dependencies of a role of the network as they are on the open internet: no private addresses.
pub fn in_public(network: &TestNetwork, role: Role) -> Deps {
    let table = Participants::new(network.role(Role::Registry).tables.clone());
    assembled(network, role, Arc::new(table), Egress::new(false).unwrap())
}

/// The dependencies of a role of the network with another memory of the registry.
pub fn on_one_machine(network: &TestNetwork, role: Role) -> Deps {
    let table = Participants::new(network.role(Role::Registry).tables.clone());
    assembled(network, role, Arc::new(table), Egress::new(true).unwrap())
}

fn assembled(network: &TestNetwork, role: Role, registry: Arc<dyn Registry>, egress: Egress) -> Deps {
    let ours = network.role(role);
    Deps {
        clock: network.clock(),
        settings: ours.settings.clone(),
        participant: ours.participant.clone(),
        queues: ours.queues.clone(),
        tables: ours.tables.clone(),
        registry: Arc::new(CachedRegistry::new(registry, network.clock())),
        egress,
        memory: Memory::default(),
    }
}

/// A function that is served alone.
pub struct Outpost {
    url: String,
    serving: JoinHandle<()>,
}

impl Outpost {
    /// Serves the HTTP function of this name, whatever the path.
    pub async fn open(name: &str, deps: Deps) -> Self {
        let function = function(name);
        let Trigger::Http { handler, .. } = function.trigger else { panic!("{name} is not reached over HTTP") };
        let deps = Arc::new(deps);
        Self::serving(move |request: axum::extract::Request| {
            let deps = deps.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                let request = Request::from_parts(parts, body);
                serve(function.name, deps, handler, request).await.unwrap().map(Body::from)
            }
        })
        .await
    }

    async fn serving<F, Fut>(answer: F) -> Self
    where
        F: Fn(axum::extract::Request) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = http::Response<Body>> + Send,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = axum::Router::new().fallback(answer);
        Self { url, serving: tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }) }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Outpost {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A registry that answers every lookup with what it is told to, whatever was asked.
pub struct FalseRegistry {
    outpost: Outpost,
    says: Arc<Mutex<Value>>,
    asked: Arc<AtomicUsize>,
}

impl FalseRegistry {
    /// One that knows nobody.
    pub async fn open() -> Self {
        let (says, asked) = (Arc::new(Mutex::new(json!([]))), Arc::new(AtomicUsize::new(0)));
        let (told, counted) = (says.clone(), asked.clone());
        let outpost = Outpost::serving(move |_: axum::extract::Request| {
            counted.fetch_add(1, Ordering::SeqCst);
            let body = told.lock().unwrap_or_else(PoisonError::into_inner).to_string();
            async move { http::Response::new(Body::from(Bytes::from(body))) }
        })
        .await;
        Self { outpost, says, asked }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        self.outpost.url()
    }

    /// What it answers from now on.
    pub fn says(&self, answer: Value) {
        *self.says.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// A port that notices whoever connects to it, and hangs up.
pub struct Tripwire {
    /// The port, on 127.0.0.1.
    pub port: u16,
    touched: Arc<AtomicUsize>,
    waiting: JoinHandle<()>,
}

impl Tripwire {
    /// On a free port.
    pub async fn set() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let touched = Arc::new(AtomicUsize::new(0));
        let count = touched.clone();
        let waiting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                drop(stream);
            }
        });
        Self { port, touched, waiting }
    }

    /// How many connections came.
    pub fn touched(&self) -> usize {
        self.touched.load(Ordering::SeqCst)
    }
}

impl Drop for Tripwire {
    fn drop(&mut self) {
        self.waiting.abort();
    }
}
