//! What one record cannot know by itself: that identifiers are unique and references lead
//! somewhere. Everything else is refused while reading, by the types.

use std::collections::HashSet;

use super::{City, Facility, FacilityId, Practitioner};
use crate::schedule::Session;

/// A fault in a catalogue: where, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct CatalogueError {
    path: String,
    message: String,
}

impl CatalogueError {
    pub(super) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }

    /// The JSON path, such as `practitioners[3].services[0].fee.currency`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What was expected there and what was found.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl From<serde_path_to_error::Error<serde_json::Error>> for CatalogueError {
    fn from(error: serde_path_to_error::Error<serde_json::Error>) -> Self {
        let path = error.path().to_string();
        Self::new(path, error.into_inner().to_string())
    }
}

type Checked = Result<(), CatalogueError>;

/// Refuses the second of two equal identifiers.
fn unique<'a>(seen: &mut HashSet<&'a str>, id: &'a str, path: impl Fn() -> String) -> Checked {
    if seen.insert(id) {
        return Ok(());
    }
    Err(CatalogueError::new(path(), format!("expected a unique identifier, found {id:?} again")))
}

fn not_blank(text: &str, path: impl Fn() -> String) -> Checked {
    if text.trim().is_empty() {
        return Err(CatalogueError::new(path(), "expected a text that is not blank"));
    }
    Ok(())
}

pub(super) fn whole(cities: &[City], facilities: &[Facility], practitioners: &[Practitioner]) -> Checked {
    let mut codes = HashSet::new();
    for (i, city) in cities.iter().enumerate() {
        unique(&mut codes, city.code.as_str(), || format!("cities[{i}].code"))?;
    }

    let mut by_id = std::collections::HashMap::new();
    let mut ids = HashSet::new();
    for (i, facility) in facilities.iter().enumerate() {
        unique(&mut ids, facility.id.as_str(), || format!("facilities[{i}].id"))?;
        not_blank(&facility.name, || format!("facilities[{i}].name"))?;
        if !codes.contains(facility.city.as_str()) {
            return Err(CatalogueError::new(
                format!("facilities[{i}].city"),
                format!("expected the code of a city in cities, found {:?}", facility.city),
            ));
        }
        let mut departments = HashSet::new();
        for (j, department) in facility.departments.iter().enumerate() {
            let path = || format!("facilities[{i}].departments[{j}].id");
            unique(&mut departments, department.id.as_str(), path)?;
        }
        by_id.insert(&facility.id, facility);
    }

    let mut ids = HashSet::new();
    let mut services = HashSet::new();
    for (i, who) in practitioners.iter().enumerate() {
        unique(&mut ids, who.id.as_str(), || format!("practitioners[{i}].id"))?;
        for (j, service) in who.services.iter().enumerate() {
            let path = || format!("practitioners[{i}].services[{j}].id");
            unique(&mut services, service.id.as_str(), path)?;
        }
        practitioner(&format!("practitioners[{i}]."), who, &|id| by_id.get(id).copied())?;
    }
    Ok(())
}

pub(super) fn practitioner<'f>(
    at: &str,
    who: &Practitioner,
    facility: &impl Fn(&FacilityId) -> Option<&'f Facility>,
) -> Checked {
    not_blank(&who.name, || format!("{at}name"))?;
    not_blank(&who.registration_id, || format!("{at}registration_id"))?;
    let known = |id: &FacilityId, path: &dyn Fn() -> String| {
        facility(id)
            .ok_or_else(|| CatalogueError::new(path(), format!("expected the id of a known facility, found {id:?}")))
    };

    let mut ids = HashSet::new();
    for (j, service) in who.services.iter().enumerate() {
        unique(&mut ids, service.id.as_str(), || format!("{at}services[{j}].id"))?;
        let place = known(&service.facility_id, &|| format!("{at}services[{j}].facility_id"))?;
        if place.department(&service.department_id).is_none() {
            return Err(CatalogueError::new(
                format!("{at}services[{j}].department_id"),
                format!("expected the id of a department of facility {}, found {:?}", place.id, service.department_id),
            ));
        }
    }

    let weekly = who.schedule.sessions().iter().enumerate();
    let weekly = weekly.map(|(j, session)| (format!("sessions[{j}]"), session));
    let special = who.schedule.exceptions().iter().enumerate().flat_map(|(j, exception)| {
        let sessions = exception.sessions().iter().enumerate();
        sessions.map(move |(k, session)| (format!("exceptions[{j}].kind.sessions[{k}]"), session))
    });
    let mut zone = None;
    for (name, session) in weekly.chain(special) {
        let session: &Session = session;
        let path = || format!("{at}schedule.{name}.facility_id");
        let place = known(session.facility_id(), &path)?;
        let first = zone.get_or_insert(&place.zone);
        if *first != &place.zone {
            return Err(CatalogueError::new(
                path(),
                format!(
                    "expected a facility in the zone {} of this practitioner's other sessions, found {}",
                    first.name(),
                    place.zone.name()
                ),
            ));
        }
    }
    Ok(())
}
