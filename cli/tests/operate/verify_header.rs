//! `verify-header`.

use std::path::Path;
use std::process::{Command, Output};

use beckn_health_platform::participant::ring::KeyRing;
use serde_json::Value;

use crate::binary::{beckn_health, told, up};
use crate::now;

fn explained(folder: &Path, arguments: &[&str], code: i32) -> Value {
    let output = beckn_health(folder, &[&["verify-header"], arguments, &["--json"]].concat()).output().unwrap();
    told(&output, code);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The example of `--help`, as it is pasted.
fn example(folder: &Path) -> (String, Output) {
    let help = told(&beckn_health(folder, &["verify-header", "--help"]).output().unwrap(), 0);
    let lines = help.lines().skip_while(|line| !line.starts_with("  printf ")).take_while(|line| !line.is_empty());
    let script: Vec<&str> = lines.collect();
    let script = script.join("\n");
    let program = Path::new(env!("CARGO_BIN_EXE_beckn-health")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh").args(["-e", "-c", &script]).current_dir(folder).env("PATH", path).output().unwrap();
    (script, output)
}

#[test]
fn the_example_can_be_pasted_and_what_is_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (script, output) = example(folder.path());
    let text = told(&output, 0);
    assert!(text.contains("(created): 1735689600\n"), "{text}");
    assert!(text.ends_with("valid: a receiver accepts this signature\n"), "{text}");

    let part = |from: &str, to: char| script.split_once(from).unwrap().1.split(to).next().unwrap().to_owned();
    let (header, key) = (part("--header '", '\''), part("--public-key ", ' '));
    std::fs::write(folder.path().join("header.txt"), format!("Authorization: {header}\n")).unwrap();
    let at = |time: &'static str| -> [&str; 6] { ["--body", "body.json", "--now", time, "--public-key", &key] };
    let in_force = [&at("2025-01-01T00:01:00Z")[..], &["--header", "@header.txt"]].concat();
    let valid = explained(folder.path(), &in_force, 0);
    assert_eq!((&valid["valid"], &valid["signer"]["subscriber_id"]), (&true.into(), &"bap.example".into()));
    let text = |value: &Value| value.to_string();

    let late = explained(folder.path(), &[&at("2025-01-01T00:05:01Z")[..], &["--header", &header]].concat(), 1);
    assert!(text(&late["reason"]).contains("found it 1 s behind"), "{late}");

    let body = folder.path().join("body.json");
    std::fs::write(&body, r#"{"message":{"intent":{}}}"#).unwrap();
    let again = explained(folder.path(), &in_force, 1);
    assert!(text(&again["likely"]).contains("the body was written anew after it was signed"), "{again}");
    std::fs::write(&body, r#"{"message": {"intent": {}}}"#).unwrap();

    let other = beckn_health::network::identity::new_key("k".parse().unwrap()).signing.verifying_key().to_base64();
    let wrong = [&in_force[..4], &["--public-key", &other, "--header", "@header.txt"]].concat();
    let wrong = explained(folder.path(), &wrong, 1);
    assert!(text(&wrong["reason"]).contains("by the registered key, found another"), "{wrong}");
    assert_eq!(wrong["likely"], serde_json::json!([]));

    let no_key = explained(folder.path(), &[&in_force[..4], &["--header", &header]].concat(), 1);
    assert!(text(&no_key["reason"]).contains("add --public-key"), "{no_key}");
    let unread = explained(folder.path(), &["--body", "body.json", "--header", "Bearer x"], 1);
    assert!(text(&unread["reason"]).contains("expected the scheme"), "{unread}");
}

#[test]
fn the_key_is_the_one_the_registry_lists() {
    let folder = tempfile::tempdir().unwrap();
    let up = up(folder.path());
    let registry = format!("{}/registry", up.base);
    let ring = |role: &str| {
        let file = std::fs::read(folder.path().join(format!("network/keys/{role}.json"))).unwrap();
        KeyRing::parse(&file, None).unwrap()
    };
    let body = br#"{"context":{}}"#;
    std::fs::write(folder.path().join("body.json"), body).unwrap();
    let verify = |header: &str, code| {
        let arguments = ["--body", "body.json", "--header", header, "--registry", &registry];
        explained(folder.path(), &[&arguments[..], &["--key", "network/keys/bap.json"]].concat(), code)
    };
    let bpp = ring("bpp");
    let id = bpp.subscriber_id.clone().unwrap();
    assert_eq!(verify(&bpp.sign(&id, body, now()), 0)["valid"], true);
    // Signed by a BAP in the name of a BPP.
    let forged =
        bpp.sign(&id, body, now()).replace("bpp.beckn-health.localhost|bpp-", "bap.beckn-health.localhost|bap-");
    assert!(verify(&forged, 1)["reason"].to_string().contains("found another"));
    let unlisted = bpp.sign(&"nobody.example".parse().unwrap(), body, now());
    let reason = verify(&unlisted, 1)["reason"].to_string();
    assert!(reason.contains("lists no key bpp-key-1 of nobody.example"), "{reason}");
}
