//! Table `bpp-snapshots`: the search snapshot of each city, compressed, in chunks.
//!
//! Keys: `current`/`<city>` points at a version; `<city>#<version>`/`<chunk number>` are its chunks.
//!
//! Invariant: a pointer names only a version whose chunks are all written; versions only grow, so
//! of two rebuilds that run at once the later one wins. The version that was current before stays
//! until the next rebuild, for readers that are in the middle of it.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, WriteRequest};
use beckn_health_domain::catalogue::CityCode;

use super::packing::{pack, unpack};
use super::{StoreError, Tables, binary, integer, is_refused, key, number, table, text};

/// Bytes of one chunk; an item may have 400 KB.
const CHUNK: usize = 350 * 1024;

/// The `bpp-snapshots` table.
#[derive(Debug, Clone)]
pub struct Snapshots(Tables);

/// A version of a city's snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Grows with every rebuild.
    pub number: i64,
    /// How many chunks it has.
    chunks: i64,
}

impl Snapshots {
    /// The table of this deployment.
    pub fn new(tables: Tables) -> Self {
        Self(tables)
    }

    /// The current version of every city.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub async fn current(&self) -> Result<BTreeMap<String, Version>, StoreError> {
        let pointers = self.0.query(table::SNAPSHOTS, "current", "").await?;
        Ok(pointers
            .iter()
            .filter_map(|item| {
                let version = Version { number: integer(item, "version")?, chunks: integer(item, "chunks")? };
                Some((text(item, "sk")?.to_owned(), version))
            })
            .collect())
    }

    /// The bytes of a version; `None` when it has been replaced and deleted meanwhile.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub async fn load(&self, city: &str, version: Version) -> Result<Option<Vec<u8>>, StoreError> {
        let chunks = self.0.query(table::SNAPSHOTS, &chunks_key(city, version.number), "").await?;
        if i64::try_from(chunks.len()).ok() != Some(version.chunks) {
            return Ok(None);
        }
        let packed: Vec<u8> = chunks
            .iter()
            .filter_map(|item| item.get("bytes")?.as_b().ok())
            .flat_map(|blob| blob.as_ref().iter().copied())
            .collect();
        unpack(&packed).map(Some).ok_or_else(|| StoreError::malformed(table::SNAPSHOTS, "bytes"))
    }

    /// Publishes `bytes` as a version of a city and deletes the versions before the one it
    /// replaces. Returns false when a later version is current already.
    ///
    /// # Errors
    /// DynamoDB failed; what was current stays current.
    pub async fn publish(&self, city: &CityCode, version: i64, bytes: &[u8]) -> Result<bool, StoreError> {
        let packed = pack(bytes);
        let chunks: Vec<&[u8]> = packed.chunks(CHUNK).collect();
        let requests = chunks.iter().enumerate().map(|(index, chunk)| {
            let mut item = key(&chunks_key(city.as_str(), version), &format!("{index:06}"));
            item.insert("bytes".to_owned(), binary(chunk.to_vec()));
            let put = PutRequest::builder().set_item(Some(item)).build();
            put.map(|put| WriteRequest::builder().put_request(put).build())
                .map_err(|error| StoreError::malformed(table::SNAPSHOTS, error))
        });
        // One chunk per call: 25 of them could exceed what one call may carry.
        for request in requests {
            self.0.batch_write(table::SNAPSHOTS, vec![request?]).await?;
        }
        let outcome = self
            .0
            .client()
            .update_item()
            .table_name(self.0.name(table::SNAPSHOTS))
            .set_key(Some(key("current", city.as_str())))
            .update_expression("SET previous = version, version = :version, chunks = :chunks")
            .condition_expression("attribute_exists(version) AND version < :version")
            .expression_attribute_values(":version", number(version))
            .expression_attribute_values(":chunks", number(chunks.len() as i64))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllOld)
            .send()
            .await;
        match outcome {
            Ok(updated) => {
                if let Some(previous) = updated.attributes().and_then(|old| integer(old, "previous")) {
                    self.delete(city.as_str(), previous).await?;
                }
                Ok(true)
            }
            Err(error) if is_refused(&error) => self.publish_first(city, version, chunks.len() as i64).await,
            Err(error) => Err(self.0.error("UpdateItem", table::SNAPSHOTS, &error)),
        }
    }

    /// The pointer of a city that had none. When it has one, that one is later than ours.
    async fn publish_first(&self, city: &CityCode, version: i64, chunks: i64) -> Result<bool, StoreError> {
        let outcome = self
            .0
            .client()
            .put_item()
            .table_name(self.0.name(table::SNAPSHOTS))
            .set_item(Some(key("current", city.as_str())))
            .item("version", number(version))
            .item("chunks", number(chunks))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        match outcome {
            Ok(_) => Ok(true),
            Err(error) if is_refused(&error) => {
                // A rebuild of the same millisecond has published this very version: its chunks are in use.
                let current = self.0.get(table::SNAPSHOTS, "current", city.as_str()).await?;
                if current.is_none_or(|current| integer(&current, "version") != Some(version)) {
                    self.delete(city.as_str(), version).await?;
                }
                Ok(false)
            }
            Err(error) => Err(self.0.error("PutItem", table::SNAPSHOTS, &error)),
        }
    }

    async fn delete(&self, city: &str, version: i64) -> Result<(), StoreError> {
        let pk = chunks_key(city, version);
        let chunks = self.0.query(table::SNAPSHOTS, &pk, "").await?;
        let requests = chunks.iter().filter_map(|item| {
            let delete = DeleteRequest::builder().set_key(Some(key(&pk, text(item, "sk")?))).build().ok()?;
            Some(WriteRequest::builder().delete_request(delete).build())
        });
        self.0.batch_write(table::SNAPSHOTS, requests.collect()).await
    }
}

fn chunks_key(city: &str, version: i64) -> String {
    format!("{city}#{version}")
}
