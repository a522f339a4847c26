//! Slots: the start times that can be booked.
//!
//! Invariant: [`Schedule::slots`] and [`Schedule::contains`] agree: an instant is the start of a
//! slot exactly when walking the schedule yields it, and no two slots of a practitioner overlap.
//!
//! Sessions are civil time, slots are instants, and a clock change lies between them:
//! - a start the clock skips does not exist;
//! - a start the clock shows twice is offered once, the first time;
//! - a slot during which the clock changes is not offered, because its length would be wrong.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::AmbiguousOffset;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::catalogue::{IdError, Service, ServiceId, Zone};
use crate::schedule::{Schedule, Session};

/// How many days ahead a slot can be booked.
pub const BOOKING_HORIZON_DAYS: i64 = 60;

/// The horizon as a length of time.
pub const BOOKING_HORIZON: SignedDuration = SignedDuration::from_hours(24 * BOOKING_HORIZON_DAYS);

/// A stretch of a practitioner's time that one order can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot {
    /// When it starts. This names the slot among those of one practitioner.
    pub start: Timestamp,
    /// When it ends, not included.
    pub end: Timestamp,
}

/// Why a slot cannot be booked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// It has started.
    #[error("the slot started at {start}; book one that starts after {now}")]
    Past {
        /// The slot's start.
        start: Timestamp,
        /// The time of asking.
        now: Timestamp,
    },
    /// It is too far ahead.
    #[error("the slot at {start} is more than {BOOKING_HORIZON_DAYS} days ahead")]
    BeyondHorizon {
        /// The slot's start.
        start: Timestamp,
    },
}

impl Slot {
    /// Refuses slots that have started and those beyond [`BOOKING_HORIZON_DAYS`].
    pub fn bookable(&self, now: Timestamp) -> Result<(), SlotError> {
        if self.start <= now {
            return Err(SlotError::Past { start: self.start, now });
        }
        if self.start.duration_since(now) > BOOKING_HORIZON {
            return Err(SlotError::BeyondHorizon { start: self.start });
        }
        Ok(())
    }
}

/// The name of a slot of one service: Beckn's `fulfillment.id`, written
/// `<service id>@<start, UTC, basic format>`, such as `cons-01@20261123T043000Z`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SlotId {
    service_id: ServiceId,
    start: Timestamp,
}

/// Why a text does not name a slot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlotIdError {
    /// There is no `@`.
    #[error("expected a fulfillment id as <item id>@<start>, such as cons-01@20261123T043000Z")]
    Shape,
    /// What stands before the `@` is not a service id.
    #[error("the item id of the fulfillment id: {0}")]
    Service(#[from] IdError),
    /// What follows the `@` is not a start time.
    #[error("expected the start as YYYYMMDDTHHMMSSZ after the @, found {0:?}")]
    Start(String),
}

impl SlotId {
    /// Names the slot of a service. Slots start on whole seconds; a fraction is dropped.
    pub fn new(service_id: ServiceId, start: Timestamp) -> Self {
        let whole = Timestamp::from_second(start.as_second());
        Self { service_id, start: whole.unwrap_or(start) }
    }

    /// Parses the text form.
    ///
    /// # Errors
    /// See [`SlotIdError`].
    pub fn parse(text: &str) -> Result<Self, SlotIdError> {
        let (service, start) = text.rsplit_once('@').ok_or(SlotIdError::Shape)?;
        let service_id = ServiceId::parse(service)?;
        let parsed = basic_utc(start);
        let start = parsed.ok_or_else(|| SlotIdError::Start(start.chars().take(32).collect()))?;
        Ok(Self { service_id, start })
    }

    /// The service.
    pub fn service_id(&self) -> &ServiceId {
        &self.service_id
    }

    /// The start of the slot.
    pub fn start(&self) -> Timestamp {
        self.start
    }
}

/// Reads `YYYYMMDDTHHMMSSZ` and nothing else, so that a slot has exactly one name.
fn basic_utc(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let number = |from: usize, to: usize| {
        bytes[from..to]
            .iter()
            .try_fold(0i16, |all, digit| digit.is_ascii_digit().then(|| all * 10 + i16::from(digit - b'0')))
    };
    let small = |from: usize| i8::try_from(number(from, from + 2)?).ok();
    let civil = DateTime::new(number(0, 4)?, small(4)?, small(6)?, small(9)?, small(11)?, small(13)?, 0);
    jiff::tz::Offset::UTC.to_timestamp(civil.ok()?).ok()
}

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = jiff::tz::Offset::UTC.to_datetime(self.start);
        write!(
            f,
            "{}@{:04}{:02}{:02}T{:02}{:02}{:02}Z",
            self.service_id,
            utc.year(),
            utc.month(),
            utc.day(),
            utc.hour(),
            utc.minute(),
            utc.second()
        )
    }
}

