//! Table `bpp-catalogue`: facilities and services, as the provider entered them.
//!
//! Keys: `cities`/`<city>` names a city; `city#<city>`/`<facility id>` a facility of it;
//! `facility#<facility id>`/`facility` is the facility, `facility#<facility id>`/`service#<service id>` the
//! practitioner who gives that service there. A practitioner stands under each of their services, so
//! that one call answers "what is this item, and who gives it where".
//!
//! Invariant: booking reads this table, not the search snapshot; the table's stream tells
//! `bpp-index` which city to rebuild.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, WriteRequest};
use beckn_health_domain::catalogue::{Catalogue, City, CityCode, Facility, FacilityId, Practitioner, ServiceId};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::de::DeserializeOwned;

use super::packing::pack;
use super::{Item, StoreError, Tables, binary, key, string, table, text, unpacked};

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

    /// Stores the facilities and practitioners of a catalogue. `progress` is told how many
    /// practitioners are stored so far.
    ///
    /// # Errors
    /// DynamoDB failed; storing again is safe.
    pub async fn put(&self, catalogue: &Catalogue, progress: impl Fn(usize)) -> Result<(), StoreError> {
        let mut rows = Vec::new();
        for facility in catalogue.facilities() {
            let mut pointer = key(&format!("city#{}", facility.city), facility.id.as_str());
            pointer.insert("city".to_owned(), string(facility.city.as_str()));
            rows.push(write(pointer)?);
            rows.push(self.row(&format!("facility#{}", facility.id), "facility", &facility.city, facility)?);
        }
        self.0.batch_write(table::CATALOGUE, rows).await?;
        let cities: HashMap<&FacilityId, &CityCode> =
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

    /// Stores the cities of a catalogue. Written last, they tell `bpp-index` that all is there.
    ///
    /// # Errors
    /// DynamoDB failed; storing again is safe.
    pub async fn put_cities(&self, catalogue: &Catalogue) -> Result<(), StoreError> {
        let rows = catalogue.cities().iter().map(|city| self.row("cities", city.code.as_str(), &city.code, city));
        self.0.batch_write(table::CATALOGUE, rows.collect::<Result<_, _>>()?).await
    }

    /// The facility and the practitioner behind an item; `None` when there is no such facility.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub async fn offering(&self, facility: &FacilityId, service: &ServiceId) -> Result<Option<Offering>, StoreError> {
        let pk = format!("facility#{facility}");
        let service_key = format!("service#{service}");
        let keys = vec![(pk.clone(), "facility".to_owned()), (pk, service_key.clone())];
        let items = self.0.batch_glance(table::CATALOGUE, keys).await?;
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
        /// Facilities read at the same time.
        const CONCURRENCY: usize = 16;
        let pointers = self.0.query(table::CATALOGUE, &format!("city#{city}"), "").await?;
        let facilities: Vec<String> =
            pointers.iter().filter_map(|pointer| text(pointer, "sk")).map(|id| format!("facility#{id}")).collect();
        let mut rows = stream::iter(facilities)
            .map(|pk| async move { self.0.query(table::CATALOGUE, &pk, "").await })
            // In the order of the pointers, so that the same catalogue gives the same snapshot.
            .buffered(CONCURRENCY);
        let mut found = CityCatalogue::default();
        let mut seen = HashSet::new();
        while let Some(items) = rows.try_next().await? {
            for item in items {
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

    /// Deletes what is stored and not in `catalogue`, so that a catalogue replaces the one before it.
    ///
    /// # Errors
    /// DynamoDB failed; doing it again is safe.
    pub async fn remove_others(&self, catalogue: &Catalogue) -> Result<(), StoreError> {
        let facilities: HashMap<&str, &CityCode> =
            catalogue.facilities().iter().map(|facility| (facility.id.as_str(), &facility.city)).collect();
        let services: HashSet<(&str, &str)> = catalogue
            .practitioners()
            .iter()
            .flat_map(|practitioner| &practitioner.services)
            .map(|service| (service.facility_id.as_str(), service.id.as_str()))
            .collect();
        let cities: HashSet<&str> = catalogue.cities().iter().map(|city| city.code.as_str()).collect();
        let mut gone = Vec::new();
        for city in self.cities().await? {
            let partition = format!("city#{}", city.code);
            for pointer in self.0.query(table::CATALOGUE, &partition, "").await? {
                let id = text(&pointer, "sk").unwrap_or_default();
                let kept = facilities.contains_key(id);
                // One that moved to another city is no longer of this one.
                if facilities.get(id).is_none_or(|now_in| **now_in != city.code) {
                    gone.push(key(&partition, id));
                }
                let pk = format!("facility#{id}");
                for item in self.0.query(table::CATALOGUE, &pk, "").await? {
                    let sk = text(&item, "sk").unwrap_or_default();
                    let stays = sk.strip_prefix("service#").is_none_or(|service| services.contains(&(id, service)));
                    if !kept || !stays {
                        gone.push(key(&pk, sk));
                    }
                }
            }
            if !cities.contains(city.code.as_str()) {
                gone.push(key("cities", city.code.as_str()));
            }
        }
        let requests = gone.into_iter().map(|key| {
            let delete = DeleteRequest::builder().set_key(Some(key)).build();
            delete
                .map(|delete| WriteRequest::builder().delete_request(delete).build())
                .map_err(|error| StoreError::malformed(table::CATALOGUE, error))
        });
        self.0.batch_write(table::CATALOGUE, requests.collect::<Result<_, _>>()?).await
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
