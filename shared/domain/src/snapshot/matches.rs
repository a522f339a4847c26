//! Answering criteria: choose the index that leaves least to look at, then test each candidate
//! against everything.

use std::ops::Range;

use jiff::Timestamp;

use super::grid::Rings;
use super::{Facet, Snapshot};
use crate::catalogue::{Facility, Practitioner, Service};
use crate::search::{Criteria, Near, Window, text};
use crate::slot::BOOKING_HORIZON;

/// With a place given, a list at most this long is measured and sorted rather than walking the
/// grid: what the list holds may be rare and far apart.
const SHORT: usize = 2048;

/// A service that satisfies all criteria.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match<'a> {
    /// Where.
    pub facility: &'a Facility,
    /// Who.
    pub practitioner: &'a Practitioner,
    /// What.
    pub service: &'a Service,
    /// The distance from the place given, if one was.
    pub distance_km: Option<f64>,
}

/// Iterator of [`Snapshot::matches`].
#[derive(Debug)]
pub struct Matches<'a> {
    snapshot: &'a Snapshot,
    test: Test<'a>,
    source: Source<'a>,
    examined: usize,
}

/// Where candidates come from, in the order of the answer.
#[derive(Debug)]
enum Source<'a> {
    /// By rating.
    Scan(Range<u32>),
    /// By rating, from lists that are in that order.
    Merged(Vec<&'a [u32]>),
    /// Gathered beforehand.
    Sorted(std::vec::IntoIter<(u32, Option<f64>)>),
    /// By distance.
    Rings(Box<Rings<'a>>),
}

impl Source<'_> {
    fn next(&mut self) -> Option<(u32, Option<f64>)> {
        match self {
            Self::Scan(range) => range.next().map(|entry| (entry, None)),
            Self::Merged(lists) => {
                let least = lists.iter().filter_map(|list| list.first().copied()).min()?;
                for list in lists {
                    if let Some((first, rest)) = list.split_first()
                        && *first == least
                    {
                        *list = rest;
                    }
                }
                Some((least, None))
            }
            Self::Sorted(entries) => entries.next(),
            Self::Rings(rings) => rings.next().map(|(entry, km)| (entry, Some(km))),
        }
    }
}

/// Criteria, prepared once for many candidates.
#[derive(Debug)]
struct Test<'a> {
    criteria: &'a Criteria,
    now: Timestamp,
    practitioner_name: Vec<String>,
    facility_name: Vec<String>,
    service_name: Vec<String>,
    practitioner_id: Option<&'a str>,
    /// For each speciality of the snapshot, whether it is meant.
    specialities: Option<Vec<bool>>,
    system: Option<String>,
    window: Option<Window>,
}

impl<'a> Test<'a> {
    fn new(snapshot: &Snapshot, criteria: &'a Criteria, now: Timestamp) -> Self {
        let of =
            |text: &Option<String>, needles: fn(&str) -> Vec<String>| text.as_deref().map(needles).unwrap_or_default();
        let ways = criteria.speciality.as_deref().map(text::speciality_needles);
        let specialities = ways.filter(|ways| !ways.is_empty()).map(|ways| {
            let meant = |folded: &String| ways.iter().any(|way| text::begins_words(folded, way));
            snapshot.specialities.iter().map(meant).collect()
        });
        let system = criteria.system_of_medicine.as_deref().map(text::system_key);
        let horizon = now.checked_add(BOOKING_HORIZON).unwrap_or(Timestamp::MAX);
        // The horizon itself can still be booked, and a window's end is not included.
        let horizon = horizon.checked_add(jiff::SignedDuration::from_nanos(1)).unwrap_or(horizon);
        Self {
            criteria,
            now,
            practitioner_name: of(&criteria.practitioner_name, text::name_needles),
            facility_name: of(&criteria.facility_name, text::needles),
            service_name: of(&criteria.service_name, text::needles),
            practitioner_id: criteria.practitioner_id.as_deref().map(str::trim).filter(|id| !id.is_empty()),
            specialities,
            system: system.filter(|key| !key.is_empty()),
            window: criteria
                .available
                .map(|window| Window { from: window.from.max(now), until: window.until.min(horizon) }),
        }
    }

