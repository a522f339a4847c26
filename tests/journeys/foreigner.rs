//! Participants that share nothing with us but the published documents: `tests/foreigner`, in JavaScript, with a
//! cryptography of their own. They join over HTTP as anybody would; nothing is done for them behind the network's back.
//!
//! The network runs on the machine's clock, because theirs is no other.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use beckn_health::commands::shipped_catalogue;
use beckn_health::network::identity::Role;
use beckn_health::network::{Config, Network};
use beckn_health_domain::order::StateKind;
use beckn_health_platform::clock::SystemClock;
use beckn_health_platform::store::orders::Orders;
use beckn_health_protocol::dialect::Reading;
use beckn_health_tests::app::App;
use beckn_health_tests::{fixture, within};
use serde_json::{Value, json};
use tokio::sync::watch;

/// The oldest Node.js whose standard library has all that the foreigner uses.
const NODE: u32 = 20;
/// Where the foreign clinic is; ours is elsewhere.
const FOREIGN_CITY: &str = "std:0361";
/// Its subscriber id.
const FOREIGN_BPP: &str = "bpp.foreigner.example";

/// Whether Node.js is there; says what is skipped when not.
fn node_is_there() -> bool {
    let version = Command::new("node").arg("--version").output().ok();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let major = version.strip_prefix('v').and_then(|numbers| numbers.split('.').next()?.parse::<u32>().ok());
    let enough = major.is_some_and(|major| major >= NODE);
    if !enough {
        println!("skipped: the foreigner needs Node.js {NODE} or newer on PATH");
    }
    enough
}

/// A program of `tests/foreigner` and the steps it has told of; killed when dropped.
struct Foreigner {
    child: Child,
    told: watch::Receiver<Vec<Value>>,
}

impl Foreigner {
    fn start(script: &str, arguments: &[&str]) -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("foreigner").join(script);
        let mut child = Command::new("node")
            .arg(script)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (tell, told) = watch::channel(Vec::new());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                tell.send_modify(|steps| steps.push(serde_json::from_str(&line).unwrap_or(Value::String(line))));
            }
        });
        Self { child, told }
    }

    /// Waits for a step.
    async fn step(&mut self, name: &str) -> Value {
        let found = |steps: &[Value]| steps.iter().find(|step| step["step"] == name).cloned();
        let heard = within(name, self.told.wait_for(|steps| found(steps).is_some())).await.is_ok();
        let steps = self.told.borrow();
        assert!(heard, "the foreigner ended without {name}: {steps:#?}");
        found(&steps).unwrap()
    }

    /// Waits for its end; every line it printed.
    async fn end(mut self) -> (ExitStatus, Vec<Value>) {
        within("the foreigner to end", async { while self.told.changed().await.is_ok() {} }).await;
        let steps = self.told.borrow().clone();
        (self.child.wait().unwrap(), steps)
    }
}

impl Drop for Foreigner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The network that `beckn-health up` starts: the sample city, the machine's clock.
async fn network() -> Network {
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        data: None,
        catalogue: Some(shipped_catalogue().unwrap()),
        clock: Arc::new(SystemClock),
        reading: Reading::Compat,
        callers: None,
    };
    within("the network to start", Network::start(config)).await.unwrap()
}

