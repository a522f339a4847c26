//! The search snapshot in memory.
//!
//! Invariant: what is held is one published version of each city, replaced whole; its version is
//! compared with the table's every few seconds, and one task loads while the others go on with what
//! they have.

use std::collections::BTreeMap;
use std::sync::Arc;

use beckn_health_domain::search::Criteria;
use beckn_health_domain::snapshot::{Match, Record, Snapshot};
use beckn_health_platform::deps::Deps;
use beckn_health_platform::store::StoreError;
use beckn_health_platform::store::snapshots::{Snapshots, Version};
use jiff::Timestamp;
use tokio::sync::{Mutex, RwLock};
use tracing::{info, warn};

/// How long a version is believed to be the current one, in milliseconds.
const FRESH_MS: i64 = 3_000;

/// The cities that can be searched.
#[derive(Default)]
pub(super) struct Held {
    cities: BTreeMap<String, (Version, Arc<Snapshot>)>,
}

impl Held {
    /// The matches of the city asked for, or of all cities one after the other; with a point, the
    /// cities' answers are merged nearest first.
    pub(super) fn matches<'a>(
        &'a self,
        criteria: &'a Criteria,
        now: Timestamp,
    ) -> Box<dyn Iterator<Item = Match<'a>> + Send + 'a> {
        let wanted = criteria.city.as_ref().map(|city| city.as_str());
        let cities = self.cities.iter().filter(move |(code, _)| wanted.is_none_or(|wanted| wanted == code.as_str()));
        let answers: Vec<_> = cities.map(|(_, (_, snapshot))| snapshot.matches(criteria, now).peekable()).collect();
        Box::new(Merged { answers })
    }
}

/// The first of the cities' next matches, by distance where there is one, else by city.
struct Merged<I: Iterator> {
    answers: Vec<std::iter::Peekable<I>>,
}

impl<'a, I: Iterator<Item = Match<'a>>> Iterator for Merged<I> {
    type Item = Match<'a>;

    fn next(&mut self) -> Option<Match<'a>> {
        let distance = |found: Option<&Match<'a>>| found.map(|found| found.distance_km.unwrap_or_default());
        let nearest = self
            .answers
            .iter_mut()
            .enumerate()
            .filter_map(|(index, answers)| Some((index, distance(answers.peek())?)))
            .min_by(|(_, a), (_, b)| a.total_cmp(b))?
            .0;
        self.answers.get_mut(nearest)?.next()
    }
}

/// The process's memory of the snapshot.
#[derive(Default)]
struct Memory {
    held: RwLock<(i64, Arc<Held>)>,
    loading: Mutex<()>,
}

/// The snapshot of this moment, a few seconds old at most.
pub(super) async fn current(deps: &Deps) -> Result<Arc<Held>, StoreError> {
    let memory = deps.memory.of::<Memory>();
    let fresh = |checked_at: i64| (0..FRESH_MS).contains(&(deps.clock.now().as_millisecond() - checked_at));
    let (checked_at, held) = memory.held.read().await.clone();
    if fresh(checked_at) {
        return Ok(held);
    }
    // Whoever comes while another loads goes on with what there is, unless there is nothing.
    let _loading = match memory.loading.try_lock() {
        Ok(loading) => loading,
        Err(_) if !held.cities.is_empty() => return Ok(held),
        Err(_) => memory.loading.lock().await,
    };
    let (checked_at, held) = memory.held.read().await.clone();
    if fresh(checked_at) {
        return Ok(held);
    }
    let now = deps.clock.now().as_millisecond();
    let held = load(deps, held).await?;
    *memory.held.write().await = (now, held.clone());
    Ok(held)
}

/// What is held, with every city replaced whose version has changed.
async fn load(deps: &Deps, held: Arc<Held>) -> Result<Arc<Held>, StoreError> {
    let table = Snapshots::new(deps.tables.clone());
    let current = table.current().await?;
    let unchanged = current.len() == held.cities.len()
        && current.iter().all(|(city, version)| held.cities.get(city).is_some_and(|(known, _)| known == version));
    if unchanged {
        return Ok(held);
    }
    let mut cities = BTreeMap::new();
    for (city, version) in current {
        let known = held.cities.get(&city).filter(|(known, _)| *known == version);
        let snapshot = match known {
            Some((_, snapshot)) => snapshot.clone(),
            None => match table.load(&city, version).await? {
                Some(lines) => Arc::new(build(lines).await),
                None => {
                    // Replaced while it was being read; the next look finds the newer one.
                    warn!(city, version = version.number, "snapshot gone before it was read");
                    continue;
                }
            },
        };
        info!(city, version = version.number, services = snapshot.len(), "snapshot held");
        cities.insert(city, (version, snapshot));
    }
    Ok(Arc::new(Held { cities }))
}

/// Parses off the async threads: a large city takes a second.
async fn build(lines: Vec<u8>) -> Snapshot {
    let parse = move || {
        let records = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Snapshot::from_records(records.filter_map(|line| serde_json::from_slice::<Record<'static>>(line).ok()))
    };
    tokio::task::spawn_blocking(parse).await.unwrap_or_else(|_| Snapshot::from_records([]))
}
