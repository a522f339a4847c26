//! What others published is read, written and signed as they meant it: the vectors of BECKN-006, the
//! messages of the design's seed, the DHP 0.7.3 examples, and the schema of Beckn 1.1.0.
//!
//! The published files are not ours to ship. They are read from `../shared` beside the project; where that
//! is not, each test says so and proves nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod examples;
mod flow;
mod published;
mod rewriting;
mod schema;
mod seed;
mod vectors;
#[path = "../drift/yaml.rs"]
mod yaml;
