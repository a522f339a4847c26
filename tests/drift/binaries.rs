//! One binary for each function, that runs its constant and no other.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::{Disagreements, handler, root, source};

pub(crate) fn check() -> Disagreements {
    let mut found = Disagreements::default();
    let functions: BTreeSet<String> = beckn_health_functions::all().map(|function| function.name.to_owned()).collect();
    let count = beckn_health_functions::all().count();
    found.unless(functions.len() == count, || format!("{count} constants share {} names", functions.len()));

    let files: BTreeSet<String> = std::fs::read_dir(root().join("functions/src/bin"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().trim_end_matches(".rs").to_owned())
        .collect();
    found.sets("functions/src/bin", &files, &functions);

    let targets = targets();
    let declared: BTreeSet<String> = targets.iter().map(|target| text(&target["name"])).collect();
    found.sets("[[bin]] of functions/Cargo.toml", &declared, &functions);
    for target in &targets {
        let name = text(&target["name"]);
        let path = text(&target["src_path"]);
        found.unless(path.ends_with(&format!("functions/src/bin/{name}.rs")), || {
            format!("{name}: its [[bin]] is {path}")
        });
        // A test binary for each function would cost minutes of linking and test nothing.
        found.differs(&format!("{name}: test of its [[bin]]"), &target["test"], &Value::from(false));
        found.differs(&format!("{name}: doc of its [[bin]]"), &target["doc"], &Value::from(false));
    }
    for name in files.intersection(&functions) {
        runs(&mut found, name);
    }
    unwinds(&mut found);
    found
}

/// The release profile says that a panic unwinds: where nothing is said, cargo-lambda builds with "abort", and
/// one panicking record would take its whole batch with it.
fn unwinds(found: &mut Disagreements) {
    let manifest = source("Cargo.toml");
    let release = manifest.split("[profile.release]").nth(1).and_then(|rest| rest.split("\n[").next());
    found.unless(release.is_some_and(|profile| profile.contains("panic = \"unwind\"")), || {
        "Cargo.toml: profile.release does not say panic = \"unwind\"".to_owned()
    });
}

/// The binary runs `<role>::<module>::FUNCTION`, and that module's constant bears the binary's name.
fn runs(found: &mut Disagreements, name: &str) {
    let (role, module) = name.split_once('-').unwrap();
    let module = module.replace('-', "_");
    let main = source(&format!("functions/src/bin/{name}.rs"));
    let expected =
        format!("beckn_health_platform::lambda::run(beckn_health_functions::{role}::{module}::FUNCTION).await");
    let calls = main.matches("lambda::run(").count();
    found.unless(calls == 1 && main.contains(&expected), || {
        format!("{name}: its binary does not run {role}::{module}::FUNCTION")
    });
    let bears = handler(name).contains(&format!("name: \"{name}\""));
    found.unless(bears, || format!("functions/src/{role}/{module}.rs: its constant is not named {name}"));
}

/// The binaries of the functions' package, as cargo reads its manifest.
fn targets() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "beckn-health-functions").unwrap();
    let targets = package["targets"].as_array().unwrap().iter();
    targets.filter(|target| target["kind"] == serde_json::json!(["bin"])).cloned().collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
