//! `join`, `doctor` and `keys rotate`.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use beckn_health::network::identity::{Role, new_key};
use beckn_health::operator::diagnosis::{Check, Grade, examine};
use beckn_health::operator::joining::{Join, JoinError, Step};
use beckn_health::operator::participants::{self, Which};
use beckn_health::operator::registry_client::{Asker, RegistryClient};
use beckn_health_platform::clock::{Clock as _, ManualClock, SystemClock};
use beckn_health_platform::participant::ring::KeyRing;
use beckn_health_protocol::registry::{LookupRequest, SubscriberType, Subscription, SubscriptionStatus};
use jiff::SignedDuration;
use serde_json::Value;

use crate::binary::{beckn_health, told, up};
use crate::{Local, now, within};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    beckn_health(folder, arguments).output().unwrap()
}

fn json(output: &Output, code: i32) -> Value {
    told(output, code);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A port of this machine that nobody listens at.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn grade(checks: &Value, name: &str) -> String {
    let check = checks["checks"].as_array().unwrap().iter().find(|check| check["check"] == name);
    check.unwrap_or_else(|| panic!("no check {name} in {checks}"))["result"].as_str().unwrap().to_owned()
}

#[test]
fn a_newcomer_joins_is_served_and_is_healthy() {
    let folder = tempfile::tempdir().unwrap();
    let up = up(folder.path());
    let registry = format!("{}/registry", up.base);
    told(&run(folder.path(), &["keys", "new", "--subscriber-id", "bap.new.example", "--out", "bap.json"]), 0);
    let url = format!("http://127.0.0.1:{}/beckn", free_port());
    let join = |extra: &[&str]| {
        let always = ["join", "--registry", &registry, "--key", "bap.json", "--url", &url, "--type", "bap"];
        run(folder.path(), &[&always[..], extra].concat())
    };
    let text = told(&join(&["--city", "std:080"]), 0);
    let places = [
        "the challenge is answered here: POST /beckn/on_subscribe at 127.0.0.1:",
        "registry.beckn-health.localhost is the registry, and signs with registry-key-1",
        "the registry accepts the request of bap.new.example: UNDER_SUBSCRIPTION",
        "the registry's challenge came and is answered",
        "SUBSCRIBED with the key key-1",
        "others find it by a lookup",
    ]
    .map(|part| text.find(part).unwrap_or_else(|| panic!("{part} is not in {text}")));
    assert!(places.is_sorted(), "{text}");

    // Once more: it stands as it stands, and nobody has to answer.
    let again = json(&join(&["--city", "std:080", "--no-answer", "--json"]), 0);
    assert_eq!((&again["status"], &again["found"]), (&"SUBSCRIBED".into(), &true.into()));

    // Nobody answers there any more, and the doctor says so.
    let doctor = ["doctor", "--registry", &registry, "--key", "bap.json"];
    let gone = run(folder.path(), &doctor);
    assert!(told(&gone, 1).contains("one thing does not work"));
    let lines = String::from_utf8(gone.stdout).unwrap();
    assert!(lines.contains("FAIL  reachable"), "{lines}");
    assert!(lines.contains(&format!("{url}/on_subscribe does not answer: no connection")), "{lines}");
    for name in ["clock", "registry", "key", "row", "key match", "encryption key", "address"] {
        assert!(lines.contains(&format!("ok    {name:14}  ")), "{name} in {lines}");
    }

    // The network's own BAP is well, wherever its keys are read from.
    let own = ["doctor", "--registry", &registry, "--data", "network", "--role", "bap", "--json"];
    let own = json(&run(folder.path(), &own), 0);
    assert_eq!(own["healthy"], true, "{own}");
    assert!(own["checks"].as_array().unwrap().iter().all(|check| check["result"] == "ok"), "{own}");

    // Its id with keys that are not its own.
    let other =
        ["keys", "new", "--subscriber-id", "bap.beckn-health.localhost", "--key-id", "bap-key-1", "--out", "x.json"];
    told(&run(folder.path(), &other), 0);
    let wrong = ["doctor", "--registry", &registry, "--key", "x.json", "--url", &format!("{}/bap", up.base), "--json"];
    let wrong = json(&run(folder.path(), &wrong), 1);
    assert_eq!((grade(&wrong, "key match"), grade(&wrong, "reachable")), ("FAIL".to_owned(), "ok".to_owned()));
    // And a key that is not listed at all.
    told(&run(folder.path(), &["keys", "new", "--subscriber-id", "bap.nobody.example", "--out", "y.json"]), 0);
    let unknown = ["doctor", "--registry", &registry, "--key", "y.json", "--json"];
    assert_eq!(grade(&json(&run(folder.path(), &unknown), 1), "row"), "FAIL");
}

#[test]
fn who_does_not_answer_is_left_out_with_the_registrys_reason() {
    let folder = tempfile::tempdir().unwrap();
    let up = up(folder.path());
    let registry = format!("{}/registry", up.base);
    told(&run(folder.path(), &["keys", "new", "--subscriber-id", "bpp.new.example", "--out", "bpp.json"]), 0);
    // Something listens there, and knows no on_subscribe.
    let url = format!("{}/nowhere", up.base);
    let join = ["join", "--registry", &registry, "--key", "bpp.json", "--url", &url, "--type", "BPP", "--json"];
    let output = run(folder.path(), &join);
    let reason = "on_subscribe answered with status 404; expected 200, and no redirect";
    assert!(told(&output, 1).contains(&format!("left the participant out (INITIATED): {reason}")));
    let report = json(&output, 1);
    assert_eq!((&report["status"], &report["reason"]), (&"INITIATED".into(), &reason.into()));

    // The same again is challenged again, and refused again.
    let again = json(&run(folder.path(), &join), 1);
    assert!(again["steps"].to_string().contains("came to nothing before"), "{again}");

    // A participant that is listed does not get another key by joining.
    let taken = ["keys", "new", "--subscriber-id", "bpp.beckn-health.localhost", "--key-id", "k9", "--out", "k9.json"];
    told(&run(folder.path(), &taken), 0);
    let url = format!("{}/bpp", up.base);
    let join = ["join", "--registry", &registry, "--key", "k9.json", "--url", &url, "--type", "BPP"];
    let refused = told(&run(folder.path(), &join), 1);
    assert!(refused.contains("status 401") && refused.contains("keys rotate"), "{refused}");

    for wrong in [
        &["join", "--registry", &registry, "--key", "bpp.json", "--url", "x", "--type", "BPP"][..],
        &["join", "--registry", &registry, "--key", "bpp.json", "--url", &url, "--type", "BREG"],
        &["join", "--registry", &registry, "--url", &url, "--type", "BPP"],
        &["doctor", "--registry", &registry, "--data", "network"],
        &["keys", "rotate", "--key", "bpp.json"],
    ] {
        told(&run(folder.path(), wrong), 2);
    }
}

#[test]
fn a_key_is_rotated_while_the_network_runs() {
    let folder = tempfile::tempdir().unwrap();
    let up = up(folder.path());
    let registry = format!("{}/registry", up.base);
    let rotate = ["keys", "rotate", "--registry", &registry, "--data", "network", "--role", "bap"];
    let short = told(&run(folder.path(), &[&rotate[..], &["--overlap", "1m"]].concat()), 1);
    assert!(short.contains("expected an overlap of 7m or more"), "{short}");
    let text = told(&run(folder.path(), &[&rotate[..], &["--new-key-id", "bap-key-2"]].concat()), 0);
    let places =
        ["bap-key-2 is made", "is asked to list it", "lists it", "it signs from now on", "bap-key-1, the key before"]
            .map(|part| text.find(part).unwrap_or_else(|| panic!("{part} is not in {text}")));
    assert!(places.is_sorted(), "{text}");
    let kept: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("network/keys/bap.json")).unwrap()).unwrap();
    assert_eq!(kept["active"], "bap-key-2");
    let doctor = ["doctor", "--registry", &registry, "--data", "network", "--role", "bap"];
    let healthy = told(&run(folder.path(), &doctor), 0);
    assert!(healthy.contains("in force too: bap-key-1 until "), "{healthy}");
}

