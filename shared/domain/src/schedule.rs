//! When a practitioner works, in the clinic's civil time.
//!
//! Invariant: the sessions of one [`Schedule`] never overlap, whatever the facility or the
//! consultation type, and at most one exception applies to a day. A practitioner is therefore in
//! one place at a time, and a start instant alone names one of the practitioner's slots: booking
//! it physically or digitally takes the same slot.
//!
//! Slots are not stored. They are worked out from the sessions by
//! [`Schedule::slots`](crate::slot), so changing a schedule needs no clean-up.

mod session;

pub use session::{ConsultationTypes, MinuteOfDay, Session, SessionError, Weekdays};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Regular weekly sessions and the days they do not apply to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "RawSchedule")]
pub struct Schedule {
    sessions: Vec<Session>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exceptions: Vec<ScheduleException>,
}

#[derive(Deserialize)]
struct RawSchedule {
    #[serde(default)]
    sessions: Vec<Session>,
    #[serde(default)]
    exceptions: Vec<ScheduleException>,
}

impl TryFrom<RawSchedule> for Schedule {
    type Error = ScheduleError;
    fn try_from(raw: RawSchedule) -> Result<Self, Self::Error> {
        Self::new(raw.sessions, raw.exceptions)
    }
}

/// Days on which the weekly sessions do not apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleException {
    /// The first day, in the clinic's calendar.
    pub from: Date,
    /// The last day, included.
    pub to: Date,
    /// What happens instead.
    pub kind: ExceptionKind,
}

/// What happens on the days of an exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionKind {
    /// No sessions.
    Closed,
    /// These sessions instead, on the weekdays each of them names.
    Sessions(Vec<Session>),
}

impl ScheduleException {
    /// The sessions that replace the weekly ones; none when closed.
    pub fn sessions(&self) -> &[Session] {
        match &self.kind {
            ExceptionKind::Closed => &[],
            ExceptionKind::Sessions(sessions) => sessions,
        }
    }

    fn covers(&self, date: Date) -> bool {
        self.from <= date && date <= self.to
    }
}

/// Why sessions and exceptions do not make a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Two sessions share a weekday and some minutes.
    #[error("expected sessions that do not overlap, found {list}[{second}] ({at}) overlapping {list}[{first}]")]
    Overlap {
        /// The list both are in.
        list: String,
        /// The earlier of the two in the list.
        first: usize,
        /// The later of the two in the list.
        second: usize,
        /// Weekdays and times of the later one.
        at: String,
    },
    /// An exception ends before it starts.
    #[error("expected exceptions[{index}] to end on or after {from}, found {to}")]
    Backwards {
        /// The exception.
        index: usize,
        /// Its first day.
        from: Date,
        /// Its last day.
        to: Date,
    },
    /// Two exceptions share a day.
    #[error("expected exceptions on different days, found exceptions[{second}] sharing {day} with exceptions[{first}]")]
    Ambiguous {
        /// The earlier of the two in the list.
        first: usize,
        /// The later of the two in the list.
        second: usize,
        /// A day both cover.
        day: Date,
    },
}

fn no_overlap(list: &str, sessions: &[Session]) -> Result<(), ScheduleError> {
    for (second, session) in sessions.iter().enumerate() {
        if let Some(first) = sessions[..second].iter().position(|s| s.overlaps(session)) {
            let at = format!("{:?} {}-{}", session.weekdays(), session.start(), session.end());
            return Err(ScheduleError::Overlap { list: list.to_owned(), first, second, at });
        }
    }
    Ok(())
}

