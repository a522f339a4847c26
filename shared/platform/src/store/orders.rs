//! Table `bpp-orders`: the provider's orders.
//!
//! Keys: `pk` = order id; `sk` = `order` (the state, and with it billing, patient and the terms as they were agreed),
//! `rating#<category>#<id>`. State and details are one item because no step reads or writes one of them alone: one item
//! is one read and one write where two rows were two of each.
//!
//! Invariant: the order is replaced only if its `version` is the one that was read, so no change
//! is ever made on top of a state that has passed. An order that was never confirmed carries
//! `expires_at`; a confirmed one is kept.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use beckn_health_domain::catalogue::{Facility, Gender, Language, Practitioner, Service, Speciality};
use beckn_health_domain::order::{CancelReason, Order, State};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::packing::{Sample, pack_like};
use super::{Purpose, StoreError, Tables, binary, integer, key, number, string, table, unpacked_like};

/// How long an order that was never confirmed outlives its hold, so that its consumer can still be
/// told what became of it.
const UNCONFIRMED_KEPT: SignedDuration = SignedDuration::from_hours(24 * 7);

/// What the order is about beside its state.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// Beckn `Billing`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub billing: Value,
    /// Beckn `Customer` of the fulfilment.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub customer: Value,
    /// Facility and practitioner as they were when the slot was held.
    pub terms: Terms,
    /// `context.domain` of the order's transaction, for callbacks that nobody asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// `context.location` likewise.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub location: Value,
}

/// The facility, practitioner and service of an order, as its consumer was told. A later change of
/// the catalogue does not change what was agreed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// The facility.
    pub facility: Facility,
    /// The practitioner's name.
    pub practitioner_name: String,
    /// The practitioner's gender.
    pub gender: Gender,
    /// The practitioner's id in the professional registry.
    pub registration_id: String,
    /// Languages the practitioner speaks.
    pub languages: Vec<Language>,
    /// The practitioner's specialities.
    pub specialities: Vec<Speciality>,
    /// The service.
    pub service: Service,
}

impl Terms {
    /// The terms of one service of a practitioner at a facility. Of the facility's departments only
    /// the one concerned is kept.
    pub fn new(facility: &Facility, practitioner: &Practitioner, service: &Service) -> Self {
        let mut facility = facility.clone();
        facility.departments.retain(|department| department.id == service.department_id);
        Self {
            facility,
            practitioner_name: practitioner.name.clone(),
            gender: practitioner.gender,
            registration_id: practitioner.registration_id.clone(),
            languages: practitioner.languages.clone(),
            specialities: practitioner.specialities.clone(),
            service: service.clone(),
        }
    }
}

/// Personal data is never printed.
impl std::fmt::Debug for Details {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Details(<redacted>)")
    }
}

/// An order as it was read.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The order.
    pub order: Order,
    /// Billing, patient and terms.
    pub details: Details,
    /// The row's version, which a replacement must still find.
    version: i64,
}

/// What an order's row holds, packed.
#[derive(Serialize, Deserialize)]
struct Document<O, D> {
    order: O,
    details: D,
}

/// The `bpp-orders` table.
#[derive(Debug, Clone)]
pub struct Orders(Tables);

impl Orders {
    /// The table of this deployment.
    pub fn new(tables: Tables) -> Self {
        Self(tables)
    }

    /// An order with its details.
    ///
    /// # Errors
    /// DynamoDB failed, or a row has an unknown shape.
    pub async fn find(&self, order_id: &str) -> Result<Option<Stored>, StoreError> {
        let malformed = |what: &str| StoreError::malformed(table::ORDERS, what);
        let Some(item) = self.0.get(table::ORDERS, order_id, "order").await? else { return Ok(None) };
        let json = unpacked_like(&item, "document").ok_or_else(|| malformed("document"))?;
        let document: Document<Order, Details> =
            serde_json::from_slice(&json).map_err(|error| StoreError::malformed(table::ORDERS, error))?;
        Ok(Some(Stored {
            order: document.order,
            details: document.details,
            version: integer(&item, "version").ok_or_else(|| malformed("version"))?,
        }))
    }

    /// The write of an order that must not exist yet.
    pub fn insert(&self, order: &Order, details: &Details) -> (Purpose, TransactWriteItem) {
        let put = self.row(order, details, 1).condition_expression("attribute_not_exists(pk)");
        (Purpose::Order, TransactWriteItem::builder().set_put(put.build().ok()).build())
    }

    /// The write that replaces what was read by the next state and its details.
    pub fn replace(&self, read: &Stored, next: &Order, details: &Details) -> (Purpose, TransactWriteItem) {
        let put = self
            .row(next, details, read.version + 1)
            .condition_expression("version = :read")
            .expression_attribute_values(":read", number(read.version));
        (Purpose::Order, TransactWriteItem::builder().set_put(put.build().ok()).build())
    }

    /// The write of one rating; a later one of the same thing replaces it.
    pub fn put_rating(
        &self,
        order: &Order,
        category: &str,
        id: &str,
        stars: u8,
        now: Timestamp,
    ) -> (Purpose, TransactWriteItem) {
        let put = Put::builder()
            .table_name(self.0.name(table::ORDERS))
            .set_item(Some(key(order.id().as_str(), &format!("rating#{category}#{id}"))))
            .item("stars", number(i64::from(stars)))
            .item("practitioner_id", string(order.practitioner_id().as_str()))
            .item("at", string(now.to_string()));
        (Purpose::Other, TransactWriteItem::builder().set_put(put.build().ok()).build())
    }

    fn row(&self, order: &Order, details: &Details, version: i64) -> aws_sdk_dynamodb::types::builders::PutBuilder {
        // These types have string keys only, so they always serialise.
        let json = serde_json::to_vec(&Document { order, details }).unwrap_or_default();
        let put = Put::builder()
            .table_name(self.0.name(table::ORDERS))
            .set_item(Some(key(order.id().as_str(), "order")))
            .item("document", binary(pack_like(Sample::Order, &json)))
            .item("version", number(version));
        match expiry(order) {
            Some(expires_at) => put.item("expires_at", number(expires_at)),
            None => put,
        }
    }
}

/// When an unconfirmed order may be forgotten; `None` for all others.
fn expiry(order: &Order) -> Option<i64> {
    let ended = match order.state() {
        State::Held { expires_at } => *expires_at,
        State::Cancelled { reason: CancelReason::OfferExpired, at, .. } => *at,
        _ => return None,
    };
    Some(ended.saturating_add(UNCONFIRMED_KEPT).unwrap_or(Timestamp::MAX).as_second())
}
