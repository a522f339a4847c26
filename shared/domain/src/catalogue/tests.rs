//! Every refusal of a catalogue names the path at fault and what was expected there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::*;

fn sample() -> Value {
    json!({
        "cities": [{"code": "std:080", "name": "Navapur"}],
        "facilities": [
            {"id": "f1", "name": "Lotus Clinic", "city": "std:080", "zone": "Asia/Kolkata",
             "location": {"lat": 12.9, "lon": 77.6}, "motto": "kindly",
             "departments": [{"id": "d1", "code": "cardiology", "name": "Cardiology"}]},
            {"id": "f2", "name": "Thames Clinic", "city": "std:080", "zone": "Europe/London",
             "location": {"lat": 51.5, "lon": -0.1}, "departments": []}
        ],
        "practitioners": [{
            "id": "p1", "name": "Asha Nair", "gender": "female", "registration_id": "hpr-1",
            "specialities": [{"code": "cardiology", "name": "Cardiology"}],
            "system_of_medicine": "Allopathy", "languages": ["en"], "photo": "p1.png",
            "services": [{"id": "s1", "facility_id": "f1", "department_id": "d1",
                "consultation_type": "physical", "colour": "blue",
                "fee": {"currency": "INR", "consultation": "500"}}],
            "schedule": {"sessions": [
                {"facility_id": "f1", "weekdays": ["mon"], "start": "09:00", "end": "12:00",
                 "slot_minutes": 30, "consultation_types": ["physical"]},
                {"facility_id": "f1", "weekdays": ["mon"], "start": "12:00", "end": "13:00",
                 "slot_minutes": 30, "consultation_types": ["digital"]}
            ]}
        }],
        "version": 7
    })
}

fn parse(value: &Value) -> Result<Catalogue, CatalogueError> {
    Catalogue::parse(value.to_string().as_bytes())
}

#[test]
fn a_good_file_is_read_and_unknown_fields_survive() {
    let catalogue = parse(&sample()).unwrap();
    assert_eq!(catalogue.practitioners()[0].services[0].name, "Consultation");
    let written = serde_json::to_value(&catalogue).unwrap();
    assert_eq!(written["version"], 7);
    assert_eq!(written["facilities"][0]["motto"], "kindly");
    assert_eq!(written["practitioners"][0]["photo"], "p1.png");
    assert_eq!(written["practitioners"][0]["services"][0]["colour"], "blue");
    assert_eq!(parse(&written).unwrap(), catalogue);
}

#[test]
fn faults_name_their_path() {
    let cases: [(&str, Value, &str, &str); 22] = [
        ("/facilities/1/id", json!("f1"), "facilities[1].id", "unique"),
        ("/facilities/0/id", json!("a@b"), "facilities[0].id", "'@'"),
        ("/facilities/0/city", json!("std:011"), "facilities[0].city", "city in cities"),
        ("/facilities/0/zone", json!("Moon/Base"), "facilities[0].zone", "IANA"),
        ("/facilities/0/location/lat", json!(91), "facilities[0].location", "latitude"),
        ("/facilities/0/name", json!(" "), "facilities[0].name", "not blank"),
        ("/practitioners/0/gender", json!("x"), "practitioners[0].gender", "female, male"),
        ("/practitioners/0/languages/0", json!("english language"), "practitioners[0].languages[0]", "ISO 639"),
        ("/practitioners/0/rating", json!(9), "practitioners[0].rating", "0 to 5"),
        (
            "/practitioners/0/services/0/facility_id",
            json!("f9"),
            "practitioners[0].services[0].facility_id",
            "known facility",
        ),
        (
            "/practitioners/0/services/0/department_id",
            json!("d9"),
            "practitioners[0].services[0].department_id",
            "department of facility f1",
        ),
        (
            "/practitioners/0/services/0/consultation_type",
            json!("x"),
            "practitioners[0].services[0].consultation_type",
            "physical or digital",
        ),
        (
            "/practitioners/0/services/0/fee/consultation",
            json!("-5"),
            "practitioners[0].services[0].fee.consultation",
            "amount from 0",
        ),
        (
            "/practitioners/0/services/0/fee/consultation",
            json!(9.5),
            "practitioners[0].services[0].fee.consultation",
            "two decimals",
        ),
        (
            "/practitioners/0/services/0/fee/currency",
            json!("rupees"),
            "practitioners[0].services[0].fee.currency",
            "three capital letters",
        ),
        (
            "/practitioners/0/schedule/sessions/0/facility_id",
            json!("f9"),
            "practitioners[0].schedule.sessions[0].facility_id",
            "known facility",
        ),
        (
            "/practitioners/0/schedule/sessions/1/facility_id",
            json!("f2"),
            "practitioners[0].schedule.sessions[1].facility_id",
            "Asia/Kolkata",
        ),
        ("/practitioners/0/schedule/sessions/1/start", json!("11:30"), "practitioners[0].schedule", "sessions[1]"),
        (
            "/practitioners/0/schedule/sessions/0/end",
            json!("25:00"),
            "practitioners[0].schedule.sessions[0].end",
            "HH:MM",
        ),
        (
            "/practitioners/0/schedule/sessions/0/end",
            json!("08:00"),
            "practitioners[0].schedule.sessions[0]",
            "after its start",
        ),
        (
            "/practitioners/0/schedule/sessions/0/weekdays/0",
            json!("noday"),
            "practitioners[0].schedule.sessions[0].weekdays[0]",
            "mon",
        ),
        (
            "/practitioners/0/schedule/sessions/0/slot_minutes",
            json!(0),
            "practitioners[0].schedule.sessions[0].slot_minutes",
            "nonzero",
        ),
    ];
    for (pointer, value, path, expected) in cases {
        let mut file = sample();
        match file.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                file.pointer_mut(parent).unwrap()[key] = value;
            }
        }
        let error = parse(&file).expect_err(pointer);
        assert_eq!(error.path(), path, "{pointer}: {error}");
        assert!(error.message().contains(expected), "{pointer}: {error}");
    }
}

#[test]
fn a_service_id_is_unique_across_practitioners() {
    let mut file = sample();
    let mut second = file["practitioners"][0].clone();
    second["id"] = json!("p2");
    file["practitioners"].as_array_mut().unwrap().push(second);
    let error = parse(&file).unwrap_err();
    assert_eq!(error.path(), "practitioners[1].services[0].id");
}

#[test]
fn a_practitioner_can_be_checked_alone() {
    let catalogue = parse(&sample()).unwrap();
    let who = &catalogue.practitioners()[0];
    let facility = &catalogue.facilities()[0];
    assert!(who.check(|id| (facility.id == *id).then_some(facility)).is_ok());
    assert_eq!(who.check(|_| None).unwrap_err().path(), "services[0].facility_id");
}

#[test]
fn what_is_not_json_is_refused() {
    for bad in ["", "[]", "{\"cities\":[]", "{} x"] {
        assert!(Catalogue::parse(bad.as_bytes()).is_err(), "{bad}");
    }
}
