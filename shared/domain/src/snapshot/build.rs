//! Building the indexes of a snapshot.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::grid::Grid;
use super::{Entry, Facet, Lists, Snapshot};
use crate::catalogue::{Facility, Practitioner};
use crate::search::text;

pub(super) fn build(facilities: Vec<Facility>, practitioners: Vec<Practitioner>) -> Snapshot {
    let facility_order = order_by(facilities.iter().map(|it| it.id.as_str()));
    let practitioner_order = order_by(practitioners.iter().map(|it| it.id.as_str()));
    let registration_order = order_by(practitioners.iter().map(|it| it.registration_id.as_str()));
    let mut practitioner_rank = vec![0u32; practitioners.len()];
    for (&practitioner, rank) in practitioner_order.iter().zip(0u32..) {
        practitioner_rank[practitioner as usize] = rank;
    }

    let by_id: HashMap<&str, u32> =
        facilities.iter().zip(0u32..).map(|(facility, i)| (facility.id.as_str(), i)).collect();
    // Sorted by numbers that stand for the ids: comparing texts all over memory takes longer than
    // everything else together.
    let mut placed = Vec::new();
    for (practitioner, who) in practitioners.iter().zip(0u32..) {
        let services = order_by(practitioner.services.iter().map(|it| it.id.as_str()));
        for (service, rank) in services.into_iter().zip(0u32..) {
            let facility = practitioner.services[service as usize].facility_id.as_str();
            if let Some(&facility) = by_id.get(facility) {
                let ids = (practitioner_rank[who as usize], rank);
                let entry = Entry { practitioner: who, service, facility };
                placed.push((Reverse(practitioner.rating), ids, entry));
            }
        }
    }
    placed.sort_unstable_by_key(|(rating, ids, _)| (*rating, *ids));
    let mut by_ids: Vec<_> = placed.iter().zip(0u32..).map(|((_, ids, _), i)| (*ids, i)).collect();
    by_ids.sort_unstable();
    let mut id_rank = vec![0; placed.len()];
    for ((_, entry), rank) in by_ids.into_iter().zip(0u32..) {
        id_rank[entry as usize] = rank;
    }
    let entries: Vec<Entry> = placed.into_iter().map(|(_, _, entry)| entry).collect();
    let who = |entry: &Entry| &practitioners[entry.practitioner as usize];
    let service = |entry: &Entry| &who(entry).services[entry.service as usize];
    let service_order = order_by(entries.iter().map(|entry| service(entry).id.as_str()));

    let practitioner_names: Vec<String> =
        practitioners.iter().map(|practitioner| text::fold(&practitioner.name)).collect();
    let facility_names: Vec<String> = facilities.iter().map(|facility| text::fold(&facility.name)).collect();

    let mut terms = Terms::default();
    let of_practitioner: Vec<Vec<u32>> = practitioners
        .iter()
        .map(|it| it.specialities.iter().map(|s| terms.speciality(&s.code, &s.name)).collect())
        .collect();
    let system_of: Vec<u32> = practitioners.iter().map(|it| terms.system(&it.system_of_medicine)).collect();
    let city_of: Vec<u32> = facilities.iter().map(|it| terms.city(it.city.as_str())).collect();

    let mut facets: HashMap<Facet, Vec<u32>> = HashMap::new();
    let mut entry_specialities = Lists::default();
    let mut placed: HashMap<u32, Vec<(u32, u32)>> = HashMap::new();
    let mut everywhere = Vec::with_capacity(entries.len());
    for (entry, number) in entries.iter().zip(0u32..) {
        let (practitioner, service) = (who(entry), service(entry));
        let facility = &facilities[entry.facility as usize];
        let mut specialities = of_practitioner[entry.practitioner as usize].clone();
        if let Some(department) = facility.department(&service.department_id) {
            specialities.push(terms.speciality(&department.code, &department.name));
        }
        specialities.sort_unstable();
        specialities.dedup();

        let mut note = |facet| facets.entry(facet).or_default().push(number);
        note(Facet::City(city_of[entry.facility as usize]));
        note(Facet::System(system_of[entry.practitioner as usize]));
        note(Facet::Gender(practitioner.gender));
        note(Facet::Type(service.consultation_type));
        let mut languages = practitioner.languages.clone();
        languages.sort_unstable();
        languages.dedup();
        languages.into_iter().for_each(|language| note(Facet::Language(language)));
        for &speciality in &specialities {
            note(Facet::Speciality(speciality));
            placed.entry(speciality).or_default().push((entry.facility, number));
        }
        everywhere.push((entry.facility, number));
        entry_specialities.push(specialities);
    }

    let by_speciality =
        placed.into_iter().map(|(speciality, items)| (speciality, Grid::new(items, &facilities))).collect();
    Snapshot {
        practitioner_words: index_words(&practitioner_names),
        facility_words: index_words(&facility_names),
        practitioner_entries: group(practitioners.len(), &entries, |entry| entry.practitioner),
        facility_entries: group(facilities.len(), &entries, |entry| entry.facility),
        everywhere: Grid::new(everywhere, &facilities),
        by_speciality,
        specialities: terms.specialities,
        cities: terms.cities,
        systems: terms.systems,
        facets,
        entry_specialities,
        practitioner_names,
        facility_names,
        id_rank,
        facility_order,
        practitioner_order,
        registration_order,
        service_order,
        entries,
        facilities,
        practitioners,
    }
}

