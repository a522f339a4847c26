//! A practitioner (Beckn's `fulfillment.agent`) and the services (`item`) on offer.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    ConsultationType, DepartmentId, Extra, Facility, FacilityId, Fee, Gender, Language, PractitionerId, ServiceId,
    Stars,
};
use crate::schedule::Schedule;
use crate::slot::{Slot, Slots};

/// A doctor, therapist or other practitioner. What is here is published to anyone who searches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Practitioner {
    /// The practitioner in this catalogue: `agent.person.id`.
    pub id: PractitionerId,
    /// The name shown to people.
    pub name: String,
    /// Administrative gender.
    pub gender: Gender,
    /// The registration with the profession's register, as networks exchange it
    /// (`agent.person.creds[].id`, UHI's HPR identifier). Any text.
    pub registration_id: String,
    /// Fields of practice.
    #[serde(default)]
    pub specialities: Vec<Speciality>,
    /// Such as `Allopathy`, `Ayurveda`, `Homeopathy`.
    pub system_of_medicine: String,
    /// Languages spoken in a consultation.
    #[serde(default)]
    pub languages: Vec<Language>,
    /// The average rating, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<Stars>,
    /// How many ratings the average is over.
    #[serde(default)]
    pub rating_count: u32,
    /// Years of practice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experience_years: Option<u8>,
    /// What can be booked.
    pub services: Vec<Service>,
    /// When.
    pub schedule: Schedule,
    /// Fields this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Practitioner {
    /// The service of that identifier.
    pub fn service(&self, id: &ServiceId) -> Option<&Service> {
        self.services.iter().find(|service| service.id == *id)
    }

    /// The slots of a service with a start in `from..until`, in order. Lazy.
    pub fn slots<'a>(
        &'a self,
        facility: &'a Facility,
        service: &'a Service,
        from: Timestamp,
        until: Timestamp,
    ) -> Slots<'a> {
        self.schedule.slots(&facility.zone, service, from, until)
    }

    /// The slot of a service that starts at that instant, if there is one.
    pub fn slot_at(&self, facility: &Facility, service: &Service, start: Timestamp) -> Option<Slot> {
        self.schedule.contains(&facility.zone, service, start)
    }

    /// Checks one practitioner against the facilities known to the caller, as a provider's API
    /// must before it stores one. Uniqueness across practitioners is the caller's to keep.
    ///
    /// # Errors
    /// The first fault, with its path inside the practitioner.
    pub fn check<'f>(
        &self,
        facility: impl Fn(&FacilityId) -> Option<&'f Facility>,
    ) -> Result<(), super::CatalogueError> {
        super::check::practitioner("", self, &facility)
    }
}

/// A field of practice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Speciality {
    /// Such as `cardiology`.
    pub code: String,
    /// Such as `Cardiology`.
    pub name: String,
}

/// One thing a practitioner offers at one facility: Beckn's `item`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Beckn's `item.id`, unique in the catalogue.
    pub id: ServiceId,
    /// `item.descriptor.name`.
    #[serde(default = "consultation", skip_serializing_if = "is_consultation")]
    pub name: String,
    /// Where.
    pub facility_id: FacilityId,
    /// The department of that facility: `item.category_ids`.
    pub department_id: DepartmentId,
    /// How.
    pub consultation_type: ConsultationType,
    /// What it costs.
    pub fee: Fee,
    /// How long the talk itself usually takes, in minutes, for display. The slot's length is the
    /// session's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u16>,
    /// Fields this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The name of a service that has no other.
const CONSULTATION: &str = "Consultation";

fn consultation() -> String {
    CONSULTATION.to_owned()
}

fn is_consultation(name: &str) -> bool {
    name == CONSULTATION
}
