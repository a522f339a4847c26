//! What must hold of every input a stranger can send.
//!
//! Invariant: a target panics exactly when the code under it broke a promise, and does the same for the same
//! bytes each time, so that an input that was found stays found.

mod header;
mod message;
mod registry;
mod url;

/// One thing to fuzz.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is that of its folder in `corpus/`.
    pub name: &'static str,
    /// Takes one input.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "header", run: header::run },
    Target { name: "message", run: message::run },
    Target { name: "registry", run: registry::run },
    Target { name: "url", run: url::run },
];

impl Target {
    /// The target of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TARGETS.iter().find(|target| target.name == name).copied()
    }
}
