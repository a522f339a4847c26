//! `bpp-on-search`: the services that match, with the next free slots of each.
//!
//! Invariant: nothing is written and nothing is scanned. The criteria are answered from the
//! snapshot in memory; only the slots of the services shown are read, by one query for each
//! practitioner, all at once. A search is a hint: `init` decides.

use beckn_health_domain::catalogue::CityCode;
use beckn_health_domain::search::Criteria;
use beckn_health_domain::slot::{BOOKING_HORIZON, Slot};
use beckn_health_domain::snapshot::Match;
use beckn_health_platform::deliver::CALLBACKS;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, QueueRecord, RecordFailure, Trigger};
use beckn_health_platform::respond::Inbound;
use beckn_health_platform::store::slots::{Look, SlotKey, Slots};
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;
use beckn_health_protocol::message::{CatalogMessage, SearchMessage};
use jiff::Timestamp;

use super::outcome::{NoAnswer, answered};
use super::snapshots;
use crate::translate::catalog::{Shown, catalog};
use crate::translate::intent;

/// Most services of one answer.
const PAGE: usize = 20;
/// Slots shown of each service.
const SLOTS_SHOWN: usize = 3;
/// Slots looked at of each service, so that some taken ones leave enough to show.
const SLOTS_READ: usize = 5;
/// Most services looked at for one answer, when most of them have no free slot.
const MOST_EXAMINED: usize = 10 * PAGE;

/// The queue of acknowledged `search` messages.
pub const QUEUE: &str = "bpp-on-search";

/// The responder to `search`.
pub const FUNCTION: Function = Function {
    name: "bpp-on-search",
    trigger: Trigger::Queue {
        queue: QUEUE,
        timeout_seconds: 30,
        max_receive_count: 5,
        handler: |deps, record| Box::pin(async move { respond(&deps, record).await }),
    },
    tables: &[table::SNAPSHOTS, table::SLOTS],
    sends_to: &[CALLBACKS],
    prepare: Some(|deps| Box::pin(async move { prepare(&deps).await })),
};

/// Loads the snapshot before the first search comes.
async fn prepare(deps: &Deps) {
    if let Err(fault) = snapshots::current(deps).await {
        tracing::warn!(%fault, "snapshot not loaded at start");
    }
}

async fn respond(deps: &Deps, record: QueueRecord) -> Result<(), RecordFailure> {
    let inbound = Inbound::from_record(&record, Action::Search)?;
    let answer = answered(search(deps, &inbound).await)?;
    inbound.answer(deps, answer).await
}

async fn search(deps: &Deps, inbound: &Inbound) -> Result<CatalogMessage, NoAnswer> {
    let now = deps.clock.now();
    let message: SearchMessage = inbound.message()?;
    let mut criteria = intent::criteria(&message.intent.unwrap_or_default())?;
    let context_city = inbound.envelope.context.city_code().and_then(|code| CityCode::parse(code).ok());
    // A point says more exactly than a city where the consumer is looking.
    if criteria.near.is_none() && criteria.city.is_none() {
        criteria.city = context_city;
    }
    let held = snapshots::current(deps).await.map_err(RecordFailure::temporary)?;
    let mut matches = held.matches(&criteria, now);
    let mut page = Vec::new();
    let mut examined = 0;
    while page.len() < PAGE && examined < MOST_EXAMINED {
        let next: Vec<Match<'_>> = matches.by_ref().take(PAGE - page.len()).collect();
        if next.is_empty() {
            break;
        }
        examined += next.len();
        page.extend(with_free_slots(deps, next, &criteria, now).await?);
    }
    let catalog = catalog(deps.participant.subscriber_id.as_str(), &page);
    Ok(CatalogMessage { catalog, ..CatalogMessage::default() })
}

/// Those of the services that have a free slot in the wanted window, with their next ones.
async fn with_free_slots<'a>(
    deps: &Deps,
    found: Vec<Match<'a>>,
    criteria: &Criteria,
    now: Timestamp,
) -> Result<Vec<Shown<'a>>, NoAnswer> {
    let horizon = now.saturating_add(BOOKING_HORIZON).unwrap_or(Timestamp::MAX);
    let from = criteria.available.map_or(now, |window| window.from.max(now));
    let until = criteria.available.map_or(horizon, |window| window.until.min(horizon));
    let candidates: Vec<(Match<'a>, Vec<Slot>)> = found
        .into_iter()
        .map(|found| {
            let slots = found.practitioner.slots(found.facility, found.service, from, until);
            let slots = slots.filter(|slot| slot.bookable(now).is_ok()).take(SLOTS_READ).collect();
            (found, slots)
        })
        .collect();
    let key =
        |found: &Match<'_>, slot: &Slot| SlotKey { practitioner: found.practitioner.id.to_string(), start: slot.start };
    let keys: Vec<SlotKey> =
        candidates.iter().flat_map(|(found, slots)| slots.iter().map(|slot| key(found, slot))).collect();
    let taken = Slots::new(deps.tables.clone())
        .taken(&keys, None, Look::Glance, now)
        .await
        .map_err(RecordFailure::temporary)?;
    Ok(candidates
        .into_iter()
        .filter_map(|(found, slots)| {
            let free: Vec<Slot> =
                slots.into_iter().filter(|slot| !taken.contains(&key(&found, slot))).take(SLOTS_SHOWN).collect();
            (!free.is_empty()).then_some(Shown { found, slots: free })
        })
        .collect())
}
