//! What is said about many measurements of one thing.
//!
//! Invariant: a quantile is one of the values measured, never one between two of them.

use std::time::Duration;

/// Values in the order of their size.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures(Vec<f64>);

impl Figures {
    /// Sorts what was measured; `None` when nothing was.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        values.sort_by(f64::total_cmp);
        Some(Self(values))
    }

    /// The same for durations, in milliseconds.
    #[must_use]
    pub fn milliseconds(durations: &[Duration]) -> Option<Self> {
        Self::of(durations.iter().map(|duration| duration.as_secs_f64() * 1e3).collect())
    }

    /// The smallest value that `share` (0 to 1) of all values do not exceed.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let count = self.0.len();
        let rank = (share.clamp(0.0, 1.0) * count as f64).ceil() as usize;
        self.0.get(rank.clamp(1, count) - 1).copied().unwrap_or(f64::NAN)
    }

    /// Half of the values do not exceed it.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The largest value.
    #[must_use]
    pub fn largest(&self) -> f64 {
        self.quantile(1.0)
    }

    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let figures = Figures::of((1..=100).rev().map(f64::from).collect()).unwrap();
        assert_eq!(figures.median(), 50.0);
        assert_eq!(figures.quantile(0.99), 99.0);
        assert_eq!(figures.largest(), 100.0);
        assert_eq!(figures.quantile(0.0), 1.0);
        assert_eq!(Figures::of(vec![7.0]).unwrap().quantile(0.99), 7.0);
        assert_eq!(Figures::of(Vec::new()), None);
    }

    #[test]
    fn durations_are_given_in_milliseconds() {
        let figures = Figures::milliseconds(&[Duration::from_micros(1_500), Duration::from_secs(2)]).unwrap();
        assert_eq!((figures.median(), figures.largest()), (1.5, 2_000.0));
    }
}
