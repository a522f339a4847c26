//! `bpp-expire`: the one place where a lapse has an effect.
//!
//! It hears of a lapse by the deletion of the row that lapsed, whoever deleted it. A hold that lapsed
//! cancels its order and tells the consumer with an `on_cancel` that nobody asked for.
//!
//! Invariant: the order is cancelled, the claim on the lapse taken and the message stored in one
//! transaction, so a lapse has its effect once, however often the stream tells of it. An order that was
//! confirmed, cancelled or moved meanwhile is left alone.

use beckn_health_domain::order::{CancelReason, Event, State};
use beckn_health_platform::deliver::{CALLBACKS, Reply};
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Change, Function, RecordFailure, StreamFailure, Trigger};
use beckn_health_platform::hop::{self, Hop, Outcome};
use beckn_health_platform::receive::DEFAULT_TTL;
use beckn_health_platform::store::orders::{Orders, Stored};
use beckn_health_platform::store::replies::{ClaimKey, Replies};
use beckn_health_platform::store::{Commit, Purpose, table};
use beckn_health_protocol::action::{Callback, Verb};
use beckn_health_protocol::context::Context;
use beckn_health_protocol::dialect;
use beckn_health_protocol::ids::{MessageId, SubscriberId, TransactionId};
use beckn_health_protocol::message::{Message, OrderMessage};
use beckn_health_protocol::registry::SubscriberType;
use beckn_health_protocol::signature;
use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use crate::translate::order as wire;

/// Names the messages of lapses among all version 5 UUIDs.
const NAMESPACE: Uuid = Uuid::from_u128(0x2b1e_77a4_90c3_4a53_8d53_1f6f_0a9c_e3b7);

/// What follows from a lapse.
pub const FUNCTION: Function = Function {
    name: "bpp-expire",
    trigger: Trigger::Stream {
        table: table::SLOTS,
        handler: |deps, changes| {
            Box::pin(async move {
                for hold in changes.iter().filter_map(|change| lapsed_hold(change, deps.clock.now())) {
                    let hop = Hop::begin(&deps, "bpp-expire", None);
                    let failed = |failure: &Result<(), RecordFailure>| failure.is_err().then_some(Outcome::Failed);
                    let lapsed = hop.run(lapse(&deps, &hold), failed).await;
                    let failure = |failure: &dyn std::fmt::Display| StreamFailure(failure.to_string());
                    lapsed.map_err(|panicked| failure(&panicked))?.map_err(|fault| failure(&fault))?;
                }
                Ok(())
            })
        },
    },
    tables: &[table::ORDERS, table::REPLIES],
    sends_to: &[CALLBACKS],
    prepare: None,
};

/// A hold whose time has passed.
#[derive(Debug, PartialEq, Eq)]
struct Hold {
    order_id: String,
    /// Seconds since the epoch; tells one hold of an order from a later one.
    expires_at: i64,
}

/// The hold a change ended, if it ended because its time had passed. A hold that was given up before is
/// deleted too, by the action that gave it up.
fn lapsed_hold(change: &Change, now: Timestamp) -> Option<Hold> {
    let removed = change.removed.as_ref()?;
    let expires_at: i64 = removed.get("expires_at")?.parse().ok()?;
    let lapsed = removed.get("state")? == "held" && expires_at <= now.as_second();
    lapsed.then_some(Hold { order_id: removed.get("order_id")?.clone(), expires_at })
}

async fn lapse(deps: &Deps, hold: &Hold) -> Result<(), RecordFailure> {
    const ATTEMPTS: usize = 3;
    let orders = Orders::new(deps.tables.clone());
    let replies = Replies::new(deps.tables.clone());
    let claim = ClaimKey::lapse(&hold.order_id, hold.expires_at);
    for _ in 0..ATTEMPTS {
        let now = deps.clock.now();
        let Some(stored) = orders.find(&hold.order_id).await.map_err(RecordFailure::temporary)? else { return Ok(()) };
        let ended_by_lapse =
            matches!(stored.order.state(), State::Cancelled { reason: CancelReason::OfferExpired, .. });
        if ended_by_lapse {
            // Told before, but perhaps cut off before the message was on its way.
            let told = replies.find(&claim, now).await.map_err(RecordFailure::temporary)?;
            return match told.filter(|told| !told.ended) {
                Some(told) => reply(&stored, hold, told.body, claim, now)?.deliver(deps).await,
                None => Ok(()),
            };
        }
        if !matches!(stored.order.state(), State::Held { .. }) || !stored.order.state().lapsed(now) {
            return Ok(());
        }
        let Ok(cancelled) = stored.order.apply(Event::Lapse, now) else { return Ok(()) };
        let shown = wire::order(&cancelled, &stored.details, now);
        let body = dialect::write(&Message {
            context: context(deps, &stored, hold, now).await?,
            message: Some(OrderMessage { order: shown, ..OrderMessage::default() }),
            error: None,
        });
        let writes = vec![
            replies.claim(&claim, &signature::digest(&body), &body, now),
            orders.replace(&stored, &cancelled, &stored.details),
        ];
        match deps.tables.commit(writes).await.map_err(RecordFailure::temporary)? {
            Commit::Done => {
                hop::ends(Outcome::Lapse);
                return reply(&stored, hold, body, claim, now)?.deliver(deps).await;
            }
            // Someone else was faster; what they left decides.
            Commit::Refused(Purpose::Claim | Purpose::Order | Purpose::Slot | Purpose::Other) => {}
        }
    }
    Err(RecordFailure::Temporary("the order kept changing while its lapse was being recorded".to_owned()))
}

