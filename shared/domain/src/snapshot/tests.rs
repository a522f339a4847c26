//! The indexes against a plain walk over everything.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::catalogue::{Point, Stars};
use crate::search::{Near, PriceRange, RatingRange, Window};

/// A Saturday.
const NOW: &str = "2026-11-21T06:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn facility(index: usize, lat: f64, lon: f64) -> Facility {
    serde_json::from_value(json!({
        "id": format!("f{index}"), "name": format!("{} Clinic", ["Lotus", "Peepal", "Banyan"][index % 3]),
        "city": if index.is_multiple_of(5) { "std:011" } else { "std:080" }, "zone": "Asia/Kolkata",
        "location": {"lat": lat, "lon": lon},
        "departments": [{"id": "opd", "code": "opd", "name": "Out-patients"}]
    }))
    .unwrap()
}

const SPECIALITIES: [(&str, &str); 4] = [
    ("cardiology", "Cardiology"),
    ("dermatology", "Dermatology"),
    ("orthopaedics", "Orthopaedics"),
    ("general-medicine", "General Medicine"),
];
const FIRST: [&str; 5] = ["Sana", "Asha", "José", "Meera", "Tarun"];
const LAST: [&str; 4] = ["Bhatt", "Nair", "Sanyal", "Bose"];

/// A practitioner whose every property follows from one number.
fn practitioner(index: usize, seed: usize, facilities: usize) -> Practitioner {
    let pick = |salt: usize, of: usize| (seed.wrapping_mul(2_654_435_761) >> (salt * 3)) % of;
    let services: Vec<_> = (0..1 + pick(1, 2))
        .map(|n| {
            json!({"id": format!("s{index}-{n}"), "facility_id": format!("f{}", pick(2 + n, facilities)),
                "department_id": "opd", "consultation_type": (["physical", "digital"][pick(4 + n, 2)]),
                "name": (["Consultation", "Second opinion"][n]),
                "fee": {"currency": "INR", "consultation": 100 + 100 * pick(5, 10)}})
        })
        .collect();
    let (a, b) = (SPECIALITIES[pick(6, 4)], SPECIALITIES[pick(7, 4)]);
    let mut value = json!({
        "id": format!("p{index:03}"), "registration_id": format!("hpr:{}", index / 2),
        "name": format!("Dr {} {}", FIRST[pick(8, 5)], LAST[pick(9, 4)]),
        "gender": (["female", "male"][pick(3, 2)]),
        "specialities": [{"code": a.0, "name": a.1}, {"code": b.0, "name": b.1}],
        "system_of_medicine": (["Allopathy", "Ayurveda"][pick(10, 2)]),
        "languages": (["en", "hi", "kn"])[..1 + pick(11, 3)].to_vec(),
        "services": services,
        "schedule": {"sessions": [{"facility_id": services[0]["facility_id"], "weekdays": [(["mon", "tue", "sun"][pick(12, 3)])],
            "start": "10:00", "end": "12:00", "slot_minutes": 30, "consultation_types": ["physical", "digital"]}]}
    });
    if pick(13, 4) > 0 {
        value["rating"] = json!((pick(13, 50) as f64) / 10.0);
    }
    serde_json::from_value(value).unwrap()
}

