//! What an ACK promises survives failures of ours, and `kill -9`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::SystemTime;

use beckn_health::network::identity::Role;
use beckn_health_domain::catalogue::CityCode;
use beckn_health_platform::batch;
use beckn_health_platform::clock::{Clock as _, SystemClock};
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{QueueRecord, RecordFailure};
use beckn_health_platform::store::snapshots::Snapshots;
use beckn_health_platform::store::table;
use beckn_health_protocol::registry::SubscriberType;
use beckn_health_tests::fixture::{self, FIRST};
use beckn_health_tests::network::{Setup, TestNetwork};
use beckn_health_tests::stranger::{Answer, Stranger};
use beckn_health_tests::{fresh_id, within};
use serde_json::{Value, json};

fn id(message: &Value) -> String {
    message["context"]["message_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_before_the_queue_has_it() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let before = network.rows().await;
    let message = bap.message("init", fixture::booking(FIRST));
    network.sqs().fail_next("SendMessage", 3);
    let reply = bap.send(&message).await;
    assert_eq!((reply.status, &reply.body), (503, &json!({})));
    network.idle().await;
    assert_eq!(network.rows().await, before);
    assert_eq!((network.queued().await, bap.received().len()), (0, 0));
    // The sender tries again, as it was told by the 503.
    assert_eq!(bap.ask(&message).await["error"], Value::Null);
    // Two failures are the SDK's to mend.
    network.sqs().fail_next("SendMessage", 2);
    assert_eq!(bap.ask(&bap.message("select", fixture::selection(fixture::SECOND))).await["error"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_delivered_again_has_one_effect() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    // The order is written; then neither the peer nor the queue of callbacks takes the reply.
    bap.answer_next([Answer::Held(500)]);
    let message = bap.message("init", fixture::booking(FIRST));
    bap.send(&message).await.ack();
    bap.heard(1).await;
    let written = network.rows().await;
    assert_eq!((written.count(table::SLOTS), written.count(table::ORDERS)), (1, 1));
    network.sqs().fail_next("SendMessage", 3);
    bap.release();
    network.settle("bpp-on-init").await;
    let received = bap.callbacks("on_init", &id(&message), 2).await;
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].body, received[1].body, "the stored reply");
    let after = network.rows().await;
    assert_eq!(after, written, "neither another effect nor another reply");
    assert_eq!(network.queued().await, 0);
}

/// Panics on the fourth record, fails the seventh.
fn handler(_: Arc<Deps>, record: QueueRecord) -> Pin<Box<dyn Future<Output = Result<(), RecordFailure>> + Send>> {
    Box::pin(async move {
        match record.id.as_str() {
            "m-4" => panic!("a record that cannot be borne"),
            "m-7" => Err(RecordFailure::Temporary("not now".to_owned())),
            _ => Ok(()),
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panicking_record_fails_alone() {
    let network = TestNetwork::start().await;
    let records = |ids: &[u32]| -> Value {
        ids.iter().map(|id| json!({ "messageId": format!("m-{id}"), "receiptHandle": "r", "body": "{}" })).collect()
    };
    let batch = async |ids: &[u32]| {
        let event = serde_json::from_value(json!({ "Records": records(ids) })).unwrap();
        let deps = network.role(Role::Bpp).clone();
        serde_json::to_value(batch::handle(deps, "bpp-on-init", "bpp-on-init", handler, event).await).unwrap()
    };
    let failed = |ids: &[&str]| json!({ "batchItemFailures": ids.iter().map(|id| json!({ "itemIdentifier": id })).collect::<Vec<_>>() });
    assert_eq!(batch(&[0, 1, 2, 3, 4, 5, 6, 8, 9, 10]).await, failed(&["m-4"]));
    assert_eq!(batch(&[4, 7, 9]).await, failed(&["m-4", "m-7"]));
    assert_eq!(batch(&[1]).await, failed(&[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_restart_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let setup = |catalogue| Setup { data: Some(folder.path().to_owned()), catalogue, ..Setup::default() };
    let network = TestNetwork::with(setup(Some(fixture::catalogue()))).await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let tx = fresh_id();
    let held = bap.ask_in(&tx, "init", fixture::booking(FIRST)).await["message"]["order"].clone();
    network.idle().await;
    let keys = keys_in(folder.path());
    network.stop().await;

    let network = TestNetwork::with(setup(None)).await;
    assert_eq!(keys_in(folder.path()), keys, "the keys are kept");
    let bap = bap.moved_to(&network.url());
    let mut confirm = bap.message_in(&tx, "confirm", fixture::confirmation(held["id"].as_str().unwrap()));
    confirm["context"]["bpp_uri"] = json!(format!("{}/bpp", network.url()));
    let confirmed = bap.ask(&confirm).await["message"]["order"].clone();
    assert_eq!((&confirmed["id"], &confirmed["quote"]["price"]), (&held["id"], &held["quote"]["price"]));
    let found = bap.ask(&bap.message("search", json!({ "intent": {} }))).await;
    assert_eq!(fixture::items(&found).len(), 5, "the snapshot is kept");
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_connection_does_not_keep_a_network_from_stopping() {
    let network = TestNetwork::start().await;
    let address = network.url().trim_start_matches("http://").to_owned();
    let unused = tokio::net::TcpStream::connect(&address).await.unwrap();
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    bap.ask(&bap.message("search", json!({ "intent": {} }))).await;
    network.stop().await;
    assert!(tokio::net::TcpStream::connect(&address).await.is_err(), "nobody listens any more");
    drop(unused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_city_rebuilt_twice_in_one_moment_is_still_found() {
    let network = TestNetwork::start().await;
    let snapshots = Snapshots::new(network.role(Role::Bpp).tables.clone());
    let current = snapshots.current().await.unwrap();
    let (city, version) = current.iter().next().map(|(city, version)| (city.clone(), *version)).unwrap();
    let before = snapshots.load(&city, version).await.unwrap().unwrap();
    let code = CityCode::parse(city.as_str()).unwrap();
    // Later versions win; the same one and earlier ones do not touch what is published.
    for number in [version.number, version.number - 1] {
        assert!(!snapshots.publish(&code, number, &before).await.unwrap());
        assert_eq!(snapshots.load(&city, version).await.unwrap().as_ref(), Some(&before), "{number}");
    }
    assert!(snapshots.publish(&code, version.number + 1, b"").await.unwrap());
    assert_eq!(snapshots.current().await.unwrap()[&city].number, version.number + 1);
}

fn keys_in(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut keys: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder.join("keys"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect();
    keys.sort();
    keys
}

/// The `beckn-health` binary of this build, made if it is missing or older than the code of this test.
fn binary() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let deps = this.parent().unwrap();
    let profile = deps.parent().unwrap();
    let binary = profile.join(format!("beckn-health{}", std::env::consts::EXE_SUFFIX));
    let changed = |path: &Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
    let library = std::fs::read_dir(deps)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("libbeckn_health-") && name.ends_with(".rlib")
        })
        .filter_map(|path| changed(&path))
        .max()
        .unwrap_or(SystemTime::UNIX_EPOCH);
    if changed(&binary).is_none_or(|built| built < library) {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--package", "beckn-health"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        if profile.file_name().is_some_and(|name| name == "release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "the beckn-health binary could not be built");
    }
    binary
}

/// `beckn-health up` in a process of its own; killed when dropped.
struct Process {
    child: Child,
    url: String,
}

impl Process {
    async fn up(data: &Path) -> Self {
        let data = data.to_owned();
        let started = tokio::task::spawn_blocking(move || {
            let mut child = Command::new(binary())
                .args(["up", "--port", "0", "--data"])
                .arg(data)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
            let url = lines.find_map(|line| line.strip_prefix("ready ").map(str::to_owned)).expect("it is ready");
            Self { child, url }
        });
        started.await.unwrap()
    }

    /// `kill -9`: no handler runs, nothing is flushed.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock);
    let bpp_id = "bpp.beckn-health.localhost";
    // The data folder is made here, so that the stranger stands in the registry.
    let setup =
        |catalogue| Setup { data: Some(folder.path().to_owned()), catalogue, now: clock.now(), ..Setup::default() };
    let network = TestNetwork::with(setup(Some(fixture::catalogue()))).await;
    let bap =
        Stranger::somewhere(&network.url(), bpp_id, clock.clone(), "bap.stranger.example", SubscriberType::Bap).await;
    network.register(&bap.row()).await;
    network.stop().await;
    let keys = keys_in(folder.path());
    assert_eq!(keys.len(), 4);
    #[cfg(unix)]
    for (name, _) in &keys {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(folder.path().join("keys").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }

    let first = Process::up(folder.path()).await;
    let bap = bap.moved_to(&first.url);
    bap.close().await;
    let lookup = json!({ "subscriber_id": bpp_id }).to_string().into_bytes();
    let registered = bap.send_bytes("/registry/lookup", lookup.clone()).await;
    let key = registered.body[0]["signing_public_key"].as_str().unwrap().to_owned();

    // Killed with the ACKs on their way home: nobody was told of an answer yet.
    let order = json!({ "order": { "provider": { "id": fixture::HEART }, "items": [{ "id": "cons-01" }], "billing": fixture::billing() } });
    let init = bap.message("init", order.clone());
    let search = bap.message("search", json!({ "intent": { "item": { "id": "gen-01" } } }));
    bap.send(&init).await.ack();
    bap.send(&search).await.ack();
    first.kill();
    assert!(bap.received().is_empty());

    let second = Process::up(folder.path()).await;
    assert_eq!(keys_in(folder.path()), keys);
    bap.open().await;
    let bap = bap.moved_to(&second.url);
    let held = bap.callback(&init).await["message"]["order"].clone();
    assert_eq!(held["fulfillments"][0]["state"]["descriptor"]["code"], "slot-booked");
    assert_eq!(fixture::items(&bap.callback(&search).await), ["gen-01"]);
    let registered = bap.send_bytes("/registry/lookup", lookup).await;
    assert_eq!(registered.body[0]["signing_public_key"], key.as_str());
    assert_eq!(registered.body[0]["url"], format!("{}/bpp", second.url).as_str());

    // The hold is real, and can be confirmed.
    let slot = held["fulfillments"][0]["id"].as_str().unwrap();
    let refused = bap.ask(&bap.message("init", fixture::booking(slot))).await;
    assert_eq!(refused["error"]["code"], "30008");
    let tx = init["context"]["transaction_id"].as_str().unwrap();
    let confirm = bap.message_in(tx, "confirm", fixture::confirmation(held["id"].as_str().unwrap()));
    assert_eq!(bap.ask(&confirm).await["error"], Value::Null);
    second.kill();

    // And so it stands in the tables, once.
    let network = within("the third start", TestNetwork::with(setup(None))).await;
    let rows = network.rows().await;
    assert_eq!((rows.count(table::SLOTS), rows.count_with(table::SLOTS, &["booked"])), (1, 1));
    assert_eq!(rows.count_with(table::ORDERS, &[held["id"].as_str().unwrap()]), 1);
    network.stop().await;
}