fn stranger(id: &str) -> Asker {
    let subscriber_id = id.parse().unwrap();
    Asker { ring: KeyRing::of(Some(id.parse().unwrap()), new_key("k1".parse().unwrap())), subscriber_id }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_waited_for_and_then_told() {
    let clock = Arc::new(ManualClock::at(now()));
    let local = Local::with(clock.clone()).await;
    let registry = RegistryClient::new(&format!("{}/registry", local.network.base_url())).unwrap();
    let asker = stranger("bap.silent.example");
    let row = Subscription {
        url: Some(format!("http://127.0.0.1:{}", free_port())),
        r#type: Some(SubscriberType::Bap),
        ..Subscription::default()
    };
    let join = |timeout| Join { asker: &asker, registry: &registry, row: row.clone(), clock: clock.as_ref(), timeout };
    let pause = async |time: Duration| {
        // Whatever the registry has to do meanwhile, it does.
        tokio::time::sleep(Duration::from_millis(20)).await;
        clock.advance(SignedDuration::try_from(time).unwrap());
        local.network.sqs().wake();
    };
    let mut steps = Vec::new();
    let hasty = join(SignedDuration::from_secs(1)).join(None, |step| steps.push(step), &pause).await.unwrap_err();
    assert!(matches!(hasty, JoinError::Undecided { .. }), "{hasty}");
    assert!(steps.contains(&Step::Accepted(SubscriptionStatus::UnderSubscription)), "{steps:?}");

    let patient = join(SignedDuration::from_mins(10));
    let refused = within("the registry to give up", patient.join(None, |_| {}, &pause)).await.unwrap_err();
    let JoinError::LeftOut { status, reason } = refused else { panic!("{refused}") };
    assert_eq!(status, SubscriptionStatus::Initiated);
    assert!(reason.starts_with("on_subscribe cannot be reached: "), "{reason}");
    let rows = participants::list(&local.deployment, Which::Of(asker.subscriber_id.clone())).await.unwrap();
    assert!(rows.iter().all(|row| !row.is_in_force(clock.now())), "{rows:?}");
    local.network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_row_is_told_apart() {
    let local = Local::start().await;
    let registry = RegistryClient::new(&format!("{}/registry", local.network.base_url())).unwrap();
    let asker = stranger("bap.ill.example");
    let other = new_key("k1".parse().unwrap());
    let row = Subscription {
        subscriber_id: Some(asker.subscriber_id.clone()),
        key_id: "k1".parse().ok(),
        r#type: Some(SubscriberType::Bap),
        url: Some(format!("{}/client", local.network.base_url())),
        signing_public_key: Some(asker.ring.active().signing.verifying_key().to_base64()),
        encr_public_key: other.encryption.map(|key| key.public_key().to_base64()),
        valid_until: now().checked_add(SignedDuration::from_hours(48)).ok(),
        ..Subscription::default()
    };
    participants::add(&local.deployment, row, now()).await.unwrap();
    let bap = local.network.role(Role::Bap).participant.url.clone();
    let checks = examine(&asker, &registry, Some(&bap), &SystemClock).await;
    let grade = |name: &str| checks.iter().find(|check| check.name == name).map(|check: &Check| check.grade);
    let told: Vec<_> = ["clock", "registry", "key match", "row", "encryption key", "url", "reachable"]
        .map(|name| grade(name).unwrap())
        .into();
    let expected = [Grade::Ok, Grade::Ok, Grade::Ok, Grade::Warn, Grade::Fail, Grade::Fail, Grade::Ok];
    assert_eq!(told, expected, "{checks:?}");
    assert!(checks.iter().all(|check| (check.grade == Grade::Ok) == check.advice.is_none()), "{checks:?}");

    // Where the registry says, no participant answers.
    let checks = examine(&asker, &registry, None, &SystemClock).await;
    let reachable = checks.iter().find(|check| check.name == "reachable").unwrap();
    assert!(reachable.grade == Grade::Fail && reachable.found.contains("is not served (status 404)"), "{reachable:?}");

    // A registry that is none.
    let nowhere = RegistryClient::new(&format!("http://127.0.0.1:{}", free_port())).unwrap();
    let checks = examine(&asker, &nowhere, Some(&bap), &SystemClock).await;
    assert_eq!((checks[0].name, checks[0].grade), ("registry", Grade::Fail));
    let wanted = LookupRequest { key_id: "k1".parse().ok(), ..LookupRequest::default() };
    assert_eq!(registry.lookup(&asker, &wanted, now()).await.unwrap().len(), 1);
    local.network.stop().await;
}
