//! `bpp-index`: rebuilds a city's search snapshot after its catalogue changed.
//!
//! Invariant: a snapshot is published whole or not at all; the number of rows that changed does
//! not matter, a city is rebuilt once for all changes of a batch.

use std::collections::{BTreeSet, HashSet};

use beckn_health_domain::catalogue::CityCode;
use beckn_health_domain::snapshot::Snapshot;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Change, Function, StreamFailure, Trigger};
use beckn_health_platform::store::catalogue::CatalogueStore;
use beckn_health_platform::store::snapshots::Snapshots;
use beckn_health_platform::store::table;
use tracing::info;

/// The rebuilder of the search snapshot.
pub const FUNCTION: Function = Function {
    name: "bpp-index",
    trigger: Trigger::Stream {
        table: table::CATALOGUE,
        handler: |deps, changes| Box::pin(async move { rebuild(&deps, changes).await }),
    },
    tables: &[table::CATALOGUE, table::SNAPSHOTS],
    sends_to: &[],
    prepare: None,
};

async fn rebuild(deps: &Deps, changes: Vec<Change>) -> Result<(), StreamFailure> {
    let failed = |error: beckn_health_platform::store::StoreError| StreamFailure(error.to_string());
    let catalogue = CatalogueStore::new(deps.tables.clone());
    let mut cities: BTreeSet<CityCode> = BTreeSet::new();
    let mut facilities = HashSet::new();
    for Change { pk, sk, .. } in changes {
        // All services of a facility are in one city.
        if pk.starts_with("facility#") && !facilities.insert(pk.clone()) {
            continue;
        }
        cities.extend(catalogue.city_of_row(&pk, &sk).await.map_err(failed)?);
    }
    for code in cities {
        let snapshots = Snapshots::new(deps.tables.clone());
        let current = snapshots.current().await.map_err(failed)?.get(code.as_str()).map(|version| version.number);
        // Grows even when two rebuilds fall into one millisecond.
        let version = deps.clock.now().as_millisecond().max(current.map_or(0, |current| current + 1));
        let city = catalogue.city(&code).await.map_err(failed)?;
        let snapshot = Snapshot::build(city.facilities, city.practitioners);
        let mut lines = Vec::new();
        for record in snapshot.records() {
            serde_json::to_writer(&mut lines, &record).map_err(|error| StreamFailure(error.to_string()))?;
            lines.push(b'\n');
        }
        let published = snapshots.publish(&code, version, &lines).await.map_err(failed)?;
        info!(city = %code, version, published, bytes = lines.len(), "snapshot rebuilt");
    }
    Ok(())
}