/// What the criteria mean, said without any index.
fn expected(facilities: &[Facility], practitioners: &[Practitioner], criteria: &Criteria) -> Vec<(String, String)> {
    let words = |text: &str| {
        let plain = text.to_lowercase().replace('é', "e").replace(['.', '…'], " ");
        plain.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let has = |text: &str, query: &Option<String>| {
        query.as_ref().is_none_or(|query| {
            words(query)
                .iter()
                .filter(|word| *word != "dr")
                .all(|word| words(text).iter().any(|have| have.starts_with(word.as_str())))
        })
    };
    let mut found = Vec::new();
    for who in practitioners {
        for service in &who.services {
            let place = facilities.iter().find(|place| place.id == service.facility_id).unwrap();
            let km = criteria.near.map(|near| near.point().distance_km(&place.location));
            let ok = criteria.near.is_none_or(|near| km.unwrap() <= near.radius_km())
                && criteria.speciality.as_ref().is_none_or(|wanted| {
                    let wanted = if wanted == "heart" { "cardiology" } else { wanted };
                    who.specialities.iter().any(|s| s.code.starts_with(wanted.trim_end_matches("ist")))
                })
                && has(&who.name, &criteria.practitioner_name)
                && has(&place.name, &criteria.facility_name)
                && has(&format!("{} consultation", service.name), &criteria.service_name)
                && criteria.practitioner_id.as_ref().is_none_or(|id| *id == who.registration_id)
                && criteria.consultation_type.is_none_or(|kind| kind == service.consultation_type)
                && criteria.languages.iter().all(|one| who.languages.contains(one))
                && criteria.gender.is_none_or(|gender| gender == who.gender)
                && criteria.system_of_medicine.as_ref().is_none_or(|_| who.system_of_medicine == "Ayurveda")
                && criteria.city.as_ref().is_none_or(|city| *city == place.city)
                && criteria.price.is_none_or(|range| range.contains(service.fee.consultation.value()))
                && criteria.rating.is_none_or(|range| who.rating.is_some_and(|r| range.contains(r)))
                && criteria.available.is_none_or(|window| {
                    who.slots(place, service, now(), window.until).any(|s| s.start >= window.from)
                });
            if ok {
                found.push((km, who, service));
            }
        }
    }
    found.sort_by(|(km_a, a, service_a), (km_b, b, service_b)| {
        let by_place = km_a.unwrap_or(0.0).total_cmp(&km_b.unwrap_or(0.0));
        let by_rating = b.rating.cmp(&a.rating);
        let first = if criteria.near.is_some() { by_place } else { by_rating };
        first.then_with(|| (&a.id, &service_a.id).cmp(&(&b.id, &service_b.id)))
    });
    found.into_iter().map(|(_, who, service)| (who.id.to_string(), service.id.to_string())).collect()
}

fn answer(snapshot: &Snapshot, criteria: &Criteria) -> Vec<(String, String)> {
    let matches = snapshot.matches(criteria, now());
    matches.map(|it| (it.practitioner.id.to_string(), it.service.id.to_string())).collect()
}

fn maybe<T: Clone + std::fmt::Debug + 'static>(of: Vec<T>) -> impl Strategy<Value = Option<T>> {
    prop_oneof![3 => Just(None), 1 => prop::sample::select(of).prop_map(Some)]
}

fn texts(of: &[&str]) -> Vec<String> {
    of.iter().map(|text| (*text).to_owned()).collect()
}

fn any_criteria() -> impl Strategy<Value = Criteria> {
    let words = (
        maybe(texts(&["cardio", "heart", "dermatologist", "orthopaedics", "general", "surgery"])),
        maybe(texts(&["Dr. Sana", "bhatt", "sa", "JOSE", "Dr", "nobody", "…"])),
        maybe(texts(&["lotus", "clinic", "ban", "x"])),
        maybe(texts(&["consultation", "second"])),
        maybe(texts(&["hpr:1", "hpr:99"])),
        maybe(texts(&["ayurvedic"])),
    );
    let terms = (
        maybe(vec![ConsultationType::Physical, ConsultationType::Digital]),
        prop::sample::subsequence(vec!["hin", "kn"], 0..=2),
        maybe(vec![Gender::Female]),
        maybe(texts(&["std:080", "std:011", "std:022"])),
        maybe(vec![(Some(300), None), (Some(200), Some(600)), (None, Some(150))]),
        maybe(vec![(Some(2.5), None), (None, Some(2.0)), (Some(1.0), Some(3.0))]),
        maybe(vec![(0, 24), (30, 60), (-24, 1), (48, 24 * 90)]),
    );
    (words, terms).prop_map(|(words, terms)| Criteria {
        speciality: words.0,
        practitioner_name: words.1,
        facility_name: words.2,
        service_name: words.3,
        practitioner_id: words.4,
        system_of_medicine: words.5,
        consultation_type: terms.0,
        languages: terms.1.iter().map(|code| Language::parse(code).unwrap()).collect(),
        gender: terms.2,
        city: terms.3.map(|code| code.parse().unwrap()),
        price: terms.4.map(|(min, max)| PriceRange { min: min.map(i64::into), max: max.map(i64::into) }),
        rating: terms.5.map(|(min, max): (Option<f64>, Option<f64>)| RatingRange {
            min: min.map(|stars| Stars::new(stars).unwrap()),
            max: max.map(|stars| Stars::new(stars).unwrap()),
        }),
        available: terms.6.map(|(from, until): (i64, i64)| Window {
            from: now() + jiff::SignedDuration::from_hours(from),
            until: now() + jiff::SignedDuration::from_hours(until),
        }),
        ..Criteria::default()
    })
}

