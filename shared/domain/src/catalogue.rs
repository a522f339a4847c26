//! What can be booked: cities, facilities with their departments, practitioners with their
//! schedules, and the services each practitioner offers.
//!
//! Invariant: a [`Catalogue`] is consistent. Identifiers are unique, every reference leads
//! somewhere, no practitioner is in two places at once. [`Catalogue::parse`] and
//! [`Catalogue::new`] are the only ways to get one, and their errors name the place in the file.
//!
//! # File format
//!
//! One JSON object:
//!
//! ```json
//! {
//!   "cities": [{ "code": "std:080", "name": "Navapur" }],
//!   "facilities": [{
//!     "id": "f1", "name": "Lotus Clinic", "short_desc": "Family clinic", "city": "std:080",
//!     "zone": "Asia/Kolkata", "location": { "lat": 12.91, "lon": 77.61 },
//!     "address": "1 Temple Road, Navapur", "area_code": "560901", "phone": "+91-80-5550-0101",
//!     "email": "desk@lotus.example", "url": "https://lotus.example", "rating": 4.4,
//!     "departments": [{ "id": "cardio", "code": "cardiology", "name": "Cardiology" }]
//!   }],
//!   "practitioners": [{
//!     "id": "p1", "name": "Dr Asha Nair", "gender": "female", "registration_id": "nair@hpr.example",
//!     "specialities": [{ "code": "cardiology", "name": "Cardiology" }],
//!     "system_of_medicine": "Allopathy", "languages": ["eng", "hin"],
//!     "rating": 4.6, "rating_count": 120, "experience_years": 14,
//!     "services": [{
//!       "id": "cons-01", "name": "Consultation", "facility_id": "f1", "department_id": "cardio",
//!       "consultation_type": "physical",
//!       "fee": { "currency": "INR", "consultation": "1000", "registration": "400",
//!                "cgst_percent": "5", "sgst_percent": "5" },
//!       "minutes": 20
//!     }],
//!     "schedule": {
//!       "sessions": [{
//!         "facility_id": "f1", "weekdays": ["mon", "wed", "fri"], "start": "09:00", "end": "12:00",
//!         "slot_minutes": 20, "consultation_types": ["physical", "digital"]
//!       }],
//!       "exceptions": [{ "from": "2026-12-24", "to": "2026-12-26", "kind": "closed" }]
//!     }
//!   }]
//! }
//! ```
//!
//! Optional: everything a facility has after `location`; `rating`, `rating_count`,
//! `experience_years`, `minutes`, a service's `name` (`Consultation`), `registration`, both tax
//! rates, `exceptions`. Fields not listed are kept (`extra`) on the file, a facility, a
//! practitioner and a service. All sessions of one practitioner are at facilities of one time
//! zone, so that they can be compared.

mod check;
mod facility;
mod id;
mod money;
mod place;
mod practitioner;
mod term;

pub use check::CatalogueError;
pub use facility::{City, Department, Facility};
pub use id::{
    CityCode, Currency, CurrencyError, DepartmentId, FacilityId, IdError, MAX_ID_LEN, PractitionerId, ServiceId,
};
pub(crate) use id::{check_id, ids};
pub use money::{Amount, Fee, MAX_AMOUNT, MoneyError, Percent};
pub use place::{EARTH_RADIUS_KM, Point, PointError, Zone, ZoneError};
pub use practitioner::{Practitioner, Service, Speciality};
pub use term::{ConsultationType, Gender, Language, Stars, TermError};

use serde::{Deserialize, Serialize};

/// Fields this version does not know, kept so that a round trip loses nothing.
pub type Extra = serde_json::Map<String, serde_json::Value>;

/// A consistent catalogue. See the module for the file format.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Catalogue {
    cities: Vec<City>,
    facilities: Vec<Facility>,
    practitioners: Vec<Practitioner>,
    #[serde(flatten)]
    extra: Extra,
}

#[derive(Deserialize)]
struct RawCatalogue {
    cities: Vec<City>,
    facilities: Vec<Facility>,
    practitioners: Vec<Practitioner>,
    #[serde(flatten)]
    extra: Extra,
}

impl Catalogue {
    /// Reads a catalogue file and checks all of it.
    ///
    /// # Errors
    /// The first fault found, with the JSON path it is at and what was expected there.
    pub fn parse(json: &[u8]) -> Result<Self, CatalogueError> {
        let mut reader = serde_json::Deserializer::from_slice(json);
        let raw: RawCatalogue = serde_path_to_error::deserialize(&mut reader)?;
        reader.end().map_err(|error| CatalogueError::new(".", error.to_string()))?;
        let mut catalogue = Self::new(raw.cities, raw.facilities, raw.practitioners)?;
        catalogue.extra = raw.extra;
        Ok(catalogue)
    }

    /// Puts a catalogue together and checks it, as [`Catalogue::parse`] does.
    ///
    /// # Errors
    /// The first fault found, with the path it would have in the file.
    pub fn new(
        cities: Vec<City>,
        facilities: Vec<Facility>,
        practitioners: Vec<Practitioner>,
    ) -> Result<Self, CatalogueError> {
        check::whole(&cities, &facilities, &practitioners)?;
        Ok(Self { cities, facilities, practitioners, extra: Extra::new() })
    }

    /// The cities, in file order.
    pub fn cities(&self) -> &[City] {
        &self.cities
    }

    /// The facilities, in file order.
    pub fn facilities(&self) -> &[Facility] {
        &self.facilities
    }

    /// The practitioners, in file order.
    pub fn practitioners(&self) -> &[Practitioner] {
        &self.practitioners
    }

    /// Fields of the file this version does not know.
    pub fn extra(&self) -> &Extra {
        &self.extra
    }

    /// Gives up the parts: cities, facilities, practitioners.
    pub fn into_parts(self) -> (Vec<City>, Vec<Facility>, Vec<Practitioner>) {
        (self.cities, self.facilities, self.practitioners)
    }
}

#[cfg(test)]
mod tests;
