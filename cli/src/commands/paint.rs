//! Colours, on a terminal only.

use std::io::IsTerminal as _;

/// Paints words, or leaves them as they are.
pub struct Paint(bool);

impl Paint {
    /// For standard output: colours when that is a terminal and `NO_COLOR` is not set.
    pub fn of_stdout() -> Self {
        Self(std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none())
    }

    /// No colours.
    pub fn none() -> Self {
        Self(false)
    }

    fn with(&self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// What matters little.
    pub fn faint(&self, text: &str) -> String {
        self.with("2", text)
    }

    /// What to look at first.
    pub fn bold(&self, text: &str) -> String {
        self.with("1", text)
    }

    /// What went well.
    pub fn good(&self, text: &str) -> String {
        self.with("32", text)
    }

    /// What did not.
    pub fn bad(&self, text: &str) -> String {
        self.with("31", text)
    }
}