/// Places where a flat map goes wrong, and ordinary ones close together.
fn any_place() -> impl Strategy<Value = (f64, f64)> {
    prop_oneof![
        (12.8f64..13.0, 77.5f64..77.7),
        (-1.0f64..1.0, prop_oneof![179.0f64..=180.0, -180.0f64..-179.0]),
        (prop_oneof![89.0f64..=90.0, -90.0f64..-89.0], -180.0f64..=180.0),
        (-90.0f64..=90.0, -180.0f64..=180.0),
        // Many facilities at one point: the order must still be total.
        Just((12.9, 77.6)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn indexes_agree_with_a_plain_walk(
        places in prop::collection::vec(any_place(), 1..30),
        seeds in prop::collection::vec(any::<u32>(), 0..40),
        criteria in any_criteria(),
        near in prop::option::of((any_place(), prop_oneof![0.01f64..30.0, 30.0f64..25_000.0])),
    ) {
        let facilities: Vec<_> = places.iter().enumerate().map(|(i, (lat, lon))| facility(i, *lat, *lon)).collect();
        let practitioners: Vec<_> = seeds.iter().enumerate()
            .map(|(i, seed)| practitioner(i, *seed as usize, facilities.len())).collect();
        let near = near.map(|((lat, lon), km)| Near::new(Point::new(lat, lon).unwrap(), km).unwrap());
        let criteria = Criteria { near, ..criteria };
        let snapshot = Snapshot::build(facilities.clone(), practitioners.clone());
        prop_assert_eq!(answer(&snapshot, &criteria), expected(&facilities, &practitioners, &criteria));
    }

    /// The grid itself, which the test above may bypass for lists as short as its own.
    #[test]
    fn rings_agree_with_distances(
        places in prop::collection::vec(any_place(), 1..200),
        (lat, lon) in any_place(),
        km in prop_oneof![0.01f64..30.0, 30.0f64..25_000.0],
    ) {
        let facilities: Vec<_> = places.iter().enumerate().map(|(i, (lat, lon))| facility(i, *lat, *lon)).collect();
        let all: Vec<u32> = (0..facilities.len() as u32).collect();
        let near = Near::new(Point::new(lat, lon).unwrap(), km).unwrap();
        let grid = Grid::new(all.iter().map(|i| (*i, *i)).collect(), &facilities);
        // Twice the same grid: what two grids share must come once.
        let found: Vec<(u32, f64)> = grid::Rings::new([&grid, &grid], &facilities, &all, near).collect();
        let mut expected: Vec<(u32, f64)> = all.iter()
            .map(|i| (*i, near.point().distance_km(&facilities[*i as usize].location)))
            .filter(|(_, distance)| *distance <= near.radius_km()).collect();
        expected.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        prop_assert_eq!(found, expected);
    }
}

/// A square city of constant density.
fn city(side: usize) -> Snapshot {
    let places =
        (0..side * side).map(|i| facility(i, 12.0 + 0.005 * (i / side) as f64, 77.0 + 0.005 * (i % side) as f64));
    let practitioners = (0..side * side * 4).map(|i| practitioner(i, i * 7919 + 13, side * side));
    Snapshot::build(places, practitioners)
}

#[test]
fn a_radius_search_costs_the_same_in_a_city_six_times_as_large() {
    let examined = |snapshot: &Snapshot, speciality: Option<&str>| {
        let near = Near::new(Point::new(12.05, 77.05).unwrap(), 50.0).unwrap();
        let speciality = speciality.map(str::to_owned);
        let criteria = Criteria { near: Some(near), speciality, ..Criteria::default() };
        let mut matches = snapshot.matches(&criteria, now());
        assert_eq!(matches.by_ref().take(20).count(), 20);
        matches.examined()
    };
    let (small, large) = (city(40), city(96));
    for speciality in [None, Some("cardiology")] {
        let (few, many) = (examined(&small, speciality), examined(&large, speciality));
        assert!(many <= few * 2 && many < 600, "{speciality:?}: {few} and {many} of {}", large.len());
    }
}

#[test]
fn an_indexed_criterion_leaves_the_rest_untouched() {
    let snapshot = city(64);
    let examined = |criteria: Criteria, take: usize| {
        let mut matches = snapshot.matches(&criteria, now());
        let count = matches.by_ref().take(take).count();
        (count, matches.examined())
    };
    let all = snapshot.len();
    let (found, cost) = examined(Criteria { practitioner_id: Some("hpr:77".into()), ..Criteria::default() }, 100);
    assert!(found >= 2 && cost <= 4, "{found} {cost}");
    let (found, cost) = examined(Criteria::default(), 20);
    assert_eq!((found, cost), (20, 20));
    let (found, cost) = examined(Criteria { city: Some("std:999".parse().unwrap()), ..Criteria::default() }, 20);
    assert_eq!((found, cost), (0, 0));
    let rating = RatingRange { min: None, max: Some(Stars::new(0.5).unwrap()) };
    let (found, cost) =
        examined(Criteria { rating: Some(rating), gender: Some(Gender::Male), ..Criteria::default() }, 20);
    assert!(found == 20 && cost <= 20, "{found} {cost} of {all}");
}

#[test]
fn records_bring_the_same_snapshot_back() {
    let snapshot = city(4);
    let lines: Vec<String> = snapshot.records().map(|record| serde_json::to_string(&record).unwrap()).collect();
    let back = Snapshot::from_records(lines.iter().rev().map(|line| serde_json::from_str(line).unwrap()));
    let criteria = Criteria { speciality: Some("cardiologist".into()), ..Criteria::default() };
    assert_eq!(answer(&back, &criteria), answer(&snapshot, &criteria));
    assert!(!answer(&back, &criteria).is_empty());
    assert_eq!(back.len(), snapshot.len());
}

#[test]
fn records_are_looked_up_by_id_and_orphans_are_left_out() {
    let snapshot = Snapshot::build([facility(0, 12.9, 77.6)], [practitioner(0, 1, 1), practitioner(1, 2, 9)]);
    let (place, who, service) = snapshot.service(&"s0-0".parse().unwrap()).unwrap();
    assert_eq!((place.id.as_str(), who.id.as_str(), service.id.as_str()), ("f0", "p000", "s0-0"));
    assert!(snapshot.practitioner(&"p001".parse().unwrap()).is_some());
    assert!(snapshot.facility(&"f0".parse().unwrap()).is_some());
    assert!(snapshot.facility(&"f9".parse().unwrap()).is_none());
    assert!(snapshot.service(&"nothing".parse().unwrap()).is_none());
    let criteria = Criteria::default();
    let at_known = snapshot.matches(&criteria, now()).all(|it| it.service.facility_id == it.facility.id);
    assert!(at_known);
}
