//! An invented catalogue to try the network with: the city of Navapur, its clinics and the
//! people who work there.
//!
//! Invariant: the same number and seed give the same catalogue, byte for byte, on every machine.
//! So only integer arithmetic and exactly rounded operations (`sqrt`) are used, and random numbers
//! are drawn by remainder instead of through distributions that a library may change.
//!
//! The area grows with the number of practitioners, so that there are always about as many within
//! a kilometre, and a radius search finds as much in a large catalogue as in a small one.

use std::collections::BTreeSet;

use beckn_health_domain::catalogue::{Catalogue, CatalogueError, City, Facility, Practitioner};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::{Value, json};

const CITY: &str = "std:080";
const CENTRE: (f64, f64) = (12.93, 77.61);
/// The radius, in degrees of latitude, that 40 facilities are spread over: 3.3 km.
const RADIUS_OF_40: f64 = 0.03;
/// How many degrees of longitude are as long as one of latitude there.
const LON_PER_LAT: f64 = 1.026;
const PER_FACILITY: usize = 8;

const AREAS: [&str; 24] = [
    "Amravana",
    "Belagola",
    "Chandrapet",
    "Devihalli",
    "Elanagar",
    "Garudapura",
    "Hosatota",
    "Indiragram",
    "Jalavihar",
    "Kempakere",
    "Lakshmipet",
    "Mallipura",
    "Nandivana",
    "Ombattu",
    "Palashnagar",
    "Rajatota",
    "Sampigehalli",
    "Tulasivana",
    "Udayapet",
    "Vanamala",
    "Yelakere",
    "Kusumapura",
    "Neelagiri Layout",
    "Suryanagar",
];
const FACILITY_FIRST: [&str; 20] = [
    "Lotus",
    "Banyan",
    "Peepal",
    "Sanjeevini",
    "Arogya",
    "Navjeevan",
    "Chaitanya",
    "Tulsi",
    "Ashoka",
    "Kamala",
    "Dhanvi",
    "Swasthya",
    "Prakriti",
    "Maitri",
    "Saral",
    "Udaya",
    "Vatsalya",
    "Karuna",
    "Sparsha",
    "Nirmala",
];
const FACILITY_LAST: [&str; 8] =
    ["Clinic", "Hospital", "Health Centre", "Polyclinic", "Care", "Family Clinic", "Medical Centre", "Nursing Home"];
const WOMEN: [&str; 36] = [
    "Asha", "Bhavana", "Charita", "Divya", "Esha", "Farhana", "Gauri", "Hamsa", "Ila", "Jyoti", "Kavya", "Lalita",
    "Meera", "Nandini", "Ojasvi", "Pallavi", "Ruhi", "Sana", "Tara", "Uma", "Vasudha", "Yamini", "Zoya", "Anita",
    "Chitra", "Deepa", "Fiza", "Gita", "Indu", "Kamini", "Leela", "Mira", "Nisha", "Radha", "Shobha", "Trupti",
];
const MEN: [&str; 36] = [
    "Arun", "Bharat", "Chetan", "Dinesh", "Eshan", "Farid", "Girish", "Harsha", "Imran", "Jagan", "Kiran", "Lokesh",
    "Mohan", "Nitin", "Omkar", "Pranav", "Rahil", "Sameer", "Tarun", "Uday", "Vikas", "Yash", "Zubin", "Anand",
    "Chirag", "Deepak", "Ganesh", "Hari", "Ishaan", "Kishore", "Manoj", "Naveen", "Rohan", "Suresh", "Tejas", "Varun",
];
const FAMILIES: [&str; 60] = [
    "Acharva",
    "Adhikaran",
    "Amravat",
    "Ballalya",
    "Banavar",
    "Bhattika",
    "Chandavar",
    "Chinnapet",
    "Dalavai",
    "Desikan",
    "Devangana",
    "Dharwara",
    "Ekambar",
    "Fernandes-Rao",
    "Gajendran",
    "Gokhalya",
    "Gudihal",
    "Halemane",
    "Hiremat",
    "Holagadde",
    "Indravar",
    "Jagirdara",
    "Joisara",
    "Kadambi",
    "Kallapur",
    "Kamathya",
    "Karanthi",
    "Kulkarna",
    "Lokhande",
    "Madhavan",
    "Malnadkar",
    "Mandanna",
    "Mirzapuri",
    "Mudgalya",
    "Nadigar",
    "Nagarkatte",
    "Navalgund",
    "Oberkar",
    "Padukone-Iyer",
    "Pallavar",
    "Panchal",
    "Patilkar",
    "Poojara",
    "Qazmi",
    "Raghavar",
    "Rajavat",
    "Sabnisi",
    "Samanta",
    "Sarvade",
    "Shanbhogue",
    "Sheikhani",
    "Siddapur",
    "Tambulya",
    "Tonsekar",
    "Udupikar",
    "Upadhyay",
    "Vaidyar",
    "Varambally",
    "Wagheshwar",
    "Yadgirkar",
];

