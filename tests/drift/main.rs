//! Nothing drifts apart: the `FUNCTION` constants, the binaries, the templates under `infra/` and the
//! sample events describe the same functions, queues and tables.
//!
//! Each test collects every disagreement and names them all, so one run tells what to mend.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod actions;
mod binaries;
mod functions;
mod policies;
mod queues;
mod samples;
mod spoilt;
mod stacks;
mod tables;
mod yaml;

use std::collections::BTreeSet;
use std::path::PathBuf;

use stacks::Stacks;

/// What was found to disagree.
#[derive(Default)]
struct Disagreements(Vec<String>);

impl Disagreements {
    /// Notes `what` unless it holds.
    fn unless(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.0.push(what());
        }
    }

    /// Notes that `what` is `found` where `expected` stands elsewhere.
    fn differs<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, found: &T, expected: &T) {
        self.unless(found == expected, || format!("{what} is {found:?}, expected {expected:?}"));
    }

    /// Notes what one set has and the other lacks.
    fn sets(&mut self, what: &str, found: &BTreeSet<String>, expected: &BTreeSet<String>) {
        self.0.extend(expected.difference(found).map(|missing| format!("{what}: {missing} is missing")));
        self.0.extend(found.difference(expected).map(|extra| format!("{what}: {extra} is one too many")));
    }

    #[track_caller]
    fn none(&self) {
        assert!(self.0.is_empty(), "{} disagreements:\n  {}", self.0.len(), self.0.join("\n  "));
    }
}

/// The project's root.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn source(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The source of the module that holds a function's constant.
fn handler(name: &str) -> String {
    let (role, module) = name.split_once('-').unwrap();
    source(&format!("functions/src/{role}/{}.rs", module.replace('-', "_")))
}

/// Whether a stream function looks at what was deleted; one that does wants deletions alone, whole.
fn reads_what_was_removed(name: &str) -> bool {
    handler(name).contains(".removed")
}

#[test]
fn every_function_has_its_binary() {
    binaries::check().none();
}

#[test]
fn every_function_is_deployed_as_its_constant_says() {
    functions::check(&Stacks::read()).none();
}

#[test]
fn every_function_may_do_what_it_does_and_nothing_else() {
    policies::check(&Stacks::read()).none();
}

#[test]
fn every_queue_is_deployed_as_its_function_says() {
    queues::check(&Stacks::read()).none();
}

#[test]
fn every_table_is_deployed_as_the_store_uses_it() {
    tables::check(&Stacks::read()).none();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_local_network_makes_the_tables_that_are_deployed() {
    tables::check_local(&Stacks::read()).await.none();
}

#[test]
fn the_root_stack_fits_the_nested_ones() {
    stacks::check_root(&Stacks::read()).none();
}

#[test]
fn every_function_has_sample_events() {
    samples::check().none();
}

#[test]
fn a_spoilt_template_is_found_out() {
    spoilt::check();
}
