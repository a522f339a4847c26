//! Progress of long work, on a terminal only.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar on standard error; silent when that is no terminal or the work is short.
pub struct Bar(ProgressBar);

impl Bar {
    /// Starts a bar of `length` steps.
    pub fn start(what: &'static str, length: usize) -> Self {
        /// Fewer steps than this are done before anyone could read the bar.
        const SHORT: usize = 5_000;
        if length < SHORT || !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(length as u64).with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// `done` steps are done.
    pub fn at(&self, done: usize) {
        self.0.set_position(done as u64);
    }

    /// The work is done.
    pub fn finish(self) {
        self.0.finish_and_clear();
    }
}
