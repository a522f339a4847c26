//! The fuzzer: libFuzzer over the target that `FUZZ_TARGET` names. `fuzz/run` builds and starts it.
#![no_main]

use std::sync::OnceLock;

use beckn_health_fuzz::{TARGETS, Target};

static TARGET: OnceLock<Target> = OnceLock::new();

/// Takes the target from the environment: libFuzzer has the command line to itself.
fn choose() {
    let named = std::env::var("FUZZ_TARGET").ok().and_then(|name| Target::named(&name));
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert!(named.is_some(), "expected FUZZ_TARGET to be one of {names:?}");
    if let Some(target) = named {
        let _ = TARGET.set(target);
    }
}

libfuzzer_sys::fuzz_target!(init: { choose() }, |data: &[u8]| {
    if let Some(target) = TARGET.get() {
        (target.run)(data);
    }
});
