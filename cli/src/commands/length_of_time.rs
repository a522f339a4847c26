//! Lengths of time on the command line.

use jiff::SignedDuration;

/// A length of time as people write it: `24h`, `90m`, `7d`, `1h 30m`.
///
/// # Errors
/// It is none, or not longer than nothing.
pub fn length_of_time(text: &str) -> Result<SignedDuration, String> {
    let expected = || "expected a length of time such as 30m, 24h or 7d".to_owned();
    let span: jiff::Span = text.parse().map_err(|_| expected())?;
    let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| expected())?;
    if length.is_positive() { Ok(length) } else { Err(expected()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_read_as_people_write_it() {
        assert_eq!(length_of_time("24h"), Ok(SignedDuration::from_hours(24)));
        assert_eq!(length_of_time("7d"), Ok(SignedDuration::from_hours(7 * 24)));
        assert_eq!(length_of_time("1h 30m"), Ok(SignedDuration::from_mins(90)));
        for wrong in ["", "soon", "-1h", "0s", "1mo"] {
            assert!(length_of_time(wrong).is_err(), "{wrong}");
        }
    }
}
