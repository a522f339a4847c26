//! Which order a message is about.
//!
//! Invariant: a consumer and a transaction have at most one order here, and its id follows from the
//! two; so a repeated `init` finds its order without an index, and an order can be told from another
//! consumer's before anything is shown.

use beckn_health_domain::order::OrderId;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::RecordFailure;
use beckn_health_platform::respond::Inbound;
use beckn_health_platform::store::orders::{Orders, Stored};
use beckn_health_protocol::error::{Code, Error};
use beckn_health_protocol::ids::{SubscriberId, TransactionId};
use uuid::Uuid;

/// Names our orders among all version 5 UUIDs.
const NAMESPACE: Uuid = Uuid::from_u128(0x8f1c_2f0e_5a5e_4c0b_9d0e_62c1_5b7a_44d1);

/// The id of the order of a transaction.
///
/// The consumer's id is delimited by its length, so no two pairs give the same name.
pub(super) fn of(consumer: &SubscriberId, transaction: &TransactionId) -> String {
    let name = format!("{}:{consumer}{transaction}", consumer.as_str().len());
    Uuid::new_v5(&NAMESPACE, name.as_bytes()).to_string()
}

/// The same as a domain id.
pub(super) fn parse(id: &str) -> Result<OrderId, RecordFailure> {
    OrderId::parse(id).map_err(|error| RecordFailure::Malformed(error.to_string()))
}

/// The order with this id, if it is this consumer's. Another consumer's order is as unknown as one
/// that does not exist.
pub(super) async fn owned(
    deps: &Deps,
    inbound: &Inbound,
    id: &str,
    path: &str,
) -> Result<Result<Stored, Error>, RecordFailure> {
    let found = Orders::new(deps.tables.clone()).find(id).await.map_err(RecordFailure::temporary)?;
    Ok(found
        .filter(|stored| stored.order.consumer() == inbound.subscriber.as_str())
        .ok_or_else(|| Error::new(Code::OrderNotFound, "there is no such order of yours").at(path)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn different_pairs_have_different_orders() {
        let id = |consumer: &str, transaction: &str| {
            of(&SubscriberId::parse(consumer).unwrap(), &TransactionId::parse(transaction).unwrap())
        };
        assert_eq!(id("bap.example", "t-1"), id("bap.example", "t-1"));
        assert_ne!(id("bap.example", "t-1"), id("bap.example", "t-2"));
        assert_ne!(id("bap.example", "t-1"), id("bap.examplet", "-1"));
    }
}
