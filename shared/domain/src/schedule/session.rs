//! One session: a stretch of a working day cut into slots of equal length.
//!
//! Invariant: a [`Session`] is on at least one weekday, of at least one consultation type, ends
//! after it starts and is long enough for one slot.

use std::fmt;
use std::num::NonZeroU16;

use jiff::civil::Weekday;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::catalogue::{ConsultationType, FacilityId};

/// A time of day in whole minutes, `00:00` to `24:00`, written `HH:MM`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MinuteOfDay(u16);

impl MinuteOfDay {
    /// `24:00`, the end of the day.
    pub const END: MinuteOfDay = MinuteOfDay(24 * 60);

    /// Parses `HH:MM`.
    pub fn parse(text: &str) -> Result<Self, SessionError> {
        let error = || SessionError::Time(text.chars().take(16).collect());
        let number = |part: &str| match part.as_bytes() {
            &[a, b] if a.is_ascii_digit() && b.is_ascii_digit() => Ok(u16::from(a - b'0') * 10 + u16::from(b - b'0')),
            _ => Err(error()),
        };
        let (hour, minute) = text.split_once(':').ok_or_else(error)?;
        let (hour, minute) = (number(hour)?, number(minute)?);
        let all = hour * 60 + minute;
        if minute > 59 || all > Self::END.0 {
            return Err(error());
        }
        Ok(Self(all))
    }

    /// Minutes since midnight, 0 to 1440.
    pub fn minutes(&self) -> u16 {
        self.0
    }
}

impl TryFrom<String> for MinuteOfDay {
    type Error = SessionError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<MinuteOfDay> for String {
    fn from(time: MinuteOfDay) -> Self {
        time.to_string()
    }
}

impl fmt::Display for MinuteOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl fmt::Debug for MinuteOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// A set of weekdays, written `["mon", "wed"]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Weekdays(u8);

impl Weekdays {
    /// Every day of the week.
    pub const ALL: Weekdays = Weekdays(0b111_1111);

    /// Whether the day is in the set.
    pub fn contains(&self, day: Weekday) -> bool {
        self.0 & Self::bit(day) != 0
    }

    fn bit(day: Weekday) -> u8 {
        1 << day.to_monday_zero_offset()
    }

    fn iter(self) -> impl Iterator<Item = &'static str> {
        DAYS.iter().filter(move |(_, day)| self.contains(*day)).map(|(name, _)| *name)
    }

    fn all() -> Self {
        Self::ALL
    }
}

impl FromIterator<Weekday> for Weekdays {
    fn from_iter<I: IntoIterator<Item = Weekday>>(days: I) -> Self {
        Self(days.into_iter().fold(0, |set, day| set | Self::bit(day)))
    }
}

impl fmt::Debug for Weekdays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().collect::<Vec<_>>().join(","))
    }
}

impl Serialize for Weekdays {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// One weekday by its three-letter name.
struct Day(Weekday);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let found = DAYS.iter().find(|(name, _)| *name == text);
        found
            .map(|(_, day)| Self(*day))
            .ok_or_else(|| de::Error::custom(format!("expected mon, tue, wed, thu, fri, sat or sun, found {text:?}")))
    }
}

impl<'de> Deserialize<'de> for Weekdays {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Day>::deserialize(deserializer)?.into_iter().map(|Day(day)| day).collect())
    }
}

/// A set of consultation types, written `["physical", "digital"]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConsultationTypes(u8);

impl ConsultationTypes {
    /// Whether the type is in the set.
    pub fn contains(&self, kind: ConsultationType) -> bool {
        self.0 & Self::bit(kind) != 0
    }

    fn bit(kind: ConsultationType) -> u8 {
        match kind {
            ConsultationType::Physical => 1,
            ConsultationType::Digital => 2,
        }
    }

    fn iter(self) -> impl Iterator<Item = ConsultationType> {
        let all = [ConsultationType::Physical, ConsultationType::Digital];
        all.into_iter().filter(move |kind| self.contains(*kind))
    }
}

impl FromIterator<ConsultationType> for ConsultationTypes {
    fn from_iter<I: IntoIterator<Item = ConsultationType>>(kinds: I) -> Self {
        Self(kinds.into_iter().fold(0, |set, kind| set | Self::bit(kind)))
    }
}

impl fmt::Debug for ConsultationTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for ConsultationTypes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for ConsultationTypes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<ConsultationType>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// A regular stretch of work at one facility.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawSession")]
pub struct Session {
    facility_id: FacilityId,
    weekdays: Weekdays,
    start: MinuteOfDay,
    end: MinuteOfDay,
    slot_minutes: NonZeroU16,
    consultation_types: ConsultationTypes,
}

