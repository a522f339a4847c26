//! What the functions of a deployment log and measure: one line for each hop, counted and joined by its trace.

use std::collections::{BTreeMap, BTreeSet};

use beckn_health::network::identity::Role;
use beckn_health_platform::deliver::CALLBACKS;
use beckn_health_platform::log::MAX_HOP;
use beckn_health_tests::app::App;
use beckn_health_tests::fixture::{self, FIRST, NEAR_HEART, SECOND};
use beckn_health_tests::log::{Log, capture};
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::{Answer, Stranger};
use beckn_health_tests::{fresh_id, http};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// A subscriber id of 40 characters.
const LONG_ID: &str = "consumer-platform.of-a-stranger.example1";

/// The counts of a line that are not latency.
const COUNTS: [&str; 7] = ["Ack", "Nack", "SignatureFailure", "Delivered", "Refused", "Retry", "Lapse"];

fn text<'a>(line: &'a Value, name: &str) -> &'a str {
    line[name].as_str().unwrap_or_default()
}

/// `<role> <action> <count>…` of a line.
fn said(line: &Value) -> String {
    let counts = COUNTS.into_iter().filter(|count| line[count] != Value::Null);
    let counts: Vec<String> = counts.map(|count| format!("{count} {}", line[count])).collect();
    format!("{} {} {}", text(line, "Role"), text(line, "action"), counts.join(" "))
}

fn sorted(lines: &[Value]) -> Vec<String> {
    let mut said: Vec<String> = lines.iter().map(said).collect();
    said.sort();
    said
}

fn roots(lines: &[Value]) -> BTreeSet<String> {
    lines.iter().map(|line| text(line, "trace_id").to_owned()).collect()
}

