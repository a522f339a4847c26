//! What a consumer asks for.
//!
//! Invariant: every criterion is optional and they combine with "and". An absent criterion, or a
//! text without a letter or digit in it, lets everything through.
//!
//! [`Snapshot::matches`](crate::snapshot::Snapshot::matches) answers a [`Criteria`]; it says what
//! each criterion costs.

pub mod text;

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::catalogue::{CityCode, ConsultationType, FacilityId, Gender, Language, Point, ServiceId, Stars};

/// What is looked for. `Criteria::default()` matches everything.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Criteria {
    /// Speciality or category, as code or in words, of the practitioner or of the service's
    /// department. Occupations and common words are understood: `cardiologist`, `heart`.
    pub speciality: Option<String>,
    /// Beginnings of words of the practitioner's name; titles are ignored.
    pub practitioner_name: Option<String>,
    /// The practitioner's identifier or registration, in full.
    pub practitioner_id: Option<String>,
    /// Beginnings of words of the facility's name.
    pub facility_name: Option<String>,
    /// The facility: `provider.id`.
    pub facility_id: Option<FacilityId>,
    /// The service: `item.id`.
    pub service_id: Option<ServiceId>,
    /// Beginnings of words of the service's name: `item.descriptor.name`. Every service is also
    /// found as "consultation".
    pub service_name: Option<String>,
    /// How the consultation takes place.
    pub consultation_type: Option<ConsultationType>,
    /// Languages, all of which the practitioner has to speak.
    pub languages: Vec<Language>,
    /// Such as `Ayurveda` or `ayurvedic`.
    pub system_of_medicine: Option<String>,
    /// The practitioner's gender.
    pub gender: Option<Gender>,
    /// At least one bookable slot starts within. Slots taken by others are not considered here.
    pub available: Option<Window>,
    /// The service's facility is within a radius. Answers come nearest first.
    pub near: Option<Near>,
    /// The city of the service's facility.
    pub city: Option<CityCode>,
    /// The consultation fee before tax and registration, ends included.
    pub price: Option<PriceRange>,
    /// The practitioner's rating, ends included. Practitioners without a rating are left out.
    pub rating: Option<RatingRange>,
}

/// A stretch of time, `until` not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
}

/// A circle on the globe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    point: Point,
    radius_km: f64,
}

/// The radius is not a positive number.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("expected a radius above 0 km, found {0}")]
pub struct RadiusError(f64);

impl Near {
    /// A circle. No two points are further apart than half the equator, so a larger radius means
    /// everywhere.
    ///
    /// # Errors
    /// The radius is zero, negative or not a number.
    pub fn new(point: Point, radius_km: f64) -> Result<Self, RadiusError> {
        if radius_km.is_nan() || radius_km <= 0.0 {
            return Err(RadiusError(radius_km));
        }
        Ok(Self { point, radius_km: radius_km.min(EVERYWHERE_KM) })
    }

    /// The middle.
    pub fn point(&self) -> &Point {
        &self.point
    }

    /// The radius in kilometres.
    pub fn radius_km(&self) -> f64 {
        self.radius_km
    }
}

/// A little more than half the circumference of the earth, in kilometres.
pub(crate) const EVERYWHERE_KM: f64 = 20_040.0;

/// Amounts of money, ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PriceRange {
    /// The least.
    pub min: Option<Decimal>,
    /// The most.
    pub max: Option<Decimal>,
}

impl PriceRange {
    /// Whether the amount lies within.
    pub fn contains(&self, amount: Decimal) -> bool {
        self.min.is_none_or(|min| min <= amount) && self.max.is_none_or(|max| amount <= max)
    }
}

/// Ratings, ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RatingRange {
    /// The least.
    pub min: Option<Stars>,
    /// The most.
    pub max: Option<Stars>,
}

impl RatingRange {
    /// Whether the rating lies within.
    pub fn contains(&self, rating: Stars) -> bool {
        self.min.is_none_or(|min| min <= rating) && self.max.is_none_or(|max| rating <= max)
    }
}