/// Code, name, share of practitioners, words for the clinic's description.
const SPECIALITIES: [(&str, &str, u64); 21] = [
    ("cardiology", "Cardiology", 14),
    ("general-medicine", "General Medicine", 14),
    ("paediatrics", "Paediatrics", 8),
    ("gynaecology", "Gynaecology and Obstetrics", 8),
    ("dermatology", "Dermatology", 7),
    ("orthopaedics", "Orthopaedics", 7),
    ("dentistry", "Dentistry", 7),
    ("ent", "ENT", 5),
    ("ophthalmology", "Ophthalmology", 5),
    ("neurology", "Neurology", 3),
    ("psychiatry", "Psychiatry", 3),
    ("gastroenterology", "Gastroenterology", 3),
    ("endocrinology", "Endocrinology", 3),
    ("pulmonology", "Pulmonology", 3),
    ("nephrology", "Nephrology", 2),
    ("urology", "Urology", 2),
    ("oncology", "Oncology", 2),
    ("rheumatology", "Rheumatology", 1),
    ("physiotherapy", "Physiotherapy", 2),
    ("nutrition", "Nutrition and Dietetics", 1),
    ("psychology", "Clinical Psychology", 1),
];
const SYSTEMS: [(&str, u64); 5] = [("Allopathy", 80), ("Ayurveda", 9), ("Homeopathy", 7), ("Unani", 2), ("Siddha", 2)];
/// The languages of Navapur besides English, the local one several times.
const LANGUAGES: [&str; 11] = ["kan", "kan", "kan", "hin", "hin", "tam", "tel", "mal", "urd", "mar", "kok"];
const WEEKDAYS: [&[&str]; 5] = [
    &["mon", "wed", "fri"],
    &["tue", "thu", "sat"],
    &["mon", "tue", "wed", "thu", "fri"],
    &["mon", "tue", "wed", "thu", "fri", "sat"],
    &["mon", "tue", "thu", "fri"],
];
const TAXES: [&str; 5] = ["0", "0", "2.5", "5", "9"];

