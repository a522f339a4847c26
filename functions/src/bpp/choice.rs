//! What a consumer chose: one slot of one service.
//!
//! Invariant: the choice is resolved against the catalogue table and the slot rows, never against
//! the request: price, practitioner and times are the provider's own.

use beckn_health_domain::catalogue::{Facility, FacilityId, Practitioner, Service, ServiceId};
use beckn_health_domain::order::{EventKind, Refusal};
use beckn_health_domain::slot::{BOOKING_HORIZON, Slot, SlotId};
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::RecordFailure;
use beckn_health_platform::store::catalogue::CatalogueStore;
use beckn_health_platform::store::orders::Terms;
use beckn_health_platform::store::slots::{Look, SlotKey, Slots};
use beckn_health_protocol::error::{Code, Error};
use beckn_health_protocol::model;
use jiff::Timestamp;

use super::outcome::NoAnswer;
use crate::translate::refusal;

/// Slots looked at together when the consumer left the time open.
const LOOK_AHEAD: usize = 25;

/// A service that exists, and the slot wanted.
pub(super) struct Choice {
    pub(super) facility: Facility,
    pub(super) practitioner: Practitioner,
    pub(super) service: Service,
    /// The slot named; `None` when the consumer left it to the provider.
    pub(super) slot: Option<Slot>,
}

fn refused(code: Code, path: &str, message: impl Into<String>) -> NoAnswer {
    NoAnswer::Refused(Error::new(code, message).at(path))
}

/// Resolves the provider, the item and the slot of an order.
pub(super) async fn choose(deps: &Deps, order: &model::Order, now: Timestamp) -> Result<Choice, NoAnswer> {
    let (facility_id, service_id) = named(order)?;
    let store = CatalogueStore::new(deps.tables.clone());
    let offering = store.offering(&facility_id, &service_id).await.map_err(RecordFailure::temporary)?;
    let Some(offering) = offering else {
        return Err(refused(
            Code::ProviderNotFound,
            "message.order.provider.id",
            format!("there is no provider {facility_id}"),
        ));
    };
    let found = offering.practitioner.and_then(|practitioner| {
        let service = practitioner.service(&service_id)?.clone();
        (service.facility_id == facility_id).then_some((practitioner, service))
    });
    let Some((practitioner, service)) = found else {
        return Err(refused(
            Code::ItemNotFound,
            "message.order.items[0].id",
            format!("{facility_id} has no item {service_id}"),
        ));
    };
    let slot = match wanted_start(order, &service_id)? {
        None => None,
        Some(start) => {
            let slot = practitioner
                .slot_at(&offering.facility, &service, start)
                .ok_or_else(|| refusal::error(&Refusal::no_such_slot(EventKind::Hold)))?;
            slot.bookable(now).map_err(|error| {
                refused(Code::FulfillmentUnavailable, "message.order.fulfillments[0].id", error.to_string())
            })?;
            Some(slot)
        }
    };
    Ok(Choice { facility: offering.facility, practitioner, service, slot })
}

impl Choice {
    /// What will be agreed.
    pub(super) fn terms(&self) -> Terms {
        Terms::new(&self.facility, &self.practitioner, &self.service)
    }

    /// The slot's key among those of the practitioner.
    pub(super) fn key(&self, slot: Slot) -> SlotKey {
        SlotKey { practitioner: self.practitioner.id.to_string(), start: slot.start }
    }