impl Schedule {
    /// Puts a schedule together.
    ///
    /// # Errors
    /// Names the sessions that overlap or the exceptions that contradict each other.
    pub fn new(sessions: Vec<Session>, exceptions: Vec<ScheduleException>) -> Result<Self, ScheduleError> {
        no_overlap("sessions", &sessions)?;
        for (index, exception) in exceptions.iter().enumerate() {
            let (from, to) = (exception.from, exception.to);
            if to < from {
                return Err(ScheduleError::Backwards { index, from, to });
            }
            no_overlap(&format!("exceptions[{index}].kind.sessions"), exception.sessions())?;
            let shared = |other: &ScheduleException| other.from <= to && from <= other.to;
            if let Some(first) = exceptions[..index].iter().position(shared) {
                let day = from.max(exceptions[first].from);
                return Err(ScheduleError::Ambiguous { first, second: index, day });
            }
        }
        Ok(Self { sessions, exceptions })
    }

    /// The weekly sessions, in the order they were given.
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// The exceptions, in the order they were given.
    pub fn exceptions(&self) -> &[ScheduleException] {
        &self.exceptions
    }

    /// The sessions of one day, exceptions considered, in no particular order.
    pub fn sessions_on(&self, date: Date) -> impl Iterator<Item = &Session> {
        let exception = self.exceptions.iter().find(|exception| exception.covers(date));
        exception
            .map_or(self.sessions.as_slice(), ScheduleException::sessions)
            .iter()
            .filter(move |session| session.weekdays().contains(date.weekday()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn session(json: serde_json::Value) -> Session {
        let mut all = serde_json::json!({"facility_id": "f1", "slot_minutes": 30,
            "consultation_types": ["physical"]});
        all.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    fn closed(from: &str, to: &str) -> ScheduleException {
        ScheduleException { from: from.parse().unwrap(), to: to.parse().unwrap(), kind: ExceptionKind::Closed }
    }

    #[test]
    fn sessions_may_touch_but_not_overlap_even_across_facilities() {
        let morning = session(serde_json::json!({"weekdays": ["mon", "tue"], "start": "09:00", "end": "12:00"}));
        let noon = session(serde_json::json!({"weekdays": ["mon"], "start": "12:00", "end": "24:00"}));
        let other =
            session(serde_json::json!({"facility_id": "f2", "weekdays": ["tue"], "start": "11:59", "end": "13:00"}));
        assert!(Schedule::new(vec![morning.clone(), noon], vec![]).is_ok());
        let error = Schedule::new(vec![morning, other], vec![]).unwrap_err();
        assert!(matches!(error, ScheduleError::Overlap { first: 0, second: 1, .. }), "{error}");
    }

    #[test]
    fn exceptions_run_forwards_and_do_not_share_days() {
        let backwards = vec![closed("2026-12-26", "2026-12-24")];
        assert!(matches!(Schedule::new(vec![], backwards), Err(ScheduleError::Backwards { index: 0, .. })));
        let both = vec![closed("2026-12-24", "2026-12-26"), closed("2026-12-26", "2026-12-31")];
        let error = Schedule::new(vec![], both).unwrap_err();
        assert!(error.to_string().contains("2026-12-26"), "{error}");
    }

    #[test]
    fn an_exception_replaces_the_weekly_sessions() {
        let monday = session(serde_json::json!({"weekdays": ["mon"], "start": "09:00", "end": "12:00"}));
        let any_day = session(serde_json::json!({"start": "10:00", "end": "11:00"}));
        let special = ScheduleException {
            from: "2026-11-24".parse().unwrap(),
            to: "2026-11-25".parse().unwrap(),
            kind: ExceptionKind::Sessions(vec![any_day.clone()]),
        };
        let schedule = Schedule::new(vec![monday.clone()], vec![closed("2026-11-30", "2026-11-30"), special]).unwrap();
        let on = |date: &str| schedule.sessions_on(date.parse().unwrap()).cloned().collect::<Vec<_>>();
        assert_eq!(on("2026-11-23"), [monday]);
        assert_eq!(on("2026-11-24"), on("2026-11-25"));
        assert_eq!(on("2026-11-25"), [any_day]);
        assert!(on("2026-11-26").is_empty());
        assert!(on("2026-11-30").is_empty());
        let json = serde_json::to_string(&schedule).unwrap();
        assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), schedule);
    }
}