/// Lets the foreign consumer book; what it told of.
async fn consume(network: &Network, arguments: &[&str]) -> Vec<Value> {
    let base = network.base_url();
    let (registry, gateway) = (format!("{base}/registry"), format!("{base}/gateway"));
    let always = ["--registry", &registry, "--gateway", &gateway];
    let (status, steps) = Foreigner::start("bap.mjs", &[&always, arguments].concat()).end().await;
    assert!(status.success(), "{steps:#?}");
    steps
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_consumer_joins_and_books_here() {
    if !node_is_there() {
        return;
    }
    let network = network().await;
    let steps = consume(&network, &[]).await;
    let booked = steps.last().unwrap();
    let bpp = network.role(Role::Bpp);
    assert_eq!(
        (&booked["step"], &booked["bpp_id"]),
        (&json!("booked"), &json!(bpp.participant.subscriber_id.to_string()))
    );
    let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    for callback in ["on_search", "on_select", "on_init", "on_confirm", "on_status"] {
        assert!(names.contains(&callback), "no {callback} among {names:?}");
    }
    let refused = |what: &str| steps.iter().any(|step| step["step"] == "refused" && step["what"] == what);
    for ours in [
        "a message with a byte added",
        "a message under our name with another key",
        "a lookup without a signature",
        "a subscription whose key is not at hand",
    ] {
        assert!(refused(ours), "{ours} was not tried: {steps:#?}");
    }

    let order_id = booked["order_id"].as_str().unwrap();
    let order = Orders::new(bpp.tables.clone()).find(order_id).await.unwrap().unwrap().order;
    assert_eq!(order.consumer(), "bap.foreigner.example");
    assert_eq!(order.state().kind(), StateKind::Confirmed);
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_provider_joins_is_found_and_booked() {
    if !node_is_there() {
        return;
    }
    let network = network().await;
    let registry = format!("{}/registry", network.base_url());
    let mut clinic = Foreigner::start("bpp.mjs", &["--registry", &registry, "--city", FOREIGN_CITY]);
    let ready = clinic.step("ready").await;
    assert_eq!(ready["subscriber_id"], FOREIGN_BPP);

    // An app of ours, through our BAP and gateway.
    let app = App::at(network.base_url(), network.token());
    let place = json!({ "location": { "city": { "code": FOREIGN_CITY }, "country": { "code": "IND" } } });
    let intent = json!({ "intent": { "category": { "descriptor": { "code": "cardiology" } } } });
    let search = app.accepted("search", place, intent).await;
    let found = app.callback(&search, "on_search").await;
    assert_eq!(found["context"]["bpp_id"], FOREIGN_BPP);
    let provider = &found["message"]["catalog"]["providers"][0];
    assert_eq!((&provider["id"], fixture::items(&found)), (&json!("banyan-house"), vec!["heart-talk".to_owned()]));

    let context = json!({ "transaction_id": search.transaction_id, "bpp_id": FOREIGN_BPP });
    let mut order = json!({ "provider": { "id": "banyan-house" }, "items": [{ "id": "heart-talk" }] });
    let ask = async |action: &str, order: &Value| {
        let answer = app.ask(action, context.clone(), json!({ "order": order })).await;
        assert_eq!(answer["error"], Value::Null, "on_{action}");
        answer["message"]["order"].clone()
    };
    let selected = ask("select", &order).await;
    assert_eq!(selected["quote"]["price"], json!({ "currency": "INR", "value": "475.5" }));
    let slot = selected["fulfillments"][0]["id"].clone();
    order["billing"] = fixture::billing();
    order["fulfillments"] = json!([{ "id": slot, "customer": fixture::customer() }]);
    let terms = ask("init", &order).await;
    assert_eq!(terms["fulfillments"][0]["state"]["descriptor"]["code"], "slot-booked");
    assert_eq!(terms["billing"], fixture::billing());
    assert_eq!(terms["id"], Value::Null, "as in the published examples, the order is named when it is confirmed");
    let confirmed = ask("confirm", &order).await;
    assert_eq!((&confirmed["fulfillments"][0]["id"], &confirmed["status"]), (&slot, &json!("ACTIVE")));
    assert_eq!(confirmed["fulfillments"][0]["state"]["descriptor"]["code"], "slot-confirmed");
    let order_id = json!({ "order_id": confirmed["id"] });
    let status = app.ask("status", context.clone(), order_id).await["message"]["order"].clone();
    assert_eq!(status, confirmed);
    assert_eq!(clinic.step("order").await["order_id"], confirmed["id"]);

    // Its slot is taken now; a foreign consumer gets the next one, with nothing of ours but registry and gateway between.
    let steps = consume(&network, &["--city", FOREIGN_CITY]).await;
    assert_eq!(steps.last().unwrap()["bpp_id"], FOREIGN_BPP);
    let chosen = steps.iter().find(|step| step["step"] == "on_select").unwrap();
    assert_ne!(chosen["fulfillment"], slot);

    #[cfg(unix)]
    {
        let pid = clinic.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let (status, steps) = clinic.end().await;
        assert!(status.success(), "{steps:#?}");
        let nacked =
            |step: &&Value| step["step"].as_str().is_some_and(|name| name.starts_with("on_")) && step["ack"] != "ACK";
        assert_eq!(steps.iter().find(nacked), None, "every callback was acknowledged");
    }
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_foreigner_itself_is_sound() {
    if !node_is_there() {
        return;
    }
    let (status, checks) = Foreigner::start("vectors.mjs", &[]).end().await;
    assert!(status.success(), "{checks:#?}");
    assert!(checks.iter().filter(|check| check["ok"] == true).count() >= 4, "{checks:#?}");
    for line in checks.iter().filter_map(Value::as_str) {
        println!("{line}");
    }
    let (status, report) = Foreigner::start("checks.test.mjs", &[]).end().await;
    assert!(status.success(), "{report:#?}");
}
