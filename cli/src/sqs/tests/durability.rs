//! What was accepted survives the end of the process.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{ManualClock, NOW, VISIBILITY, bodies, receive, send, settings};
use crate::sqs::{OutgoingMessage, Sqs, SqsError};

/// Set in the process that is to be killed: the file it sends to.
const VICTIM: &str = "BECKN_HEALTH_TEST_SQS_VICTIM";

async fn open(path: &Path, clock: &ManualClock) -> Sqs {
    let sqs = Sqs::open(Some(path), clock.reader()).unwrap();
    sqs.create_queue(settings("bpp-select")).await.unwrap();
    sqs
}

#[tokio::test]
async fn messages_receives_and_handles_survive_a_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sqs.db");
    let clock = ManualClock::new();

    let sqs = open(&path, &clock).await;
    send(&sqs, "a").await;
    send(&sqs, "b").await;
    let held = receive(&sqs, 1).await.remove(0);
    drop(sqs);

    let sqs = open(&path, &clock).await;
    assert_eq!(bodies(&receive(&sqs, 10).await), ["b"], "`a` is still in flight");
    sqs.delete("bpp-select", vec![held.receipt_handle]).await.unwrap();
    clock.advance(VISIBILITY);
    let again = receive(&sqs, 10).await;
    assert_eq!(bodies(&again), ["b"]);
    assert_eq!(again[0].receive_count, 2);
}

#[tokio::test]
async fn messages_in_flight_can_be_released_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sqs.db");
    let clock = ManualClock::new();
    let sqs = open(&path, &clock).await;
    send(&sqs, "a").await;
    receive(&sqs, 1).await;
    drop(sqs);

    let sqs = open(&path, &clock).await;
    assert_eq!(sqs.release_in_flight().await.unwrap(), 1);
    assert_eq!(receive(&sqs, 1).await[0].receive_count, 2);
}

#[tokio::test]
async fn a_second_opening_of_the_same_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sqs.db");
    let clock = ManualClock::new();
    let _sqs = open(&path, &clock).await;
    assert!(matches!(Sqs::open(Some(&path), clock.reader()), Err(SqsError::Storage(_))));
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sqs.db");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
    let refused = Sqs::open(Some(&path), ManualClock::new().reader());
    assert!(matches!(refused, Err(SqsError::SchemaTooNew { found: 2, known: 1 })));
}

/// Starts this very test as another process, which sends until it is killed (SIGKILL) in the middle,
/// and looks for every message whose acceptance that process had been told of.
#[tokio::test]
async fn everything_accepted_survives_kill_9() {
    if let Some(path) = std::env::var_os(VICTIM) {
        return send_until_killed(Path::new(&path)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sqs.db");
    let test = concat!(module_path!(), "::everything_accepted_survives_kill_9");
    let (_, test) = test.split_once("::").unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(VICTIM, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap());
    let mut accepted = BTreeSet::new();
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 {
        // The test harness may have written before the first line; a killed line has no end.
        if let Some((_, id)) = line.trim_end_matches('\n').split_once("accepted ")
            && line.ends_with('\n')
        {
            accepted.insert(id.to_owned());
        }
        if accepted.len() == 200 {
            victim.kill().unwrap();
        }
        line.clear();
    }
    victim.wait().unwrap();
    assert!(accepted.len() >= 200, "only {} were accepted", accepted.len());

    let sqs = open(&path, &ManualClock::new()).await;
    let mut found = BTreeSet::new();
    loop {
        let messages = sqs.receive("bpp-select", 100, NOW).await.unwrap();
        if messages.is_empty() {
            break;
        }
        found.extend(messages.into_iter().map(|message| message.message_id));
    }
    let lost: Vec<_> = accepted.difference(&found).collect();
    assert!(lost.is_empty(), "lost {lost:?}");
}

async fn send_until_killed(path: &Path) {
    let sqs = open(path, &ManualClock::new()).await;
    let senders: Vec<_> = (0..16)
        .map(|_| {
            let sqs = sqs.clone();
            tokio::spawn(async move {
                // Bounded, so that a victim nobody kills ends by itself.
                for _ in 0..100_000 {
                    let message = OutgoingMessage::new("x".repeat(2_048));
                    let sent = sqs.send("bpp-select", message).await.unwrap();
                    writeln!(std::io::stdout(), "accepted {}", sent.message_id).unwrap();
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
}