    /// Everything but the radius, which is tested where the distance is measured.
    fn accepts(&self, snapshot: &Snapshot, number: u32) -> bool {
        let wanted = self.criteria;
        let entry = snapshot.entries[number as usize];
        let (facility, practitioner, service) = snapshot.resolve(number);
        let is = |ok: bool| ok.then_some(());
        let cheap = || {
            is(wanted.service_id.as_ref().is_none_or(|id| *id == service.id))?;
            is(wanted.facility_id.as_ref().is_none_or(|id| *id == facility.id))?;
            is(wanted.consultation_type.is_none_or(|kind| kind == service.consultation_type))?;
            is(wanted.gender.is_none_or(|gender| gender == practitioner.gender))?;
            is(wanted.city.as_ref().is_none_or(|city| *city == facility.city))?;
            is(wanted.languages.iter().all(|one| practitioner.languages.contains(one)))?;
            is(wanted.price.is_none_or(|range| range.contains(service.fee.consultation.value())))?;
            is(wanted.rating.is_none_or(|range| practitioner.rating.is_some_and(|rating| range.contains(rating))))?;
            is(self
                .practitioner_id
                .is_none_or(|id| practitioner.id.as_str() == id || practitioner.registration_id == id))?;
            let meant = |index: &u32| self.specialities.as_ref().is_none_or(|meant| meant[*index as usize]);
            is(self.specialities.is_none() || snapshot.entry_specialities.of(number).iter().any(meant))?;
            let who = &snapshot.practitioner_names[entry.practitioner as usize];
            is(text::begins_words(who, &self.practitioner_name))?;
            let place = &snapshot.facility_names[entry.facility as usize];
            is(text::begins_words(place, &self.facility_name))
        };
        cheap().is_some()
            && self.system.as_ref().is_none_or(|key| *key == text::system_key(&practitioner.system_of_medicine))
            && (self.service_name.is_empty()
                || text::begins_words(&text::fold(&format!("{} consultation", service.name)), &self.service_name))
            && self.window.is_none_or(|window| {
                let mut slots = practitioner.slots(facility, service, window.from, window.until);
                slots.any(|slot| slot.bookable(self.now).is_ok())
            })
    }
}

impl<'a> Matches<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, criteria: &'a Criteria, now: Timestamp) -> Self {
        let test = Test::new(snapshot, criteria, now);
        let source = choose(snapshot, &test);
        let examined = if let Source::Sorted(gathered) = &source { gathered.len() } else { 0 };
        Self { snapshot, test, source, examined }
    }

    /// How many candidates have been looked at so far: what the search has cost.
    pub fn examined(&self) -> usize {
        match &self.source {
            Source::Rings(rings) => rings.seen,
            _ => self.examined,
        }
    }
}

impl<'a> Iterator for Matches<'a> {
    type Item = Match<'a>;

    fn next(&mut self) -> Option<Match<'a>> {
        loop {
            let (entry, distance_km) = self.source.next()?;
            if !matches!(self.source, Source::Sorted(_)) {
                self.examined += 1;
            }
            if self.test.accepts(self.snapshot, entry) {
                let (facility, practitioner, service) = self.snapshot.resolve(entry);
                return Some(Match { facility, practitioner, service, distance_km });
            }
        }
    }
}

fn choose<'a>(snapshot: &'a Snapshot, test: &Test<'_>) -> Source<'a> {
    let criteria = test.criteria;
    let range = rated(snapshot, criteria);
    if let Some(entries) = few(snapshot, test) {
        return gathered(snapshot, entries, criteria.near);
    }
    let lists = shortest(snapshot, test);
    let length = |lists: &[&[u32]]| lists.iter().map(|list| list.len()).sum::<usize>();
    let Some(near) = criteria.near else {
        return match lists {
            None => Source::Scan(range),
            Some(lists) => Source::Merged(lists.into_iter().map(|list| cut(list, &range)).collect()),
        };
    };
    if let Some(lists) = lists.filter(|lists| length(lists) <= SHORT) {
        let mut entries: Vec<u32> = lists.concat();
        entries.sort_unstable();
        entries.dedup();
        return gathered(snapshot, entries, Some(near));
    }
    let meant = test.specialities.as_ref().map(|meant| numbers(meant));
    let grids = match meant {
        // Many grids cost more than one grid and a test.
        Some(meant) if meant.len() <= 8 => {
            meant.iter().filter_map(|number| snapshot.by_speciality.get(number)).collect()
        }
        _ => vec![&snapshot.everywhere],
    };
    Source::Rings(Box::new(Rings::new(grids, &snapshot.facilities, &snapshot.id_rank, near)))
}

/// The entries within the rating range: entries are in the order of rating.
fn rated(snapshot: &Snapshot, criteria: &Criteria) -> Range<u32> {
    let all = 0..snapshot.entries.len() as u32;
    let Some(range) = criteria.rating else { return all };
    let rating = |entry: &super::Entry| snapshot.practitioners[entry.practitioner as usize].rating;
    let above = |entry: &super::Entry| range.max.is_some_and(|max| rating(entry).is_some_and(|rating| rating > max));
    let within = |entry: &super::Entry| rating(entry).is_some_and(|rating| range.min.is_none_or(|min| rating >= min));
    let start = snapshot.entries.partition_point(above) as u32;
    let end = snapshot.entries.partition_point(within) as u32;
    start..end.max(start)
}

fn cut<'a>(list: &'a [u32], range: &Range<u32>) -> &'a [u32] {
    let start = list.partition_point(|entry| *entry < range.start);
    let end = list.partition_point(|entry| *entry < range.end);
    &list[start..end]
}