impl FromStr for SlotId {
    type Err = SlotIdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for SlotId {
    type Error = SlotIdError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<SlotId> for String {
    fn from(id: SlotId) -> Self {
        id.to_string()
    }
}

/// The slot that starts `minute` minutes into a day, unless a clock change forbids it.
fn slot_at_minute(zone: &Zone, date: Date, minute: u16, length: u16) -> Option<Slot> {
    let civil = at_minute(date, minute)?;
    let zone = zone.time_zone();
    let offset = match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset,
        AmbiguousOffset::Fold { before, .. } => before,
        AmbiguousOffset::Gap { .. } => return None,
    };
    let start = offset.to_timestamp(civil).ok()?;
    let end = start.checked_add(SignedDuration::from_mins(i64::from(length))).ok()?;
    // The clock must show the expected end, else it changed in between.
    (Some(zone.to_datetime(end)) == at_minute(date, minute + length)).then_some(Slot { start, end })
}

/// `minute` is 0 to 1440; the last is midnight at the end of the day.
fn at_minute(date: Date, minute: u16) -> Option<DateTime> {
    if minute >= 24 * 60 {
        return Some(date.tomorrow().ok()?.at(0, 0, 0, 0));
    }
    let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    Some(date.at(hour, minute, 0, 0))
}

impl Schedule {
    /// The slots of a service that start in `from..until`, in order of time.
    ///
    /// Lazy: taking the first costs the days until then, not the whole window. Bounded: whatever
    /// `until` says, nothing later than [`BOOKING_HORIZON_DAYS`] after `from` is yielded.
    pub fn slots<'a>(&'a self, zone: &'a Zone, service: &'a Service, from: Timestamp, until: Timestamp) -> Slots<'a> {
        let horizon = from.checked_add(BOOKING_HORIZON).unwrap_or(Timestamp::MAX);
        let until = until.min(horizon);
        Slots {
            schedule: self,
            zone,
            service,
            from,
            until,
            date: Some(zone.time_zone().to_datetime(from).date()),
            last: zone.time_zone().to_datetime(until).date(),
            session: None,
            minute: 0,
        }
    }

    /// The slot of a service that starts at exactly that instant, if there is one.
    pub fn contains(&self, zone: &Zone, service: &Service, start: Timestamp) -> Option<Slot> {
        let civil = zone.time_zone().to_datetime(start);
        let minute = u16::try_from(civil.hour()).ok()? * 60 + u16::try_from(civil.minute()).ok()?;
        let session = self.sessions_on(civil.date()).find(|session| {
            let start = session.start().minutes();
            serves(session, service)
                && start <= minute
                && minute + session.slot_minutes() <= session.end().minutes()
                && (minute - start).is_multiple_of(session.slot_minutes())
        })?;
        // Comparing the start refuses odd seconds and the second pass of a repeated hour.
        slot_at_minute(zone, civil.date(), minute, session.slot_minutes()).filter(|slot| slot.start == start)
    }
}

fn serves(session: &Session, service: &Service) -> bool {
    *session.facility_id() == service.facility_id && session.consultation_types().contains(service.consultation_type)
}

/// Iterator of [`Schedule::slots`].
#[derive(Debug, Clone)]
pub struct Slots<'a> {
    schedule: &'a Schedule,
    zone: &'a Zone,
    service: &'a Service,
    from: Timestamp,
    until: Timestamp,
    /// The day being walked; `None` once the walk is over.
    date: Option<Date>,
    last: Date,
    session: Option<&'a Session>,
    /// The next start to try within `session`.
    minute: u16,
}

impl<'a> Slots<'a> {
    /// The session of the day that follows the current one, by start. Sessions do not overlap,
    /// so starts differ.
    fn next_session(&self, date: Date) -> Option<&'a Session> {
        let service = self.service;
        let after = self.session.map(Session::start);
        self.schedule
            .sessions_on(date)
            .filter(|session| serves(session, service) && Some(session.start()) > after)
            .min_by_key(|session| session.start())
    }
}

impl Iterator for Slots<'_> {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        loop {
            let date = self.date?;
            if let Some(session) = self.session {
                let (minute, length) = (self.minute, session.slot_minutes());
                if minute + length <= session.end().minutes() {
                    self.minute += length;
                    match slot_at_minute(self.zone, date, minute, length) {
                        Some(slot) if slot.start >= self.until => self.date = None,
                        Some(slot) if slot.start >= self.from => return Some(slot),
                        _ => {}
                    }
                    continue;
                }
            }
            match self.next_session(date) {
                Some(session) => {
                    self.session = Some(session);
                    self.minute = session.start().minutes();
                }
                None => {
                    self.session = None;
                    self.date = date.tomorrow().ok().filter(|next| *next <= self.last);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
