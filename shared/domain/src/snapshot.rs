//! The searchable image of a catalogue, held in memory.
//!
//! Invariant: for any criteria, [`Snapshot::matches`] yields exactly the services that satisfy
//! all of them, in one total order: by distance, then practitioner id, then service id, when a
//! place is given; else by rating (best first, unrated last), then the same ids. Which index
//! drives the search never changes the answer.
//!
//! The unit is an *entry*, one service of one practitioner, numbered in the order of rating. An
//! index is a list of entry numbers, so every list is already in the order of the answer.
//!
//! A snapshot knows schedules, not bookings. Which slots are taken is read live for the few
//! services shown; only the conditional write of a booking decides.

mod build;
mod grid;
mod matches;

pub use matches::{Match, Matches};

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalogue::{
    ConsultationType, Facility, FacilityId, Gender, Language, Practitioner, PractitionerId, Service, ServiceId,
};
use crate::search::Criteria;
use grid::Grid;

/// The image. Build once, search many times, from any number of threads.
pub struct Snapshot {
    facilities: Vec<Facility>,
    practitioners: Vec<Practitioner>,
    /// In the order of rating.
    entries: Vec<Entry>,
    /// For each entry, its place in the order of practitioner id and service id.
    id_rank: Vec<u32>,
    /// Facilities by id, to look one up by bisection.
    facility_order: Vec<u32>,
    /// Practitioners by id.
    practitioner_order: Vec<u32>,
    /// Practitioners by registration.
    registration_order: Vec<u32>,
    /// Entries by service id.
    service_order: Vec<u32>,
    /// Folded names.
    practitioner_names: Vec<String>,
    facility_names: Vec<String>,
    /// Words of names and who has them, by word.
    practitioner_words: Vec<(String, Vec<u32>)>,
    facility_words: Vec<(String, Vec<u32>)>,
    practitioner_entries: Lists,
    facility_entries: Lists,
    /// Folded code and name of each distinct speciality.
    specialities: Vec<String>,
    /// Specialities of each entry.
    entry_specialities: Lists,
    cities: HashMap<String, u32>,
    systems: HashMap<String, u32>,
    facets: HashMap<Facet, Vec<u32>>,
    everywhere: Grid,
    by_speciality: HashMap<u32, Grid>,
}

/// One service of one practitioner, by position.
#[derive(Debug, Clone, Copy)]
struct Entry {
    practitioner: u32,
    service: u32,
    facility: u32,
}

/// A property shared by many entries, each with a list of those that have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Facet {
    City(u32),
    System(u32),
    Speciality(u32),
    Language(Language),
    Gender(Gender),
    Type(ConsultationType),
}

/// Many short lists in one allocation.
#[derive(Debug, Default)]
struct Lists {
    ends: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    fn of(&self, index: u32) -> &[u32] {
        let index = index as usize;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let (start, end) = (start.unwrap_or(0), self.ends.get(index).copied().unwrap_or(0));
        self.items.get(start as usize..end as usize).unwrap_or(&[])
    }

    fn push(&mut self, items: impl IntoIterator<Item = u32>) {
        self.items.extend(items);
        self.ends.push(self.items.len() as u32);
    }
}

