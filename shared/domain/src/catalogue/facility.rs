//! A facility (Beckn's `provider`), its departments (`category`) and its city.

use serde::{Deserialize, Serialize};

use super::{CityCode, DepartmentId, Extra, FacilityId, Point, Stars, Zone};

/// A city that facilities are in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct City {
    /// `context.location.city.code`.
    pub code: CityCode,
    /// The name shown to people.
    pub name: String,
}

/// A hospital or clinic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facility {
    /// Beckn's `provider.id`.
    pub id: FacilityId,
    /// `provider.descriptor.name`.
    pub name: String,
    /// `provider.descriptor.short_desc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_desc: Option<String>,
    /// The city it is in.
    pub city: CityCode,
    /// The zone its working hours are told in.
    pub zone: Zone,
    /// Where it is.
    pub location: Point,
    /// The full postal address in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The postal code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area_code: Option<String>,
    /// The desk's telephone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The desk's e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Its website.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its average rating.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<Stars>,
    /// Its departments.
    #[serde(default)]
    pub departments: Vec<Department>,
    /// Fields this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Facility {
    /// The department of that identifier.
    pub fn department(&self, id: &DepartmentId) -> Option<&Department> {
        self.departments.iter().find(|department| department.id == *id)
    }
}

/// A department of a facility: Beckn's `category`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Department {
    /// `category.id`, unique in its facility.
    pub id: DepartmentId,
    /// `category.descriptor.code`, such as `cardiology`.
    pub code: String,
    /// `category.descriptor.name`.
    pub name: String,
}