fn numbers(meant: &[bool]) -> Vec<u32> {
    (0u32..).zip(meant).filter(|(_, meant)| **meant).map(|(number, _)| number).collect()
}

/// The entries of a criterion that only few can satisfy, if there is one.
fn few(snapshot: &Snapshot, test: &Test<'_>) -> Option<Vec<u32>> {
    let criteria = test.criteria;
    let of_all = |lists: &super::Lists, owners: &[u32]| {
        owners.iter().flat_map(|owner| lists.of(*owner)).copied().collect::<Vec<u32>>()
    };
    if let Some(id) = &criteria.service_id {
        return Some(snapshot.service_entry(id).into_iter().collect());
    }
    if let Some(id) = test.practitioner_id {
        let owners = snapshot.practitioners_called(id);
        return Some(of_all(&snapshot.practitioner_entries, &owners));
    }
    if let Some(id) = &criteria.facility_id {
        let owner = snapshot.facility_index(id);
        return Some(of_all(&snapshot.facility_entries, owner.as_slice()));
    }
    let limit = SHORT.max(snapshot.entries.len() / 32);
    let named = |needles: &[String], words: &[(String, Vec<u32>)], lists: &super::Lists| {
        let owners = rarest(needles, words, limit)?;
        Some(of_all(lists, &owners)).filter(|entries| entries.len() <= limit)
    };
    named(&test.practitioner_name, &snapshot.practitioner_words, &snapshot.practitioner_entries)
        .or_else(|| named(&test.facility_name, &snapshot.facility_words, &snapshot.facility_entries))
}

/// Those who have a word that begins with the rarest needle, unless they are more than `limit`.
fn rarest(needles: &[String], words: &[(String, Vec<u32>)], limit: usize) -> Option<Vec<u32>> {
    let of_needle = |needle: &String| {
        let prefix = needle.trim_start();
        let start = words.partition_point(|(word, _)| word.as_str() < prefix);
        let length = words[start..].partition_point(|(word, _)| word.starts_with(prefix));
        &words[start..start + length]
    };
    let size = |found: &&[(String, Vec<u32>)]| found.iter().map(|(_, who)| who.len()).sum::<usize>();
    let found = needles.iter().map(of_needle).min_by_key(size)?;
    if size(&found) > limit {
        return None;
    }
    let mut owners: Vec<u32> = found.iter().flat_map(|(_, who)| who).copied().collect();
    owners.sort_unstable();
    owners.dedup();
    Some(owners)
}

/// The lists of the wanted property that fewest entries have; together they hold every match.
fn shortest<'a>(snapshot: &'a Snapshot, test: &Test<'_>) -> Option<Vec<&'a [u32]>> {
    let criteria = test.criteria;
    let list = |facet: Facet| snapshot.facets.get(&facet).map(Vec::as_slice).unwrap_or_default();
    let known = |number: Option<&u32>, facet: fn(u32) -> Facet| {
        vec![number.map(|number| list(facet(*number))).unwrap_or_default()]
    };
    let mut choices: Vec<Vec<&[u32]>> = Vec::new();
    if let Some(meant) = &test.specialities {
        let meant = numbers(meant).into_iter().map(|number| list(Facet::Speciality(number)));
        choices.push(meant.collect());
    }
    if let Some(city) = &criteria.city {
        choices.push(known(snapshot.cities.get(city.as_str()), Facet::City));
    }
    if let Some(system) = &test.system {
        choices.push(known(snapshot.systems.get(system), Facet::System));
    }
    choices.extend(criteria.languages.iter().map(|one| vec![list(Facet::Language(*one))]));
    choices.extend(criteria.gender.map(|gender| vec![list(Facet::Gender(gender))]));
    choices.extend(criteria.consultation_type.map(|kind| vec![list(Facet::Type(kind))]));
    choices.into_iter().min_by_key(|lists| lists.iter().map(|list| list.len()).sum::<usize>())
}

/// A list put in the order of the answer.
fn gathered<'a>(snapshot: &Snapshot, mut entries: Vec<u32>, near: Option<Near>) -> Source<'a> {
    let Some(near) = near else {
        entries.sort_unstable();
        let ranked: Vec<_> = entries.into_iter().map(|entry| (entry, None)).collect();
        return Source::Sorted(ranked.into_iter());
    };
    let mut measured: Vec<(f64, u32)> = entries
        .into_iter()
        .map(|entry| (near.point().distance_km(&snapshot.resolve(entry).0.location), entry))
        .filter(|(distance, _)| *distance <= near.radius_km())
        .collect();
    let rank = |entry: u32| snapshot.id_rank[entry as usize];
    measured.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then_with(|| rank(a.1).cmp(&rank(b.1))));
    let sorted: Vec<_> = measured.into_iter().map(|(km, entry)| (entry, Some(km))).collect();
    Source::Sorted(sorted.into_iter())
}
