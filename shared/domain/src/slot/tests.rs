//! Slots across clock changes, exceptions and facilities.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn schedule(value: serde_json::Value) -> Schedule {
    serde_json::from_value(value).unwrap()
}

fn service(facility: &str, kind: &str) -> Service {
    serde_json::from_value(json!({"id": "s1", "facility_id": facility, "department_id": "d1",
        "consultation_type": kind, "fee": {"currency": "INR", "consultation": 500}}))
    .unwrap()
}

fn session(start: &str, end: &str, minutes: u16) -> serde_json::Value {
    json!({"facility_id": "f1", "start": start, "end": end, "slot_minutes": minutes,
        "consultation_types": ["physical"]})
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn starts(schedule: &Schedule, zone: &str, from: &str, until: &str) -> Vec<String> {
    let (zone, service) = (Zone::parse(zone).unwrap(), service("f1", "physical"));
    schedule.slots(&zone, &service, at(from), at(until)).map(|slot| slot.start.to_string()).collect()
}

#[test]
fn a_clinic_in_kolkata_opens_in_its_own_time() {
    let schedule = schedule(json!({"sessions": [
        {"facility_id": "f1", "weekdays": ["mon"], "start": "10:00", "end": "11:10", "slot_minutes": 30,
         "consultation_types": ["physical"]}]}));
    // 2026-11-23 is a Monday; the last ten minutes are too short for a slot.
    assert_eq!(
        starts(&schedule, "Asia/Kolkata", "2026-11-21T00:00:00Z", "2026-11-30T00:00:00Z"),
        ["2026-11-23T04:30:00Z", "2026-11-23T05:00:00Z"]
    );
    // `from` is included, `until` is not.
    assert_eq!(
        starts(&schedule, "Asia/Kolkata", "2026-11-23T04:30:00Z", "2026-11-23T05:00:00Z"),
        ["2026-11-23T04:30:00Z"]
    );
}

#[test]
fn the_hour_the_clock_skips_has_no_slots() {
    // London: 01:00 GMT becomes 02:00 BST on 2026-03-29.
    let schedule = schedule(json!({"sessions": [session("00:00", "03:00", 30)]}));
    assert_eq!(
        starts(&schedule, "Europe/London", "2026-03-29T00:00:00Z", "2026-03-29T12:00:00Z"),
        ["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]
    );
}

#[test]
fn the_hour_the_clock_repeats_is_offered_once() {
    // London: 02:00 BST becomes 01:00 GMT on 2026-10-25.
    let schedule = schedule(json!({"sessions": [session("00:30", "02:30", 20)]}));
    // 01:50 would run across the change and is left out.
    assert_eq!(
        starts(&schedule, "Europe/London", "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z"),
        [
            "2026-10-24T23:30:00Z",
            "2026-10-24T23:50:00Z",
            "2026-10-25T00:10:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T02:10:00Z"
        ]
    );
    let (zone, service) = (Zone::parse("Europe/London").unwrap(), service("f1", "physical"));
    // 01:30 the second time round.
    assert_eq!(schedule.contains(&zone, &service, at("2026-10-25T01:30:00Z")), None);
}

#[test]
fn the_wall_clock_time_stays_across_the_year() {
    let schedule = schedule(json!({"sessions": [session("09:00", "09:30", 30)]}));
    let days = starts(&schedule, "Europe/London", "2026-10-24T00:00:00Z", "2026-10-27T00:00:00Z");
    assert_eq!(days, ["2026-10-24T08:00:00Z", "2026-10-25T09:00:00Z", "2026-10-26T09:00:00Z"]);
}

#[test]
fn a_session_may_end_at_midnight() {
    let schedule = schedule(json!({"sessions": [session("23:00", "24:00", 30)]}));
    let slots = starts(&schedule, "Asia/Kolkata", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z");
    assert_eq!(slots, ["2026-11-23T17:30:00Z", "2026-11-23T18:00:00Z"]);
}

#[test]
fn facility_and_type_decide_which_sessions_serve() {
    let schedule = schedule(json!({"sessions": [
        {"facility_id": "f2", "start": "18:00", "end": "19:00", "slot_minutes": 60, "consultation_types": ["digital"]},
        {"facility_id": "f1", "start": "09:00", "end": "10:00", "slot_minutes": 60, "consultation_types": ["physical", "digital"]}
    ]}));
    let zone = Zone::parse("Asia/Kolkata").unwrap();
    let count = |facility: &str, kind: &str| {
        let service = service(facility, kind);
        schedule.slots(&zone, &service, at("2026-11-23T00:00:00Z"), at("2026-11-24T00:00:00Z")).count()
    };
    assert_eq!((count("f1", "physical"), count("f1", "digital")), (1, 1));
    assert_eq!((count("f2", "physical"), count("f2", "digital")), (0, 1));
}

#[test]
fn the_walk_ends_at_the_horizon() {
    let schedule = schedule(json!({"sessions": [session("09:00", "10:00", 60)]}));
    let all = starts(&schedule, "Asia/Kolkata", "2026-01-01T00:00:00Z", "9999-01-01T00:00:00Z");
    assert_eq!(all.len(), usize::try_from(BOOKING_HORIZON_DAYS).unwrap());
    let never = Schedule::default();
    assert!(starts(&never, "Asia/Kolkata", "2026-01-01T00:00:00Z", "9999-01-01T00:00:00Z").is_empty());
}

#[test]
fn past_and_distant_slots_are_not_bookable() {
    let slot = |start: &str| Slot { start: at(start), end: at(start) };
    let now = at("2026-11-23T04:30:00Z");
    assert!(matches!(slot("2026-11-23T04:30:00Z").bookable(now), Err(SlotError::Past { .. })));
    assert!(slot("2026-11-23T04:30:01Z").bookable(now).is_ok());
    assert!(slot("2027-01-22T04:30:00Z").bookable(now).is_ok());
    assert!(matches!(slot("2027-01-22T04:30:01Z").bookable(now), Err(SlotError::BeyondHorizon { .. })));
}

#[test]
fn a_slot_id_has_one_spelling() {
    let id = SlotId::parse("cons-01@20261123T043000Z").unwrap();
    assert_eq!(id.service_id().as_str(), "cons-01");
    assert_eq!(id.start(), at("2026-11-23T04:30:00Z"));
    assert_eq!(id.to_string(), "cons-01@20261123T043000Z");
    for bad in [
        "ful-01",
        "a@2026-11-23T04:30:00Z",
        "@20261123T043000Z",
        "a@20261323T043000Z",
        "a@20261123T043060Z",
        "a@20261123T043000+",
        "a@é0261123T04300Z",
        "a@b@20261123T043000Z",
    ] {
        assert!(SlotId::parse(bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn slot_ids_round_trip(second in 0i64..4_000_000_000) {
        let id = SlotId::new(ServiceId::parse("s:1/2").unwrap(), Timestamp::from_second(second).unwrap());
        prop_assert_eq!(SlotId::parse(&id.to_string()).unwrap(), id);
    }

    /// Walking and asking agree for every quarter of an hour around both clock changes, and the
    /// slots of a practitioner never overlap.
    #[test]
    fn walking_and_asking_agree(
        first in 0u16..20, length in 1u16..8, gap in 0u16..8, second in 1u16..12,
        minutes in prop::sample::select(vec![15u16, 20, 25, 30, 45, 60, 90]),
        day in 0usize..4, zone in prop::sample::select(vec!["Europe/London", "Asia/Kolkata", "Australia/Lord_Howe"]),
        closed in any::<bool>(),
    ) {
        let text = |quarters: u16| format!("{:02}:{:02}", quarters / 4, quarters % 4 * 15);
        let (a, b) = (first, first + length + 5);
        let (c, d) = (b + gap, b + gap + second + 5);
        let from = ["2026-03-28T00:00:00Z", "2026-10-24T00:00:00Z", "2026-04-03T20:00:00Z", "2026-10-02T20:00:00Z"][day];
        let date = from.split_once('T').unwrap().0;
        let exceptions = if closed { json!([{"from": date, "to": date, "kind": "closed"}]) } else { json!([]) };
        let schedule = schedule(json!({"sessions": [session(&text(c), &text(d), 30), session(&text(a), &text(b), minutes.min((b - a) * 15))],
            "exceptions": exceptions}));
        let (zone, service) = (Zone::parse(zone).unwrap(), service("f1", "physical"));
        let from = at(from);
        let until = from + SignedDuration::from_hours(60);
        let walked: Vec<Slot> = schedule.slots(&zone, &service, from, until).collect();
        for pair in walked.windows(2) {
            prop_assert!(pair[0].end <= pair[1].start, "{:?}", pair);
        }
        let mut asked = Vec::new();
        let mut instant = from;
        while instant < until {
            asked.extend(schedule.contains(&zone, &service, instant));
            instant += SignedDuration::from_mins(5);
        }
        prop_assert_eq!(walked, asked);
    }
}