/// Why a sample could not be made: a fault of this file, since it takes no outside data.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// A record does not have the shape of the catalogue.
    #[error("sample record: {0}")]
    Record(#[from] serde_json::Error),
    /// The records contradict each other.
    #[error("sample catalogue: {0}")]
    Catalogue(#[from] CatalogueError),
}

/// Draws that never change between versions of a library.
struct Dice(ChaCha8Rng);

impl Dice {
    /// A number below `bound`. The bias of the remainder is below 2^-50 for what is asked here.
    fn below(&mut self, bound: usize) -> usize {
        (self.0.next_u64() % bound.max(1) as u64) as usize
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        of.get(self.below(of.len())).copied()
    }

    fn text(&mut self, of: &[&'static str]) -> &'static str {
        self.pick(of).unwrap_or_default()
    }

    /// A position, with the chances given as shares.
    fn share(&mut self, shares: impl Iterator<Item = u64> + Clone) -> usize {
        let mut left = self.0.next_u64() % shares.clone().sum::<u64>().max(1);
        let mut found = 0;
        for (index, share) in shares.enumerate() {
            found = index;
            if left < share {
                break;
            }
            left -= share;
        }
        found
    }

    /// A number from -1 to 1 in steps of a millionth.
    fn signed_unit(&mut self) -> f64 {
        self.below(2_000_001) as f64 / 1_000_000.0 - 1.0
    }
}

/// Makes a catalogue of that many practitioners. One facility for each eight of them.
///
/// # Errors
/// Only if this file and the rules of the catalogue disagree; a test keeps them together.
pub fn sample_catalogue(practitioners: usize, seed: u64) -> Result<Catalogue, SampleError> {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
    let count = practitioners.div_ceil(PER_FACILITY).max(1);
    let mut facilities: Vec<Value> = (0..count).map(|i| facility(&mut dice, i, count)).collect();
    let mut departments = vec![BTreeSet::new(); count];
    let mut people = Vec::with_capacity(practitioners);
    for index in 0..practitioners {
        // Everyone's first place in turn, so that no facility is empty.
        let places = [index % count, neighbour(&mut dice, index % count, count)];
        people.push(practitioner(&mut dice, index, places, &mut departments)?);
    }
    let mut read = Vec::with_capacity(count);
    for (mut facility, departments) in facilities.drain(..).zip(departments) {
        let departments = departments.into_iter().filter_map(|index| SPECIALITIES.get(index));
        facility["departments"] =
            departments.map(|(code, name, _)| json!({"id": code, "code": code, "name": name})).collect();
        read.push(serde_json::from_value::<Facility>(facility)?);
    }
    let city: City = serde_json::from_value(json!({"code": CITY, "name": "Navapur"}))?;
    Ok(Catalogue::new(vec![city], read, people)?)
}

fn neighbour(dice: &mut Dice, place: usize, count: usize) -> usize {
    (place + 1 + dice.below(count.saturating_sub(1))) % count
}

fn facility(dice: &mut Dice, index: usize, count: usize) -> Value {
    let radius = RADIUS_OF_40 * (count as f64 / 40.0).sqrt();
    let (mut north, mut east) = (dice.signed_unit(), dice.signed_unit());
    while north * north + east * east > 1.0 {
        (north, east) = (dice.signed_unit(), dice.signed_unit());
    }
    let degrees = |value: f64| (value * 100_000.0).round() / 100_000.0;
    let (lat, lon) = (CENTRE.0 + north * radius, CENTRE.1 + east * radius * LON_PER_LAT);
    let area = dice.below(AREAS.len());
    let area_name = AREAS.get(area).copied().unwrap_or_default();
    let first = dice.text(&FACILITY_FIRST);
    let last = dice.text(&FACILITY_LAST);
    let host = format!("{}{}.navapur.example", first.to_lowercase(), index + 1);
    json!({
        "id": format!("nvp-f{:04}", index + 1),
        "name": format!("{first} {last}, {area_name}"),
        "short_desc": format!("{last} in {area_name}, Navapur"),
        "city": CITY,
        "zone": "Asia/Kolkata",
        "location": {"lat": degrees(lat), "lon": degrees(lon)},
        "address": format!("{} {} Road, {area_name}, Navapur", 1 + dice.below(240), dice.text(&["Temple", "Market", "Lake", "Station", "School", "Garden"])),
        "area_code": format!("5609{:02}", area + 1),
        "phone": format!("+91-80-5550-{:04}", index % 10_000),
        "email": format!("desk@{host}"),
        "url": format!("https://{host}"),
        "rating": (30 + dice.below(20)) as f64 / 10.0,
    })
}

fn practitioner(
    dice: &mut Dice,
    index: usize,
    places: [usize; 2],
    departments: &mut [BTreeSet<usize>],
) -> Result<Practitioner, SampleError> {
    let id = format!("nvp-p{:05}", index + 1);
    let woman = dice.one_in(2);
    let name = dice.text(if woman { &WOMEN } else { &MEN });
    let family = dice.text(&FAMILIES);
    let speciality = dice.share(SPECIALITIES.iter().map(|(_, _, share)| *share));
    let (code, speciality_name, _) = SPECIALITIES.get(speciality).copied().unwrap_or_default();
    let mut specialities = vec![json!({"code": code, "name": speciality_name})];
    if code != "general-medicine" && dice.one_in(6) {
        specialities.push(json!({"code": "general-medicine", "name": "General Medicine"}));
    }
    let system = dice.share(SYSTEMS.iter().map(|(_, share)| *share));
    let mut languages = vec!["eng"];
    for _ in 0..1 + dice.below(3) {
        let language = dice.text(&LANGUAGES);
        if !languages.contains(&language) {
            languages.push(language);
        }
    }
    let years = 2 + dice.below(34);

    // Mornings at the first place, for some an afternoon at a second, for some evenings online.
    // The three never overlap.
    let [first, second] = places.map(|place| format!("nvp-f{:04}", place + 1));
    let [far, online] = [places[0] != places[1] && dice.one_in(5), !dice.one_in(3)];
    let minutes = dice.pick(&[10, 15, 15, 20, 20, 30]).unwrap_or(15);
    let weekdays = dice.pick(&WEEKDAYS).unwrap_or_default();
    let opens = dice.text(&["09:00", "09:30", "10:00"]);
    let mut sessions = vec![json!({
        "facility_id": first, "weekdays": weekdays, "start": opens, "end": "13:00",
        "slot_minutes": minutes, "consultation_types": ["physical"],
    })];
    // Rounded to fifties: a fee is a price, not a measurement.
    let base = 300 + 50 * (years / 3 + dice.below(16));
    let registration = dice.pick(&[0, 0, 100, 200, 400]).unwrap_or(0);
    let tax = dice.text(&TAXES);
    let mut services = vec![service(&id, "opd", &first, code, "physical", (base, registration), tax)];
    departments.get_mut(places[0]).map(|all| all.insert(speciality));
    if far {
        sessions.push(json!({
            "facility_id": second, "weekdays": dice.pick(&WEEKDAYS).unwrap_or_default(),
            "start": "14:30", "end": "17:00",
            "slot_minutes": minutes, "consultation_types": ["physical"],
        }));
        services.push(service(&id, "opd2", &second, code, "physical", (base + 100, 0), tax));
        departments.get_mut(places[1]).map(|all| all.insert(speciality));
    }
    if online {
        let starts = dice.text(&["18:00", "18:30", "19:00"]);
        sessions.push(json!({
            "facility_id": first, "weekdays": dice.pick(&WEEKDAYS).unwrap_or_default(),
            "start": starts, "end": "20:30",
            "slot_minutes": minutes, "consultation_types": ["digital"],
        }));
        services.push(service(&id, "tele", &first, code, "digital", (base * 4 / 5 / 50 * 50, 0), tax));
    }
    let mut value = json!({
        "id": id,
        "name": format!("Dr {name} {family}"),
        "gender": if woman { "female" } else { "male" },
        "registration_id": format!("nvp.{:06}@hpr.example", 100_000 + index),
        "specialities": specialities,
        "system_of_medicine": SYSTEMS.get(system).map(|(name, _)| *name).unwrap_or_default(),
        "languages": languages,
        "experience_years": years,
        "services": services,
        "schedule": {"sessions": sessions, "exceptions": exceptions(dice, &first)},
    });
    // One in ten is too new to be rated.
    if !dice.one_in(10) {
        value["rating"] = json!((32 + dice.below(19)) as f64 / 10.0);
        value["rating_count"] = json!(3 + dice.below(400));
    }
    Ok(serde_json::from_value(value)?)
}

fn service(
    practitioner: &str,
    suffix: &str,
    facility: &str,
    department: &str,
    kind: &str,
    (consultation, registration): (usize, usize),
    tax: &str,
) -> Value {
    json!({
        "id": format!("{practitioner}-{suffix}"),
        "facility_id": facility,
        "department_id": department,
        "consultation_type": kind,
        "fee": {"currency": "INR", "consultation": consultation, "registration": registration,
            "cgst_percent": tax, "sgst_percent": tax},
    })
}

/// Holidays for some, a special Sunday for a few.
fn exceptions(dice: &mut Dice, facility: &str) -> Vec<Value> {
    let mut all = Vec::new();
    if dice.one_in(6) {
        let (from, to) = dice
            .pick(&[("2026-12-24", "2026-12-26"), ("2026-12-28", "2027-01-02"), ("2027-01-14", "2027-01-15")])
            .unwrap_or_default();
        all.push(json!({"from": from, "to": to, "kind": "closed"}));
    }
    if dice.one_in(15) {
        let day = dice.text(&["2026-12-06", "2026-12-13", "2027-01-10"]);
        all.push(json!({"from": day, "to": day, "kind": {"sessions": [{
            "facility_id": facility, "weekdays": ["sun"], "start": "10:00", "end": "12:00",
            "slot_minutes": 20, "consultation_types": ["physical", "digital"],
        }]}}));
    }
    all
}

/// Writes a catalogue file: compact, one record to a line, so that a change of one record is a
/// change of one line.
///
/// # Errors
/// A record cannot be written as JSON.
pub fn catalogue_json(catalogue: &Catalogue) -> Result<Vec<u8>, serde_json::Error> {
    fn lines<T: serde::Serialize>(name: &str, records: &[T]) -> Result<String, serde_json::Error> {
        let records = records.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        Ok(format!("\"{name}\":[\n{}\n]", records.join(",\n")))
    }
    let mut members = vec![
        lines("cities", catalogue.cities())?,
        lines("facilities", catalogue.facilities())?,
        lines("practitioners", catalogue.practitioners())?,
    ];
    for (name, value) in catalogue.extra() {
        members.push(format!("{}:{value}", serde_json::to_string(name)?));
    }
    Ok(format!("{{\n{}\n}}\n", members.join(",\n")).into_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use beckn_health_domain::Criteria;
    use beckn_health_domain::catalogue::Point;
    use beckn_health_domain::search::Near;
    use beckn_health_domain::snapshot::Snapshot;

    use super::*;

    /// The file that is shipped.
    const SHIPPED: &[u8] = include_bytes!("../sample/catalogue.json");

    #[test]
    fn the_shipped_file_is_what_the_generator_makes() {
        let made = catalogue_json(&sample_catalogue(300, 1).unwrap()).unwrap();
        assert!(
            made == SHIPPED,
            "regenerate with: beckn-health catalogue sample --practitioners 300 --seed 1 > cli/sample/catalogue.json"
        );
        assert!(made.len() < 400_000, "{} bytes", made.len());
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        for (count, seed) in [(0, 1), (1, 2), (9, 3), (300, 1)] {
            let catalogue = sample_catalogue(count, seed).unwrap();
            assert_eq!(catalogue.practitioners().len(), count);
            let json = catalogue_json(&catalogue).unwrap();
            assert_eq!(Catalogue::parse(&json).unwrap(), catalogue);
        }
    }

    #[test]
    fn seeds_make_different_catalogues() {
        assert_ne!(sample_catalogue(20, 1).unwrap(), sample_catalogue(20, 2).unwrap());
    }

    #[test]
    fn density_does_not_depend_on_size() {
        let now = "2026-11-21T06:00:00Z".parse().unwrap();
        let near = Near::new(Point::new(CENTRE.0, CENTRE.1).unwrap(), 2.0).unwrap();
        let criteria = Criteria { near: Some(near), ..Criteria::default() };
        let found = [400, 4000].map(|count| {
            let (_, facilities, practitioners) = sample_catalogue(count, 5).unwrap().into_parts();
            Snapshot::build(facilities, practitioners).matches(&criteria, now).count()
        });
        assert!(found[0] > 100 && found[1] < found[0] * 2 && found[0] < found[1] * 2, "{found:?}");
    }

    #[test]
    fn a_heart_specialist_is_near_the_centre() {
        let now = "2026-11-21T06:00:00Z".parse().unwrap();
        let (_, facilities, practitioners) = Catalogue::parse(SHIPPED).unwrap().into_parts();
        let near = Near::new(Point::new(CENTRE.0, CENTRE.1).unwrap(), 5.0).unwrap();
        let speciality = Some("cardiology".to_owned());
        let criteria = Criteria { near: Some(near), speciality, ..Criteria::default() };
        assert!(Snapshot::build(facilities, practitioners).matches(&criteria, now).count() >= 20);
    }
}
