//! `bpp-on-rating`: records what a consumer thought of a consultation.
//!
//! Invariant: only the consumer of an order can rate it, and only what took place; all ratings of a
//! message are recorded or none.

use beckn_health_domain::order::{Order, RatingCategory, RatingValue};
use beckn_health_platform::deliver::CALLBACKS;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, QueueRecord, RecordFailure, Trigger};
use beckn_health_platform::respond::{Decision, Inbound};
use beckn_health_platform::store::orders::Orders;
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;
use beckn_health_protocol::error::{Code, Error};
use beckn_health_protocol::message::{FeedbackFormMessage, RatingMessage};
use beckn_health_protocol::model::Rating;

use super::order_id;
use super::outcome::{NoAnswer, decided};
use crate::translate::refusal;

/// Most ratings of one message: each of the six categories a few times over.
const MOST: usize = 20;

/// The queue of acknowledged `rating` messages.
pub const QUEUE: &str = "bpp-on-rating";

/// The responder to `rating`.
pub const FUNCTION: Function = Function {
    name: "bpp-on-rating",
    trigger: Trigger::Queue {
        queue: QUEUE,
        timeout_seconds: 30,
        max_receive_count: 5,
        handler: |deps, record| Box::pin(async move { respond(&deps, record).await }),
    },
    tables: &[table::ORDERS, table::REPLIES],
    sends_to: &[CALLBACKS],
    prepare: None,
};

async fn respond(deps: &Deps, record: QueueRecord) -> Result<(), RecordFailure> {
    let inbound = Inbound::from_record(&record, Action::Rating)?;
    inbound.decide_once(deps, |_| async { decided(rate(deps, &inbound).await) }).await
}

async fn rate(deps: &Deps, inbound: &Inbound) -> Result<Decision<FeedbackFormMessage>, NoAnswer> {
    let now = deps.clock.now();
    let message: RatingMessage = inbound.message()?;
    if message.ratings.is_empty() || message.ratings.len() > MOST {
        let text = format!("expected 1 to {MOST} ratings, found {}", message.ratings.len());
        return Err(Error::new(Code::InvalidRequest, text).at("message.ratings").into());
    }
    let id = rated_order(inbound, &message)?;
    let stored = order_id::owned(deps, inbound, &id, "message.ratings").await??;
    let orders = Orders::new(deps.tables.clone());
    let mut writes = Vec::new();
    let mut seen = Vec::new();
    for (index, rating) in message.ratings.iter().enumerate() {
        let (category, entity, stars) = checked(rating, &stored.order, index)?;
        if seen.contains(&(category, entity.clone())) {
            let text = "the same thing is rated twice";
            return Err(Error::new(Code::InvalidRequest, text).at(format!("message.ratings[{index}]")).into());
        }
        writes.push(orders.put_rating(&stored.order, category.as_str(), &entity, stars.stars(), now));
        seen.push((category, entity));
    }
    Ok(Decision { writes, answer: Ok(FeedbackFormMessage::default()) })
}

/// The order that is rated: the one a rating names, else the one of the transaction.
fn rated_order(inbound: &Inbound, message: &RatingMessage) -> Result<String, Error> {
    let named = message
        .ratings
        .iter()
        .find(|rating| rating.rating_category.as_ref().is_some_and(|category| category.as_str() == "Order"));
    if let Some(id) = named.and_then(|rating| rating.id.as_ref()) {
        return Ok(id.clone());
    }
    let transaction = inbound.envelope.context.transaction_id.as_ref();
    transaction.map(|transaction| order_id::of(&inbound.subscriber, transaction)).ok_or_else(|| {
        Error::new(Code::InvalidRequest, "expected the transaction of the order").at("context.transaction_id")
    })
}

fn checked(rating: &Rating, order: &Order, index: usize) -> Result<(RatingCategory, String, RatingValue), Error> {
    let path = |field: &str| format!("message.ratings[{index}].{field}");
    let category = rating.rating_category.as_ref().map(|category| category.as_str()).unwrap_or_default();
    let category: RatingCategory = category.parse().map_err(|_| {
        Error::new(Code::UnsupportedRatingCategory, "expected Item, Order, Fulfillment, Provider, Agent or Support")
            .at(path("rating_category"))
    })?;
    let id = rating.id.clone().unwrap_or_default();
    let slot_id = order.slot_id().to_string();
    let expected = match category {
        RatingCategory::Item => order.service_id().as_str(),
        RatingCategory::Order | RatingCategory::Support => order.id().as_str(),
        RatingCategory::Fulfillment => slot_id.as_str(),
        RatingCategory::Provider => order.facility_id().as_str(),
        RatingCategory::Agent => order.practitioner_id().as_str(),
    };
    // on_confirm shows no id of the practitioner, so an empty one means the practitioner of the order.
    let unnamed = id.is_empty() && matches!(category, RatingCategory::Agent | RatingCategory::Support);
    if id != expected && !unnamed {
        let text = format!("the order has no {} with this id", category.as_str());
        return Err(Error::new(Code::EntityToRateNotFound, text).at(path("id")));
    }
    let stars = RatingValue::parse(rating.value.as_deref().unwrap_or_default())
        .map_err(|problem| Error::new(Code::InvalidRatingValue, problem.to_string()).at(path("value")))?;
    order.check_rating(category).map_err(|no| refusal::error(&no))?;
    Ok((category, expected.to_owned(), stars))
}