#[derive(Deserialize)]
struct RawSession {
    facility_id: FacilityId,
    /// Absent means every day, which is what the sessions of an exception usually want.
    #[serde(default = "Weekdays::all")]
    weekdays: Weekdays,
    start: MinuteOfDay,
    end: MinuteOfDay,
    slot_minutes: NonZeroU16,
    consultation_types: ConsultationTypes,
}

/// Why times and days do not make a session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The text is not a time of day.
    #[error("expected a time of day as HH:MM from 00:00 to 24:00, found {0:?}")]
    Time(String),
    /// The session has no weekday.
    #[error("expected at least one weekday")]
    NoWeekday,
    /// The session is of no consultation type.
    #[error("expected at least one consultation type, physical or digital")]
    NoConsultationType,
    /// The session ends at or before its start. Sessions do not cross midnight: use two.
    #[error("expected the session to end after its start {start} on the same day, found {end}")]
    Backwards {
        /// Its start.
        start: MinuteOfDay,
        /// Its end.
        end: MinuteOfDay,
    },
    /// Not one slot fits.
    #[error("expected slot_minutes of at most {longest}, the length of the session, found {slot_minutes}")]
    SlotTooLong {
        /// The length of the session in minutes.
        longest: u16,
        /// The length asked for.
        slot_minutes: u16,
    },
}

impl TryFrom<RawSession> for Session {
    type Error = SessionError;
    fn try_from(raw: RawSession) -> Result<Self, Self::Error> {
        Self::new(raw.facility_id, raw.weekdays, raw.start, raw.end, raw.slot_minutes, raw.consultation_types)
    }
}

impl Session {
    /// Puts a session together. `slot_minutes` is the length of each slot; what is left over at
    /// the end of the session is not offered.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub fn new(
        facility_id: FacilityId,
        weekdays: Weekdays,
        start: MinuteOfDay,
        end: MinuteOfDay,
        slot_minutes: NonZeroU16,
        consultation_types: ConsultationTypes,
    ) -> Result<Self, SessionError> {
        if weekdays.0 == 0 {
            return Err(SessionError::NoWeekday);
        }
        if consultation_types.0 == 0 {
            return Err(SessionError::NoConsultationType);
        }
        if end <= start {
            return Err(SessionError::Backwards { start, end });
        }
        let longest = end.0 - start.0;
        if slot_minutes.get() > longest {
            return Err(SessionError::SlotTooLong { longest, slot_minutes: slot_minutes.get() });
        }
        Ok(Self { facility_id, weekdays, start, end, slot_minutes, consultation_types })
    }

    /// Where.
    pub fn facility_id(&self) -> &FacilityId {
        &self.facility_id
    }

    /// On which days.
    pub fn weekdays(&self) -> Weekdays {
        self.weekdays
    }

    /// From when, in the clinic's time.
    pub fn start(&self) -> MinuteOfDay {
        self.start
    }

    /// Until when, in the clinic's time.
    pub fn end(&self) -> MinuteOfDay {
        self.end
    }

    /// The length of a slot in minutes.
    pub fn slot_minutes(&self) -> u16 {
        self.slot_minutes.get()
    }

    /// How a slot may be used.
    pub fn consultation_types(&self) -> ConsultationTypes {
        self.consultation_types
    }

    pub(super) fn overlaps(&self, other: &Session) -> bool {
        self.weekdays.0 & other.weekdays.0 != 0 && self.start < other.end && other.start < self.end
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn times_of_day_are_strict() {
        assert_eq!(MinuteOfDay::parse("24:00").unwrap(), MinuteOfDay::END);
        assert_eq!(MinuteOfDay::parse("09:05").unwrap().to_string(), "09:05");
        for bad in ["9:05", "24:01", "12:60", "12", "ab:cd", "12:5", "-1:00"] {
            assert!(MinuteOfDay::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_impossible_session_is_refused() {
        let read = |weekdays: &str, end: &str, minutes: u16, kinds: &str| {
            serde_json::from_str::<Session>(&format!(
                r#"{{"facility_id":"f1","weekdays":{weekdays},"start":"09:00","end":"{end}","slot_minutes":{minutes},"consultation_types":{kinds}}}"#
            ))
            .map_err(|error| error.to_string())
        };
        assert!(read(r#"["mon"]"#, "10:00", 60, r#"["digital"]"#).is_ok());
        assert!(read("[]", "10:00", 60, r#"["digital"]"#).unwrap_err().contains("weekday"));
        assert!(read(r#"["mon"]"#, "10:00", 60, "[]").unwrap_err().contains("consultation type"));
        assert!(read(r#"["mon"]"#, "10:00", 61, r#"["digital"]"#).unwrap_err().contains("at most 60"));
        assert!(read(r#"["mon"]"#, "09:00", 10, r#"["digital"]"#).unwrap_err().contains("after its start"));
    }
}
