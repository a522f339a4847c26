//! Table `bpp-catalogue`: facilities and services, as the provider entered them.
//!
//! Keys: `cities`/`<city>` names a city; `city#<city>`/`<facility id>` a facility of it;
//! `facility#<facility id>`/`facility` is the facility, `facility#<facility id>`/`service#<service id>` the
//! practitioner who gives that service there. A practitioner stands under each of their services, so
//! that one call answers "what is this item, and who gives it where".
//!
//! Invariant: booking reads this table, not the search snapshot; the table's stream tells
//! `bpp-index` which city to rebuild.

use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use beckn_health_domain::catalogue::{Catalogue, City, CityCode, Facility, FacilityId, Practitioner, ServiceId};
use serde::de::DeserializeOwned;

use super::{Item, StoreError, Tables, binary, key, pack, string, table, text, unpacked};

/// The `bpp-catalogue` table.
#[derive(Debug, Clone)]
pub struct CatalogueStore(Tables);

/// What an item id stands for.
#[derive(Debug, Clone)]
pub struct Offering {
    /// Where.
    pub facility: Facility,
    /// By whom; their services include the one asked for, if it exists.
    pub practitioner: Option<Practitioner>,
}

/// What a city has.
#[derive(Debug, Clone, Default)]
pub struct CityCatalogue {
    /// Its facilities.
    pub facilities: Vec<Facility>,
    /// Everyone who gives a service in one of them, each once.
    pub practitioners: Vec<Practitioner>,
}

impl CatalogueStore {
    /// The table of this deployment.
    pub fn new(tables: Tables) -> Self {
        Self(tables)
    }

    /// Stores a whole catalogue. `progress` is told how many practitioners are stored so far.
    ///
    /// # Errors
    /// DynamoDB failed; storing again is safe.
    pub async fn put(&self, catalogue: &Catalogue, progress: impl Fn(usize)) -> Result<(), StoreError> {
        let mut rows = Vec::new();
        for city in catalogue.cities() {
            rows.push(self.row("cities", city.code.as_str(), &city.code, city)?);
        }
        for facility in catalogue.facilities() {
            let mut pointer = key(&format!("city#{}", facility.city), facility.id.as_str());
            pointer.insert("city".to_owned(), string(facility.city.as_str()));
            rows.push(write(pointer)?);
            rows.push(self.row(&format!("facility#{}", facility.id), "facility", &facility.city, facility)?);
        }
        self.0.batch_write(table::CATALOGUE, rows).await?;
        let cities: std::collections::HashMap<&FacilityId, &CityCode> =
            catalogue.facilities().iter().map(|facility| (&facility.id, &facility.city)).collect();
        for (index, batch) in catalogue.practitioners().chunks(500).enumerate() {
            let mut rows = Vec::new();
            for practitioner in batch {
                for service in &practitioner.services {
                    let Some(city) = cities.get(&service.facility_id) else { continue };
                    rows.push(self.row(
                        &format!("facility#{}", service.facility_id),
                        &format!("service#{}", service.id),
                        city,
                        practitioner,
                    )?);
                }
            }
            self.0.batch_write(table::CATALOGUE, rows).await?;
            progress((index * 500 + batch.len()).min(catalogue.practitioners().len()));
        }
        Ok(())
    }

    /// The facility and the practitioner behind an item; `None` when there is no such facility.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub async fn offering(&self, facility: &FacilityId, service: &ServiceId) -> Result<Option<Offering>, StoreError> {
        let pk = format!("facility#{facility}");
        let service_key = format!("service#{service}");
        let keys = vec![(pk.clone(), "facility".to_owned()), (pk, service_key.clone())];
        let items = self.0.batch_get(table::CATALOGUE, keys).await?;
        let find = |sk: &str| items.iter().find(|item| text(item, "sk") == Some(sk));
        let Some(facility) = find("facility") else { return Ok(None) };
        Ok(Some(Offering {
            facility: document(facility)?,
            practitioner: find(&service_key).map(document).transpose()?,
        }))
    }

    /// A facility.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub async fn facility(&self, facility: &FacilityId) -> Result<Option<Facility>, StoreError> {
        let item = self.0.get(table::CATALOGUE, &format!("facility#{facility}"), "facility").await?;
        item.as_ref().map(document).transpose()
    }

    /// The cities of this provider.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub async fn cities(&self) -> Result<Vec<City>, StoreError> {
        self.0.query(table::CATALOGUE, "cities", "").await?.iter().map(document).collect()
    }

    /// Which city a changed row belongs to, read from the row's key; `None` for rows that concern
    /// none (or a facility that is gone).
    ///
    /// # Errors
    /// DynamoDB failed.
    pub async fn city_of_row(&self, pk: &str, sk: &str) -> Result<Option<CityCode>, StoreError> {
        let city = match (pk.split_once('#'), sk) {
            (None, city) if pk == "cities" => Some(city.to_owned()),
            (Some(("city", city)), _) => Some(city.to_owned()),
            (Some(("facility", _)), _) => {
                let facility = self.0.get(table::CATALOGUE, pk, "facility").await?;
                facility.and_then(|item| text(&item, "city").map(str::to_owned))
            }
            _ => None,
        };
        Ok(city.and_then(|city| CityCode::parse(city).ok()))
    }

    /// Everything of one city.
    ///
    /// # Errors
    /// DynamoDB failed, or a row has an unknown shape.
    pub async fn city(&self, city: &CityCode) -> Result<CityCatalogue, StoreError> {
        let mut found = CityCatalogue::default();
        let mut seen = std::collections::HashSet::new();
        for pointer in self.0.query(table::CATALOGUE, &format!("city#{city}"), "").await? {
            let id = text(&pointer, "sk").unwrap_or_default();
            for item in self.0.query(table::CATALOGUE, &format!("facility#{id}"), "").await? {
                if text(&item, "sk") == Some("facility") {
                    found.facilities.push(document(&item)?);
                } else {
                    let practitioner: Practitioner = document(&item)?;
                    if seen.insert(practitioner.id.clone()) {
                        found.practitioners.push(practitioner);
                    }
                }
            }
        }
        Ok(found)
    }

    fn row(
        &self,
        pk: &str,
        sk: &str,
        city: &CityCode,
        document: &impl serde::Serialize,
    ) -> Result<WriteRequest, StoreError> {
        let json = serde_json::to_vec(document).map_err(|error| StoreError::malformed(table::CATALOGUE, error))?;
        let mut item = key(pk, sk);
        item.insert("city".to_owned(), string(city.as_str()));
        item.insert("document".to_owned(), binary(pack(&json)));
        write(item)
    }
}

fn write(item: Item) -> Result<WriteRequest, StoreError> {
    let put = PutRequest::builder()
        .set_item(Some(item))
        .build()
        .map_err(|error| StoreError::malformed(table::CATALOGUE, error))?;
    Ok(WriteRequest::builder().put_request(put).build())
}

fn document<T: DeserializeOwned>(item: &Item) -> Result<T, StoreError> {
    let json = unpacked(item, "document").ok_or_else(|| StoreError::malformed(table::CATALOGUE, "document"))?;
    serde_json::from_slice(&json).map_err(|error| StoreError::malformed(table::CATALOGUE, error))
}