/// Words that many entries share, each known by a number.
#[derive(Default)]
struct Terms {
    /// By code and name, as they are written.
    numbers: HashMap<String, u32>,
    /// Folded code and name, by number.
    specialities: Vec<String>,
    cities: HashMap<String, u32>,
    systems: HashMap<String, u32>,
}

impl Terms {
    fn speciality(&mut self, code: &str, name: &str) -> u32 {
        let key = format!("{code}\n{name}");
        let specialities = &mut self.specialities;
        *self.numbers.entry(key).or_insert_with_key(|key| {
            specialities.push(text::fold_speciality(key));
            specialities.len() as u32 - 1
        })
    }

    fn system(&mut self, name: &str) -> u32 {
        let next = self.systems.len() as u32;
        *self.systems.entry(text::system_key(name)).or_insert(next)
    }

    fn city(&mut self, code: &str) -> u32 {
        let next = self.cities.len() as u32;
        *self.cities.entry(code.to_owned()).or_insert(next)
    }
}

/// Positions in the order of their keys.
fn order_by<'k>(keys: impl Iterator<Item = &'k str>) -> Vec<u32> {
    let mut order: Vec<(&str, u32)> = keys.zip(0u32..).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, index)| index).collect()
}

/// For each word, the positions of the names that have it.
fn index_words(names: &[String]) -> Vec<(String, Vec<u32>)> {
    let mut found: HashMap<&str, Vec<u32>> = HashMap::new();
    for (name, index) in names.iter().zip(0u32..) {
        for word in text::words(name) {
            let list = found.entry(word).or_default();
            if list.last() != Some(&index) {
                list.push(index);
            }
        }
    }
    let mut words: Vec<(String, Vec<u32>)> = found.into_iter().map(|(word, list)| (word.to_owned(), list)).collect();
    words.sort_unstable();
    words
}

/// For each of `length` owners, its entries in order.
fn group(length: usize, entries: &[Entry], owner: impl Fn(&Entry) -> u32) -> Lists {
    let mut pairs: Vec<(u32, u32)> = entries.iter().zip(0u32..).map(|(entry, number)| (owner(entry), number)).collect();
    pairs.sort_unstable();
    let mut lists = Lists::default();
    let mut rest = pairs.as_slice();
    for index in 0..length as u32 {
        let count = rest.partition_point(|(owner, _)| *owner == index);
        lists.push(rest[..count].iter().map(|(_, number)| *number));
        rest = &rest[count..];
    }
    lists
}