/// A part of a snapshot as it is stored: one JSON line each, facilities first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record<'a> {
    /// A facility.
    Facility(Cow<'a, Facility>),
    /// A practitioner with services and schedule.
    Practitioner(Cow<'a, Practitioner>),
}

impl Snapshot {
    /// Builds the indexes. A service at a facility that is not among `facilities` is left out: it
    /// cannot be shown without one. Identifiers are expected to be unique, as a
    /// [`Catalogue`](crate::catalogue::Catalogue) makes sure.
    ///
    /// Costs about `n log n` in the number of services.
    pub fn build(
        facilities: impl IntoIterator<Item = Facility>,
        practitioners: impl IntoIterator<Item = Practitioner>,
    ) -> Self {
        build::build(facilities.into_iter().collect(), practitioners.into_iter().collect())
    }

    /// Builds from stored records, in any order.
    pub fn from_records<'a>(records: impl IntoIterator<Item = Record<'a>>) -> Self {
        let (mut facilities, mut practitioners) = (Vec::new(), Vec::new());
        for record in records {
            match record {
                Record::Facility(facility) => facilities.push(facility.into_owned()),
                Record::Practitioner(who) => practitioners.push(who.into_owned()),
            }
        }
        build::build(facilities, practitioners)
    }

    /// The records to store. The indexes are not among them; [`Snapshot::from_records`] builds
    /// them again, faster than they could be read.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let facilities = self.facilities.iter().map(|it| Record::Facility(Cow::Borrowed(it)));
        let practitioners = self.practitioners.iter();
        facilities.chain(practitioners.map(|it| Record::Practitioner(Cow::Borrowed(it))))
    }

    /// The services that satisfy all criteria, lazily, in the order the module describes. `now`
    /// decides which slots of an availability window can still be booked.
    ///
    /// Taking `k` answers costs, with `n` services in the snapshot:
    ///
    /// | criterion | cost |
    /// |---|---|
    /// | service, practitioner, registration or facility id | bisection, then its own services |
    /// | practitioner or facility name | the services of those whose name has the rarest word |
    /// | place and radius | the grid cells outward from the place until `k` are found |
    /// | … with a speciality | the same, in the grid of that speciality alone |
    /// | speciality, city, system, language, gender, type | the shortest of their lists, until `k` are found |
    /// | rating range | bisection: cuts the lists above |
    /// | price, service name | nothing by itself: tested on each candidate |
    /// | availability | tested last, on what passed all else: walks that schedule to its first slot |
    /// | none | the first `k` services by rating |
    ///
    /// So only criteria that nearly nobody satisfies *together*, or a rare price or availability
    /// alone, look at much more than `k` candidates. [`Matches::examined`] counts them.
    pub fn matches<'a>(&'a self, criteria: &'a Criteria, now: Timestamp) -> Matches<'a> {
        Matches::new(self, criteria, now)
    }

    /// The facilities, in the order they were given.
    pub fn facilities(&self) -> &[Facility] {
        &self.facilities
    }

    /// The practitioners, in the order they were given.
    pub fn practitioners(&self) -> &[Practitioner] {
        &self.practitioners
    }

    /// The facility of that id.
    pub fn facility(&self, id: &FacilityId) -> Option<&Facility> {
        self.facility_index(id).and_then(|index| self.facilities.get(index as usize))
    }

    /// The practitioner of that id.
    pub fn practitioner(&self, id: &PractitionerId) -> Option<&Practitioner> {
        let found = self.practitioner_order.binary_search_by(|&index| self.practitioners[index as usize].id.cmp(id));
        found.ok().map(|at| &self.practitioners[self.practitioner_order[at] as usize])
    }

    /// The service of that id with its facility and practitioner.
    pub fn service(&self, id: &ServiceId) -> Option<(&Facility, &Practitioner, &Service)> {
        self.service_entry(id).map(|entry| self.resolve(entry))
    }

    /// How many services can be found.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing can be found.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn resolve(&self, entry: u32) -> (&Facility, &Practitioner, &Service) {
        let entry = self.entries[entry as usize];
        let practitioner = &self.practitioners[entry.practitioner as usize];
        let service = &practitioner.services[entry.service as usize];
        (&self.facilities[entry.facility as usize], practitioner, service)
    }

    fn facility_index(&self, id: &FacilityId) -> Option<u32> {
        let facility = |index: &u32| &self.facilities[*index as usize].id;
        let found = self.facility_order.binary_search_by(|index| facility(index).cmp(id));
        found.ok().map(|at| self.facility_order[at])
    }

    fn service_entry(&self, id: &ServiceId) -> Option<u32> {
        let service = |entry: &u32| &self.resolve(*entry).2.id;
        let found = self.service_order.binary_search_by(|entry| service(entry).cmp(id));
        found.ok().map(|at| self.service_order[at])
    }

    /// Practitioners whose id or registration is that text.
    fn practitioners_called(&self, text: &str) -> Vec<u32> {
        let id = |index: u32| self.practitioners[index as usize].id.as_str();
        let registration = |index: u32| self.practitioners[index as usize].registration_id.as_str();
        let mut found = equal_range(&self.practitioner_order, text, id).to_vec();
        found.extend_from_slice(equal_range(&self.registration_order, text, registration));
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// The part of a list ordered by `key` whose key is `text`.
fn equal_range<'a, 'k>(order: &'a [u32], text: &str, key: impl Fn(u32) -> &'k str) -> &'a [u32] {
    let start = order.partition_point(|index| key(*index) < text);
    let length = order[start..].partition_point(|index| key(*index) == text);
    &order[start..start + length]
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("facilities", &self.facilities.len())
            .field("practitioners", &self.practitioners.len())
            .field("services", &self.entries.len())
            .finish()
    }
}

#[cfg(test)]
mod tests;
