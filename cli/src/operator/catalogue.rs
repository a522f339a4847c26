//! A provider's catalogue into the tables of a deployment.
//!
//! Invariant: as on the local network, what is stored and not in the new catalogue is removed first and the
//! cities are written last; the table's stream and `bpp-index` make the search from it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use beckn_health_domain::catalogue::{Catalogue, CityCode, Facility, Practitioner};
use beckn_health_domain::snapshot::Record;
use beckn_health_platform::store::StoreError;
use beckn_health_platform::store::catalogue::CatalogueStore;
use beckn_health_platform::store::snapshots::{Snapshots, Version};

use super::Deployment;
use crate::failure::Failure;

/// Pause between two looks at what is published.
const POLL: Duration = Duration::from_millis(500);

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The cities of the catalogue.
    pub cities: Vec<CityCode>,
    /// The cities that were there before and are no longer.
    pub removed: Vec<CityCode>,
}

/// Stores a catalogue in place of the one before it. `progress` is told how many practitioners are stored.
///
/// # Errors
/// DynamoDB cannot be used; loading again is safe and completes what was begun.
pub async fn load(deployment: &Deployment, catalogue: &Catalogue, progress: impl Fn(usize)) -> Result<Stored, Failure> {
    let failed = |error: StoreError| deployment.table_failed("storing the catalogue", &error);
    let store = CatalogueStore::new(deployment.tables());
    let before = store.cities().await.map_err(failed)?;
    store.remove_others(catalogue).await.map_err(failed)?;
    store.put(catalogue, progress).await.map_err(failed)?;
    store.put_cities(catalogue).await.map_err(failed)?;
    let cities: Vec<CityCode> = catalogue.cities().iter().map(|city| city.code.clone()).collect();
    let removed = before.into_iter().map(|city| city.code).filter(|code| !cities.contains(code)).collect();
    Ok(Stored { cities, removed })
}

/// Waits until what is published for search is this catalogue, in every city. Bound it with a timeout.
/// `progress` is told the cities that are still missing, whenever there are fewer.
///
/// # Errors
/// DynamoDB cannot be used.
pub async fn wait_until_published(
    deployment: &Deployment,
    catalogue: &Catalogue,
    stored: &Stored,
    mut progress: impl FnMut(&[CityCode]),
) -> Result<(), Failure> {
    let failed = |error: StoreError| deployment.table_failed("reading what is published", &error);
    let snapshots = Snapshots::new(deployment.tables());
    let mut missing: Vec<CityCode> = stored.cities.iter().chain(&stored.removed).cloned().collect();
    // A version is compared once: it never changes.
    let mut seen: BTreeMap<CityCode, Version> = BTreeMap::new();
    loop {
        let current = snapshots.current().await.map_err(failed)?;
        let mut still = Vec::new();
        for city in missing.drain(..) {
            let published = match current.get(city.as_str()) {
                Some(version) if seen.get(&city) != Some(version) => {
                    seen.insert(city.clone(), *version);
                    let lines = snapshots.load(city.as_str(), *version).await.map_err(failed)?;
                    lines.is_some_and(|lines| is_of(&lines, catalogue, &city))
                }
                _ => false,
            };
            if !published {
                still.push(city);
            }
        }
        missing = still;
        if missing.is_empty() {
            return Ok(());
        }
        progress(&missing);
        tokio::time::sleep(POLL).await;
    }
}

/// Whether a published snapshot is what the catalogue has in a city, in whatever order.
fn is_of(lines: &[u8], catalogue: &Catalogue, city: &CityCode) -> bool {
    let mut facilities: Vec<Facility> = Vec::new();
    let mut practitioners: Vec<Practitioner> = Vec::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice::<Record<'static>>(line) {
            Ok(Record::Facility(facility)) => facilities.push(facility.into_owned()),
            Ok(Record::Practitioner(practitioner)) => practitioners.push(practitioner.into_owned()),
            Err(_) => return false,
        }
    }
    let mut of_city: Vec<&Facility> = catalogue.facilities().iter().filter(|facility| facility.city == *city).collect();
    let ids: HashSet<_> = of_city.iter().map(|facility| &facility.id).collect();
    let serves = |who: &&Practitioner| who.services.iter().any(|service| ids.contains(&service.facility_id));
    let mut serving: Vec<&Practitioner> = catalogue.practitioners().iter().filter(serves).collect();
    of_city.sort_by_key(|facility| facility.id.as_str());
    serving.sort_by_key(|practitioner| practitioner.id.as_str());
    facilities.sort_by(|a, b| a.id.as_str().cmp(b.id.as_str()));
    practitioners.sort_by(|a, b| a.id.as_str().cmp(b.id.as_str()));
    of_city.into_iter().eq(&facilities) && serving.into_iter().eq(&practitioners)
}

/// City codes for people.
pub fn in_words(cities: &[CityCode]) -> String {
    let codes: BTreeSet<&str> = cities.iter().map(CityCode::as_str).collect();
    codes.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sample::sample_catalogue;
    use beckn_health_domain::snapshot::Snapshot;

    fn published(facilities: &[Facility], practitioners: &[Practitioner]) -> Vec<u8> {
        let snapshot = Snapshot::build(facilities.to_vec(), practitioners.to_vec());
        let mut lines = Vec::new();
        for record in snapshot.records() {
            serde_json::to_writer(&mut lines, &record).unwrap();
            lines.push(b'\n');
        }
        lines
    }

    #[test]
    fn a_snapshot_of_a_half_stored_catalogue_is_not_taken_for_it() {
        let catalogue = sample_catalogue(30, 1).unwrap();
        let city = &catalogue.cities()[0].code;
        let (facilities, practitioners) = (catalogue.facilities(), catalogue.practitioners());
        assert!(is_of(&published(facilities, practitioners), &catalogue, city));
        let reversed: Vec<Practitioner> = practitioners.iter().rev().cloned().collect();
        assert!(is_of(&published(facilities, &reversed), &catalogue, city), "the order does not matter");
        assert!(!is_of(&published(facilities, &practitioners[1..]), &catalogue, city));
        assert!(!is_of(&published(&facilities[1..], practitioners), &catalogue, city));
        let mut renamed = practitioners.to_vec();
        renamed[0].name.push('x');
        assert!(!is_of(&published(facilities, &renamed), &catalogue, city));
        assert!(!is_of(b"no JSON\n", &catalogue, city));
        let emptied: CityCode = CityCode::parse("std:999").unwrap();
        assert!(is_of(b"", &catalogue, &emptied));
    }
}
