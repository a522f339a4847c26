//! The bodies of the ten requests and the ten callbacks.
//!
//! Invariant: what the specification requires of an action's `message` is a required field of its body
//! type; everything else is optional, and unknown fields survive.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::action::{Action, Callback, Verb};
use crate::context::Context;
use crate::error::Error;
use crate::ids::OrderId;
use crate::model::{Catalog, Descriptor, Intent, Order, Rating, Support, Tracking};
use crate::wire::{Described, Shape, wire_object};

/// A whole message: its context and its body, its error, or (in a callback) both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message<T> {
    /// Who talks to whom.
    pub context: Context,
    /// The body.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub message: Option<T>,
    /// Why a callback has no (or only a partial) body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

/// Lets a missing `message` read as `None` for every body type, without asking it for a default.
const fn none<T>() -> Option<T> {
    None
}

impl<T> Message<T> {
    /// A message with a body.
    pub const fn new(context: Context, message: T) -> Self {
        Self { context, message: Some(message), error: None }
    }

    /// A callback that refuses.
    pub const fn refusal(context: Context, error: Error) -> Self {
        Self { context, message: None, error: Some(error) }
    }
}

wire_object! {
    /// `search`.
    #[derive(Default)]
    pub struct SearchMessage {
        /// What is looked for; without it, everything.
        pub intent: Option<Intent>,
    }
}

wire_object! {
    /// `select`.
    #[derive(Default)]
    pub struct SelectMessage {
        /// The chosen items.
        pub order: Order,
    }
}

wire_object! {
    /// `init`.
    #[derive(Default)]
    pub struct InitMessage {
        /// The draft with billing and fulfilment details.
        pub order: Order,
    }
}

wire_object! {
    /// `confirm`.
    #[derive(Default)]
    pub struct ConfirmMessage {
        /// The order to place.
        pub order: Order,
    }
}

wire_object! {
    /// `status`.
    pub struct StatusMessage {
        /// The order asked about.
        pub order_id: OrderId,
        /// The sender's own reference.
        pub ref_id: Option<String>,
    }
}

wire_object! {
    /// `track`.
    pub struct TrackMessage {
        /// The order asked about.
        pub order_id: OrderId,
        /// Where to send positions.
        pub callback_url: Option<String>,
    }
}

wire_object! {
    /// `cancel`.
    pub struct CancelMessage {
        /// The order to cancel.
        pub order_id: OrderId,
        /// Why, as one of the reasons the provider platform lists.
        pub cancellation_reason_id: Option<String>,
        /// Why, in words.
        pub descriptor: Option<Descriptor>,
    }
}

wire_object! {
    /// `update`.
    pub struct UpdateMessage {
        /// The parts that change, as paths such as `order.billing`, separated by commas.
        pub update_target: String,
        /// The order with the changed parts.
        pub order: Order,
    }
}

wire_object! {
    /// `rating`.
    #[derive(Default)]
    pub struct RatingMessage {
        /// The ratings.
        pub ratings: Vec<Rating>,
    }
}

wire_object! {
    /// `support` and `on_support`.
    #[derive(Default)]
    pub struct SupportMessage {
        /// The call for support, or where to find it.
        pub support: Option<Support>,
    }
}

wire_object! {
    /// `on_search`.
    #[derive(Default)]
    pub struct CatalogMessage {
        /// What is on offer.
        pub catalog: Catalog,
    }
}

wire_object! {
    /// `on_select`, `on_init`, `on_confirm`, `on_status`, `on_cancel` and `on_update`.
    #[derive(Default)]
    pub struct OrderMessage {
        /// The order as it stands.
        pub order: Order,
    }
}

wire_object! {
    /// `on_track`.
    #[derive(Default)]
    pub struct TrackingMessage {
        /// Where the fulfilment is.
        pub tracking: Tracking,
    }
}

wire_object! {
    /// `on_rating`.
    #[derive(Default)]
    pub struct FeedbackFormMessage {
        /// A form to fill in (BECKN-007), kept as it came.
        pub feedback_form: Option<Value>,
    }
}

impl StatusMessage {
    /// Asks about an order.
    #[must_use]
    pub fn new(order_id: OrderId) -> Self {
        Self { order_id, ref_id: None, extra: Map::new() }
    }
}

impl TrackMessage {
    /// Asks where the fulfilment of an order is.
    #[must_use]
    pub fn new(order_id: OrderId) -> Self {
        Self { order_id, callback_url: None, extra: Map::new() }
    }
}

impl CancelMessage {
    /// Cancels an order, for one of the listed reasons.
    #[must_use]
    pub fn new(order_id: OrderId, cancellation_reason_id: Option<String>) -> Self {
        Self { order_id, cancellation_reason_id, descriptor: None, extra: Map::new() }
    }
}

impl UpdateMessage {
    /// Changes the parts of an order that `update_target` names.
    #[must_use]
    pub fn new(update_target: impl Into<String>, order: Order) -> Self {
        Self { update_target: update_target.into(), order, extra: Map::new() }
    }
}

impl Verb {
    /// The form of the `message` of this verb.
    #[must_use]
    pub const fn message_shape(self) -> Shape {
        match self {
            Self::Request(action) => match action {
                Action::Search => SearchMessage::SHAPE,
                Action::Select => SelectMessage::SHAPE,
                Action::Init => InitMessage::SHAPE,
                Action::Confirm => ConfirmMessage::SHAPE,
                Action::Status => StatusMessage::SHAPE,
                Action::Track => TrackMessage::SHAPE,
                Action::Cancel => CancelMessage::SHAPE,
                Action::Update => UpdateMessage::SHAPE,
                Action::Rating => RatingMessage::SHAPE,
                Action::Support => SupportMessage::SHAPE,
            },
            Self::Callback(callback) => match callback {
                Callback::OnSearch => CatalogMessage::SHAPE,
                Callback::OnTrack => TrackingMessage::SHAPE,
                Callback::OnRating => FeedbackFormMessage::SHAPE,
                Callback::OnSupport => SupportMessage::SHAPE,
                Callback::OnSelect
                | Callback::OnInit
                | Callback::OnConfirm
                | Callback::OnStatus
                | Callback::OnCancel
                | Callback::OnUpdate => OrderMessage::SHAPE,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use crate::error::Code;

    use super::*;

    #[test]
    fn a_message_is_its_context_and_its_body() {
        let context = Context { action: "on_status".to_owned(), ..Context::default() };
        let message = Message::new(context.clone(), OrderMessage::default());
        assert_eq!(
            serde_json::to_value(&message).unwrap(),
            json!({"context":{"action":"on_status"},"message":{"order":{}}})
        );
        let refusal = Message::<OrderMessage>::refusal(context, Error::new(Code::OrderNotFound, "none"));
        let written = serde_json::to_value(&refusal).unwrap();
        assert_eq!(written, json!({"context":{"action":"on_status"},"error":{"code":"30010","message":"none"}}));
        assert_eq!(serde_json::from_value::<Message<OrderMessage>>(written).unwrap(), refusal);
    }

    #[test]
    fn what_an_action_requires_is_required() {
        assert!(serde_json::from_value::<StatusMessage>(json!({})).is_err());
        assert!(serde_json::from_value::<UpdateMessage>(json!({"order": {}})).is_err());
        assert!(serde_json::from_value::<ConfirmMessage>(json!({"order": null})).is_err());
        assert!(serde_json::from_value::<SearchMessage>(json!({})).is_ok());
        let status: StatusMessage = serde_json::from_value(json!({"order_id": "o", "x": 1})).unwrap();
        assert_eq!(status.extra.get("x"), Some(&json!(1)));
    }
}
