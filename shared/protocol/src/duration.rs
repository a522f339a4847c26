//! ISO 8601 durations: `ttl` and the lengths of time in a message.
//!
//! Invariant: a [`Ttl`] is a well-formed, non-negative duration, kept as written and read as a number of
//! seconds between zero and [`Ttl::MAX`].

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::wire::{Described, Shape};

/// A text that is no ISO 8601 duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an ISO 8601 duration, such as \"PT10M\"")]
pub struct InvalidDuration;

/// An ISO 8601 duration, such as `PT10M`, as written.
///
/// Beckn 1.1.0 uses it for `context.ttl` and the `ttl` of quotes, items and catalogues. A year counts as
/// 365 days and a month as 30: a message's lifetime needs a bound, not a calendar.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ttl {
    written: String,
    length: SignedDuration,
}

impl Ttl {
    /// The longest lifetime that is believed: 30 days. Published examples carry `P1M` where they mean ten
    /// minutes, and a peer must not make us remember a message for a century.
    pub const MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

    /// Reads an ISO 8601 duration: `P[nY][nM][nW][nD][T[nH][nM][nS]]`, only the last number may have a
    /// fraction.
    ///
    /// # Errors
    /// [`InvalidDuration`] when the text has another form or is negative.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidDuration> {
        let written = text.into();
        let seconds = seconds(&written).ok_or(InvalidDuration)?;
        let length =
            if seconds >= Self::MAX.as_secs_f64() { Self::MAX } else { SignedDuration::from_secs_f64(seconds) };
        Ok(Self { written, length })
    }

    /// A duration of whole seconds.
    #[must_use]
    pub fn from_seconds(seconds: u32) -> Self {
        let length = SignedDuration::from_secs(i64::from(seconds)).min(Self::MAX);
        Self { written: format!("PT{seconds}S"), length }
    }

    /// The length of time, at most [`Ttl::MAX`].
    #[must_use]
    pub const fn as_signed_duration(&self) -> SignedDuration {
        self.length
    }

    /// The text as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

/// The number of seconds a duration stands for; `None` when the text is malformed.
fn seconds(text: &str) -> Option<f64> {
    const DATE: [(u8, f64); 4] = [(b'Y', 31_536_000.0), (b'M', 2_592_000.0), (b'W', 604_800.0), (b'D', 86_400.0)];
    const TIME: [(u8, f64); 3] = [(b'H', 3_600.0), (b'M', 60.0), (b'S', 1.0)];

    // Nobody needs more, and it bounds the numbers below.
    if text.len() > 64 {
        return None;
    }
    let (date, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (text.strip_prefix('P')?, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let mut total = 0.0;
    let mut fraction_seen = false;
    for (part, units) in [(date, DATE.as_slice()), (time, TIME.as_slice())] {
        let mut rest = part;
        let mut units = units.iter();
        while !rest.is_empty() {
            if fraction_seen {
                return None;
            }
            let end = rest.find(|c: char| c.is_ascii_uppercase())?;
            let (number, tail) = rest.split_at(end);
            let unit = *tail.as_bytes().first()?;
            let well_formed = number.starts_with(|c: char| c.is_ascii_digit())
                && number.ends_with(|c: char| c.is_ascii_digit())
                && number.chars().all(|c| c.is_ascii_digit() || c == '.' || c == ',');
            if !well_formed {
                return None;
            }
            fraction_seen = number.contains(['.', ',']);
            let value: f64 = number.replace(',', ".").parse().ok()?;
            // The units come in order and at most once.
            let (_, length) = units.find(|(name, _)| *name == unit)?;
            total += value * length;
            rest = tail.get(1..)?;
        }
    }
    Some(total)
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl FromStr for Ttl {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        Self::parse(text)
    }
}

impl Serialize for Ttl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for Ttl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Described for Ttl {
    const SHAPE: Shape = Shape::Duration;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn durations_are_read_and_survive_as_written() {
        for (text, expected) in [
            ("PT10M", 600),
            ("PT5M", 300),
            ("PT30S", 30),
            ("PT1H30M", 5_400),
            ("P1D", 86_400),
            ("P1W", 604_800),
            ("P1DT2H", 93_600),
            ("PT0S", 0),
            ("PT0010M", 600),
        ] {
            let ttl = Ttl::parse(text).unwrap();
            assert_eq!(ttl.as_signed_duration(), SignedDuration::from_secs(expected), "{text}");
            assert_eq!(ttl.as_str(), text);
        }
        assert_eq!(Ttl::parse("PT0.5S").unwrap().as_signed_duration(), SignedDuration::from_millis(500));
        assert_eq!(Ttl::parse("PT0,5S").unwrap().as_signed_duration(), SignedDuration::from_millis(500));
    }

    #[test]
    fn absurd_values_are_capped_and_still_survive() {
        for text in ["P1M", "P100Y", "PT99999999999999999999S", "P9999999999999999Y"] {
            let ttl = Ttl::parse(text).unwrap();
            assert_eq!(ttl.as_signed_duration(), Ttl::MAX, "{text}");
            assert_eq!(ttl.to_string(), text);
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "P",
            "PT",
            "P1DT",
            "10M",
            "-PT10M",
            "PT-10M",
            "PT10",
            "PTM",
            "PT10m",
            "PT1M1H",
            "PT1M1M",
            "P1S",
            "PT1.5M3S",
            "PT1..5S",
            "PT.5S",
            "PT5.S",
            "5 minutes",
            "PT１M",
            "PT1M ",
        ] {
            assert_eq!(Ttl::parse(text), Err(InvalidDuration), "{text}");
        }
    }
}
