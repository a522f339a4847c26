//! The published consultation examples of DHP 0.7.3.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use beckn_health_protocol::action::{Action, Verb};
use beckn_health_protocol::dialect::{self, Reading};
use serde_json::Value;

use crate::{published, rewriting};

const FOLDER: &str = "data/dhp-0.7.3/examples/consultation";

/// The files under `<action>/`, with the message that folder and name say they are.
fn files(folder: &Path) -> Vec<(PathBuf, Verb)> {
    let mut found = Vec::new();
    for action in Action::ALL {
        for entry in std::fs::read_dir(folder.join(action.as_str())).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.ends_with(".json") {
                let callback = name.starts_with("on_");
                found.push((path, if callback { action.callback().into() } else { action.into() }));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_consultation_example_is_accepted_in_compat_and_survives() {
    let Some(folder) = published::find(FOLDER) else { return };
    let files = files(&folder);
    let (mut wrong, mut strict, mut settled) = (Vec::new(), 0, BTreeMap::<&str, usize>::new());
    for (path, verb) in &files {
        let name = path.strip_prefix(&folder).unwrap().display();
        let mut message: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        strict += usize::from(dialect::read(message.to_string().as_bytes(), *verb, Reading::Strict).is_ok());
        let unknown = rewriting::add_unknown(&mut message);
        match rewriting::rewritten(&message, *verb) {
            Err(fault) => wrong.push(format!("{name}: {fault}")),
            Ok((envelope, written)) => {
                let places: Vec<&str> = envelope.tolerated.iter().map(|tolerated| tolerated.path.as_str()).collect();
                let lost = rewriting::lost(&message, &written, &places);
                if !lost.is_empty() || rewriting::count_unknown(&written) != unknown {
                    wrong.push(format!("{name}: lost {lost:?}"));
                }
                for tolerated in &envelope.tolerated {
                    *settled.entry(tolerated.id).or_default() += 1;
                }
            }
        }
    }
    eprintln!(
        "{} consultation examples: {} accepted in compat, {strict} in strict; settled: {settled:?}",
        files.len(),
        files.len() - wrong.len()
    );
    assert!(!files.is_empty());
    assert!(wrong.is_empty(), "{} of {} examples:\n  {}", wrong.len(), files.len(), wrong.join("\n  "));
}