/// Every line of every test so far is JSON; those of hops are metrics as CloudWatch reads them, and short.
fn assert_well_formed(log: &Log) {
    let mut hops = 0;
    for line in log.lines() {
        let parsed: Value = serde_json::from_str(&line).unwrap_or_else(|problem| panic!("{problem}: {line}"));
        let Some(metadata) = parsed.get("_aws") else {
            assert!(parsed["level"].is_string() && parsed["message"].is_string(), "{line}");
            continue;
        };
        hops += 1;
        assert!(metadata["Timestamp"].as_i64().is_some_and(|at| at > 1_000_000_000_000), "{line}");
        let directives = metadata["CloudWatchMetrics"].as_array().unwrap();
        let mut measured = BTreeSet::new();
        for directive in directives {
            assert_eq!(directive["Namespace"], "beckn-health", "{line}");
            let sets = directive["Dimensions"].as_array().unwrap();
            assert_eq!(sets[0], json!(["Deployment", "Role"]), "{line}");
            for dimension in sets.iter().flat_map(|set| set.as_array().unwrap()) {
                assert!(!text(&parsed, dimension.as_str().unwrap()).is_empty(), "{dimension}: {line}");
            }
            for metric in directive["Metrics"].as_array().unwrap() {
                let name = metric["Name"].as_str().unwrap();
                assert!(parsed[name].is_number(), "{name}: {line}");
                assert!(measured.insert(name), "{name} is measured twice: {line}");
            }
        }
        for count in COUNTS.into_iter().chain(["HopLatency"]) {
            assert_eq!(measured.contains(count), parsed[count].is_number(), "{count}: {line}");
        }
        let timed = !measured.contains("Nack") && !measured.contains("Lapse");
        assert_eq!(measured.contains("HopLatency"), timed, "{line}");
        assert!(parsed["HopLatency"].is_number() || parsed["duration_ms"].is_number(), "{line}");
        let allowed = [
            "_aws",
            "Deployment",
            "Role",
            "Code",
            "HopLatency",
            "duration_ms",
            "outcome",
            "action",
            "peer",
            "transaction_id",
            "message_id",
            "trace_id",
            "path",
        ];
        for name in parsed.as_object().unwrap().keys() {
            assert!(allowed.contains(&name.as_str()) || COUNTS.contains(&name.as_str()), "{name}: {line}");
        }
        // Other tests use identifiers as long as they may be.
        let usual = ["transaction_id", "message_id"].iter().all(|id| text(&parsed, id).len() <= 36);
        if usual && text(&parsed, "peer").len() <= 40 {
            assert!(line.len() <= MAX_HOP, "{} bytes: {line}", line.len());
        }
    }
    assert!(hops > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_leaves_one_line_for_each_hop() {
    let log = capture();
    let network = TestNetwork::start().await;
    let app = App::of(&network);
    let intent = json!({ "intent": { "fulfillment": { "stops": [{ "location": {
        "gps": NEAR_HEART, "radius": { "value": "5", "unit": "km" } } }] } } });
    let search = app.accepted("search", json!({}), intent).await;
    app.callback(&search, "on_search").await;
    let context = json!({ "transaction_id": search.transaction_id, "bpp_id": network.id(Role::Bpp) });
    app.ask("select", context.clone(), fixture::selection(FIRST)).await;
    let held = app.ask("init", context.clone(), fixture::booking(FIRST)).await;
    let order_id = held["message"]["order"]["id"].as_str().unwrap().to_owned();
    app.ask("confirm", context.clone(), fixture::confirmation(&order_id)).await;
    let refused = app
        .ask("rating", context, json!({ "ratings": [{ "rating_category": "Order", "id": order_id, "value": "5" }] }))
        .await;
    assert_eq!(refused["error"]["code"], "50003");
    network.idle().await;

    let hops = log.ended(22, &search.transaction_id).await;
    let mut expected: Vec<String> = [
        "bap search Delivered 1",
        "gateway search Ack 1",
        "gateway search Delivered 1",
        "bpp search Ack 1",
        "bpp on_search Delivered 1",
        "bap on_search Ack 1",
    ]
    .map(str::to_owned)
    .into();
    for action in ["select", "init", "confirm", "rating"] {
        expected.push(format!("bap {action} Delivered 1"));
        expected.push(format!("bpp {action} Ack 1"));
        expected.push(format!("bpp on_{action} Delivered 1"));
        expected.push(format!("bap on_{action} Ack 1"));
    }
    expected.sort();
    assert_eq!(sorted(&hops), expected);
    assert!(log.lines_with(&search.transaction_id).len() == hops.len(), "nothing else is said of a booking");
    let answered = hops.iter().find(|hop| hop["action"] == "on_rating" && hop["Role"] == "bpp").unwrap();
    assert_eq!(answered["Code"], "50003", "an answer that is an error says so");
    for hop in &hops {
        assert_eq!(hop["Deployment"], "beckn-health-local", "{hop}");
        assert!(hop["HopLatency"].as_f64().is_some_and(|taken| taken > 0.0), "{hop}");
    }

    // From the app's request to the callback, through four functions' HTTP and two queues: one trace.
    let mut of_message: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for hop in &hops {
        of_message.entry(text(hop, "message_id")).or_default().push(hop.clone());
    }
    assert_eq!(of_message.len(), 5);
    for (message_id, hops) in &of_message {
        assert_eq!(hops.len(), if *message_id == search.message_id { 6 } else { 4 });
        assert_eq!(roots(hops).len(), 1, "{hops:#?}");
    }
    assert_eq!(roots(&hops).len(), 5, "each request has a trace of its own");
    let root = text(&of_message[search.message_id.as_str()][0], "trace_id").to_owned();
    let of_trace = log.hops_with(&root);
    let lookups = of_trace.iter().filter(|hop| hop["Role"] == "registry" && hop["outcome"] == "answered");
    assert!(lookups.count() >= 3, "the registry's answers belong to it too: {of_trace:#?}");
    assert_well_formed(log);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_trace_is_carried_on() {
    let log = capture();
    let network = TestNetwork::start().await;
    let app = App::of(&network);
    let post = async |header: &str, value: &str| {
        let transaction_id = fresh_id();
        let context = json!({ "transaction_id": transaction_id, "bpp_id": network.id(Role::Bpp) });
        let body = json!({ "context": context, "message": fixture::selection(FIRST) }).to_string();
        let request =
            http().post(format!("{}/client/select", network.url())).bearer_auth(network.token()).header(header, value);
        let reply = request.header("content-type", "application/json").body(body).send().await.unwrap();
        assert_eq!(reply.status(), 202);
        app.transaction(&transaction_id, "?for=on_select&wait=25").await;
        roots(&log.ended(4, &transaction_id).await)
    };
    let given = "1-6922e570-00112233445566778899aabb";
    let roots = post("x-amzn-trace-id", &format!("Root={given};Parent=53995c3f42cd8ad8;Sampled=1")).await;
    assert_eq!(roots, BTreeSet::from([given.to_owned()]));
    let roots = post("traceparent", "00-6922e571ffeeddccbbaa998877665544-53995c3f42cd8ad8-01").await;
    assert_eq!(roots, BTreeSet::from(["1-6922e571-ffeeddccbbaa998877665544".to_owned()]));
    // What is no trace is not repeated.
    let roots = post("x-amzn-trace-id", "Root=Nila Raman").await;
    assert_eq!(roots.len(), 1);
    assert!(roots.iter().all(|root| root.starts_with("1-") && root.len() == 35), "{roots:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_counted_too() {
    assert_eq!(LONG_ID.len(), 40);
    let log = capture();
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, LONG_ID).await;

    // A peer that cannot be reached, is tried again, and has gone by then.
    bap.answer_next([Answer::Status(500), Answer::Status(503), Answer::Nack("Nila Raman")]);
    let tx = fresh_id();
    bap.send(&bap.message_in(&tx, "select", fixture::selection(FIRST))).await.ack();
    bap.heard(1).await;
    network.settle(CALLBACKS).await;
    let hops = log.ended(4, &tx).await;
    let expected = ["bpp on_select Refused 1", "bpp on_select Retry 1", "bpp on_select Retry 1", "bpp select Ack 1"];
    assert_eq!(sorted(&hops), expected);
    assert_eq!(roots(&hops).len(), 1, "tried again in the same trace");
    assert!(hops.iter().all(|hop| hop["peer"] == LONG_ID));
    assert!(log.lines_with("Nila Raman").is_empty(), "a peer's own words");
    let traces: BTreeSet<String> =
        bap.received().iter().map(|one| one.headers["x-amzn-trace-id"].to_str().unwrap().to_owned()).collect();
    assert_eq!(traces, roots(&hops).iter().map(|root| format!("Root={root}")).collect(), "the peer is told the trace");

    // Refusals: of the message, of the signature, and of one the responder cannot grant.
    let tx = fresh_id();
    let mut elsewhere = bap.message_in(&tx, "init", fixture::booking(FIRST));
    elsewhere["context"]["bpp_id"] = json!("bpp.elsewhere.example");
    bap.send(&elsewhere).await.nack(200, "30000", "context.bpp_id");
    let hops = log.ended(1, &tx).await;
    assert_eq!((sorted(&hops), &hops[0]["Code"]), (vec!["bpp init Nack 1".to_owned()], &json!("30000")));
    assert!(hops[0]["duration_ms"].is_number() && hops[0]["HopLatency"].is_null(), "{}", hops[0]);

    let unknown = Stranger::unregistered(&network, "nobody.stranger.example", bap.row().r#type.unwrap()).await;
    let message = unknown.message("init", fixture::booking(FIRST));
    unknown.send(&message).await.nack(401, "30016", "");
    let hops = log.ended(1, "nobody.stranger.example").await;
    assert_eq!(sorted(&hops), ["bpp init Nack 1 SignatureFailure 1"]);
    assert_eq!((&hops[0]["Code"], &hops[0]["transaction_id"]), (&json!("30016"), &Value::Null), "it was not read");

    // A hold that lapses.
    let tx = fresh_id();
    bap.ask_in(&tx, "init", fixture::booking(SECOND)).await;
    log.ended(2, &tx).await;
    network.idle().await;
    network.advance(SignedDuration::from_secs(610));
    network.tick().await;
    let hops = log.ended(3, &tx).await;
    assert_eq!(sorted(&hops), ["bpp init Ack 1", "bpp on_cancel Delivered 1 Lapse 1", "bpp on_init Delivered 1"]);
    assert_eq!(roots(&hops).len(), 2, "a lapse is nobody's request");
    assert_well_formed(log);
}