    /// The slot named, or the earliest that nobody has; refused when it is taken.
    ///
    /// `order_id` is the consumer's own order: a slot it holds is not taken.
    pub(super) async fn free_slot(
        &self,
        deps: &Deps,
        order_id: &str,
        look: Look,
        now: Timestamp,
    ) -> Result<Slot, NoAnswer> {
        let slots = Slots::new(deps.tables.clone());
        if let Some(slot) = self.slot {
            let taken =
                slots.taken(&[self.key(slot)], Some(order_id), look, now).await.map_err(RecordFailure::temporary)?;
            return match taken.is_empty() {
                true => Ok(slot),
                false => Err(refusal::error(&Refusal::slot_taken(EventKind::Hold)).into()),
            };
        }
        let until = now.saturating_add(BOOKING_HORIZON).unwrap_or(Timestamp::MAX);
        let mut offered = self
            .practitioner
            .slots(&self.facility, &self.service, now, until)
            .filter(|slot| slot.bookable(now).is_ok());
        loop {
            let page: Vec<Slot> = offered.by_ref().take(LOOK_AHEAD).collect();
            if page.is_empty() {
                let message = "every slot of this service is taken for as far ahead as it can be booked";
                return Err(refused(Code::FulfillmentUnavailable, "message.order.items[0].id", message));
            }
            let keys: Vec<SlotKey> = page.iter().map(|slot| self.key(*slot)).collect();
            let taken = slots.taken(&keys, Some(order_id), look, now).await.map_err(RecordFailure::temporary)?;
            if let Some(free) = page.into_iter().find(|slot| !taken.contains(&self.key(*slot))) {
                return Ok(free);
            }
        }
    }
}

/// The provider and the one item an order names.
fn named(order: &model::Order) -> Result<(FacilityId, ServiceId), NoAnswer> {
    let provider = order.provider.as_ref().and_then(|provider| provider.id.as_ref());
    let Some(provider) = provider else {
        return Err(refused(
            Code::InvalidRequest,
            "message.order.provider.id",
            "expected the provider's id, as on_search gave it",
        ));
    };
    let facility = FacilityId::parse(provider.as_str())
        .map_err(|_| refused(Code::ProviderNotFound, "message.order.provider.id", "there is no such provider"))?;
    let [item] = order.items.as_slice() else {
        let message =
            format!("expected one item, found {}: each consultation is an order of its own", order.items.len());
        return Err(refused(Code::InvalidRequest, "message.order.items", message));
    };
    let Some(id) = &item.id else {
        return Err(refused(
            Code::InvalidRequest,
            "message.order.items[0].id",
            "expected the item's id, as on_search gave it",
        ));
    };
    let service = ServiceId::parse(id.as_str())
        .map_err(|_| refused(Code::ItemNotFound, "message.order.items[0].id", "there is no such item"))?;
    let count =
        item.quantity.as_ref().and_then(|quantity| quantity.selected.as_ref()).and_then(|selected| selected.count);
    if count.is_some_and(|count| count != 1) {
        let message = "expected a quantity of 1: one slot is for one patient";
        return Err(refused(Code::ItemQuantityUnavailable, "message.order.items[0].quantity.selected.count", message));
    }
    Ok((facility, service))
}

/// When the wanted slot starts: by the fulfilment's id, or by the time of its first stop.
pub(super) fn wanted_start(order: &model::Order, service: &ServiceId) -> Result<Option<Timestamp>, NoAnswer> {
    let fulfillment = order.fulfillments.first();
    let by_item = order.items.first().and_then(|item| match item.fulfillment_ids.as_slice() {
        [only] => Some((only, "message.order.items[0].fulfillment_ids[0]")),
        _ => None,
    });
    let by_fulfillment =
        fulfillment.and_then(|fulfillment| Some((fulfillment.id.as_ref()?, "message.order.fulfillments[0].id")));
    if let Some((id, path)) = by_fulfillment.or(by_item) {
        let slot = SlotId::parse(id.as_str()).ok().filter(|slot| slot.service_id() == service);
        let Some(slot) = slot else {
            let message = format!("item {service} has no fulfilment {id}; take one that on_search or on_select gave");
            return Err(refused(Code::FulfillmentUnavailable, path, message));
        };
        return Ok(Some(slot.start()));
    }
    let start = fulfillment.and_then(|fulfillment| fulfillment.stops.first()).and_then(|stop| stop.time.as_ref());
    Ok(start.and_then(|time| time.timestamp))
}