/// The context of a callback that nobody asked for: a message id of its own, always the same for
/// the same lapse.
async fn context(deps: &Deps, stored: &Stored, hold: &Hold, now: Timestamp) -> Result<Context, RecordFailure> {
    let (consumer, transaction, message) = ids(stored, hold)?;
    let peer = deps.registry.peer(&consumer, SubscriberType::Bap).await.map_err(RecordFailure::temporary)?;
    Ok(Context {
        domain: stored.details.domain.clone(),
        location: serde_json::from_value(stored.details.location.clone()).ok(),
        action: Callback::OnCancel.to_string(),
        version: Some("1.1.0".to_owned()),
        bap_id: Some(consumer),
        bap_uri: peer.map(|peer| peer.url),
        bpp_id: Some(deps.participant.subscriber_id.clone()),
        bpp_uri: Some(deps.participant.url.clone()),
        transaction_id: Some(transaction),
        message_id: Some(message),
        timestamp: Some(now),
        ..Context::default()
    })
}

fn reply(stored: &Stored, hold: &Hold, body: Vec<u8>, claim: ClaimKey, now: Timestamp) -> Result<Reply, RecordFailure> {
    let (to, transaction_id, message_id) = ids(stored, hold)?;
    hop::verb(Verb::Callback(Callback::OnCancel));
    hop::ids(Some(&transaction_id), Some(&message_id));
    Ok(Reply {
        to,
        callback: Callback::OnCancel,
        body: Bytes::from(body),
        expires_at: now.saturating_add(DEFAULT_TTL).unwrap_or(Timestamp::MAX),
        claim: Some(claim),
        transaction_id: Some(transaction_id),
        message_id,
    })
}

fn ids(stored: &Stored, hold: &Hold) -> Result<(SubscriberId, TransactionId, MessageId), RecordFailure> {
    let malformed = |what: &str| RecordFailure::Malformed(format!("the order's {what} is malformed"));
    let message = Uuid::new_v5(&NAMESPACE, format!("{}#{}", hold.order_id, hold.expires_at).as_bytes()).to_string();
    Ok((
        SubscriberId::parse(stored.order.consumer()).map_err(|_| malformed("consumer"))?,
        TransactionId::parse(stored.order.transaction_id()).map_err(|_| malformed("transaction"))?,
        MessageId::parse(message).map_err(|_| malformed("id"))?,
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn only_a_hold_whose_time_has_passed_has_lapsed() {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let change = |state: &str, seconds: i64| Change {
            pk: "p".to_owned(),
            sk: "s".to_owned(),
            removed: Some(BTreeMap::from([
                ("state".to_owned(), state.to_owned()),
                ("order_id".to_owned(), "o-1".to_owned()),
                ("expires_at".to_owned(), (now.as_second() + seconds).to_string()),
            ])),
        };
        let hold = |seconds: i64| Hold { order_id: "o-1".to_owned(), expires_at: now.as_second() + seconds };
        assert_eq!(lapsed_hold(&change("held", 0), now), Some(hold(0)));
        assert_eq!(lapsed_hold(&change("held", -60), now), Some(hold(-60)));
        // Given up by cancel or by another init, before its time.
        assert_eq!(lapsed_hold(&change("held", 1), now), None);
        // A booked slot's row is deleted long after the consultation.
        assert_eq!(lapsed_hold(&change("booked", -60), now), None);
        assert_eq!(lapsed_hold(&Change { removed: None, ..change("held", -60) }, now), None);
    }
}
