//! Every sample event does what the name of its file says (`events/README.md`), fed to its handler the way
//! AWS would feed it, in a network whose clock stands at the event's own instant.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod answers;
mod sample;
mod scene;

use beckn_health::commands::events::{SAMPLE_SEED, signed};
use beckn_health_protocol::signature::SigningKey;
use jiff::Timestamp;
use sample::Sample;
use scene::Scene;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_committed_event_is_answered_as_its_name_says() {
    let samples = Sample::all();
    let at = samples[0].at;
    for sample in &samples {
        assert_eq!(sample.at, at, "{}: all samples happen at one instant", sample.name());
    }
    play(samples, at).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_signed_anew_is_answered_as_before() {
    let at: Timestamp = "2026-12-14T04:00:00Z".parse().unwrap();
    let samples = Sample::all().into_iter().filter(|sample| sample.case != "named-slot");
    let dated = samples.map(|sample| {
        let bytes = signed(&sample.path, &std::fs::read(&sample.path).unwrap(), at)
            .unwrap_or_else(|failure| panic!("{failure:?}"));
        Sample::read(sample.path, &bytes)
    });
    play(dated.collect(), at).await;
}

async fn play(samples: Vec<Sample>, at: Timestamp) {
    let scene = Scene::set(&samples, at).await;
    let mut wrong = Vec::new();
    let mut cases = 0;
    for sample in scene::in_order(samples) {
        cases += 1;
        if let Err(problem) = scene.play(&sample).await {
            wrong.push(format!("{}: {problem}", sample.name()));
        }
    }
    scene.end().await;
    eprintln!("{cases} sample events played at {at}");
    assert!(wrong.is_empty(), "{} of {cases} events:\n  {}", wrong.len(), wrong.join("\n  "));
}

#[test]
fn committed_events_are_signed_as_the_command_signs_them() {
    for sample in Sample::all() {
        let bytes = std::fs::read(&sample.path).unwrap();
        let again = signed(&sample.path, &bytes, sample.at).unwrap_or_else(|failure| panic!("{failure:?}"));
        assert!(again == bytes, "{}: run `beckn-health events sign --at {}`", sample.name(), sample.at);
    }
}

#[test]
fn the_key_told_to_readers_is_the_key_that_signs() {
    let readme = std::fs::read_to_string(sample::folder().join("README.md")).unwrap();
    let told = |name: &str| {
        let line = readme.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}"));
        line.trim().to_owned()
    };
    let key = SigningKey::generate(SAMPLE_SEED);
    assert_eq!(told("public key"), key.verifying_key().to_base64());
    assert_eq!(SigningKey::from_base64(&told("seed")).unwrap().to_base64(), key.to_base64());
}
