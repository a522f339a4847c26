//! The `context` of every message: who talks to whom, about which transaction, until when.
//!
//! Invariant: a callback context made by [`Context::reply`] carries the ids of its request unchanged.

use jiff::Timestamp;

use crate::action::Callback;
pub use crate::duration::Ttl;
use crate::ids::{MessageId, SubscriberId, TransactionId};
use crate::model::Location;
use crate::wire::wire_object;

wire_object! {
    /// The context of a message (`Context`, Beckn 1.1.0).
    ///
    /// What a message must have beyond its action is checked where it is read ([`crate::dialect::read`]).
    #[derive(Default)]
    pub struct Context {
        /// The domain, such as `dhp:consultation:0.1.0`.
        pub domain: Option<String>,
        /// Where the service is wanted: `country.code` and `city.code`.
        pub location: Option<Location>,
        /// The action or callback.
        pub action: String,
        /// The version of the core specification.
        pub version: Option<String>,
        /// The consumer platform.
        pub bap_id: Option<SubscriberId>,
        /// Where the consumer platform takes callbacks.
        pub bap_uri: Option<String>,
        /// The provider platform.
        pub bpp_id: Option<SubscriberId>,
        /// Where the provider platform takes requests.
        pub bpp_uri: Option<String>,
        /// The transaction, from search through confirm.
        pub transaction_id: Option<TransactionId>,
        /// This request and its callback.
        pub message_id: Option<MessageId>,
        /// When the message was made.
        pub timestamp: Option<Timestamp>,
        /// The sender's public key for encryption.
        pub key: Option<String>,
        /// How long after `timestamp` the message is valid.
        pub ttl: Option<Ttl>,
    }
}

impl Context {
    /// Until when the message is valid: `timestamp` and `ttl`. `None` when either is missing.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        // A time past the last one jiff can hold is as good as the last one.
        self.timestamp?.saturating_add(self.ttl.as_ref()?.as_signed_duration()).ok()
    }

    /// The context of the callback to this request: the same transaction, message, consumer platform,
    /// domain, location, version and lifetime; our own address; the time `now`.
    #[must_use]
    pub fn reply(&self, callback: Callback, bpp_id: &SubscriberId, bpp_uri: &str, now: Timestamp) -> Self {
        Self {
            action: callback.as_str().to_owned(),
            bpp_id: Some(bpp_id.clone()),
            bpp_uri: Some(bpp_uri.to_owned()),
            timestamp: Some(now),
            key: None,
            extra: serde_json::Map::new(),
            ..self.clone()
        }
    }

    /// The country code of `location`, such as `IND`.
    #[must_use]
    pub fn country_code(&self) -> Option<&str> {
        self.location.as_ref()?.country.as_ref()?.code.as_deref()
    }

    /// The city code of `location`, such as `std:080`.
    #[must_use]
    pub fn city_code(&self) -> Option<&str> {
        self.location.as_ref()?.city.as_ref()?.code.as_deref()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    fn request() -> Context {
        serde_json::from_value(json!({
            "domain": "dhp:consultation:0.1.0",
            "location": {"country": {"code": "IND"}, "city": {"code": "std:080"}},
            "action": "select",
            "version": "1.1.0",
            "bap_id": "bap.example",
            "bap_uri": "https://bap.example/beckn",
            "bpp_id": "bpp.example",
            "bpp_uri": "https://bpp.example/old",
            "transaction_id": "7e5e0a4f-6f3b-4c5b-8a53-1f6d0d3b2a11",
            "message_id": "0c6be1b0-90d0-4b7e-a8de-4c2f9dc0a3a5",
            "timestamp": "2026-01-31T09:30:00Z",
            "ttl": "PT30S",
            "key": "k",
            "max_callbacks": 3
        }))
        .unwrap()
    }

    #[test]
    fn a_reply_carries_the_ids_of_its_request() {
        let now = "2026-01-31T09:30:02Z".parse().unwrap();
        let bpp = SubscriberId::parse("bpp.example").unwrap();
        let reply = request().reply(Callback::OnSelect, &bpp, "https://bpp.example/beckn", now);
        assert_eq!(
            serde_json::to_value(&reply).unwrap(),
            json!({
                "domain": "dhp:consultation:0.1.0",
                "location": {"country": {"code": "IND"}, "city": {"code": "std:080"}},
                "action": "on_select",
                "version": "1.1.0",
                "bap_id": "bap.example",
                "bap_uri": "https://bap.example/beckn",
                "bpp_id": "bpp.example",
                "bpp_uri": "https://bpp.example/beckn",
                "transaction_id": "7e5e0a4f-6f3b-4c5b-8a53-1f6d0d3b2a11",
                "message_id": "0c6be1b0-90d0-4b7e-a8de-4c2f9dc0a3a5",
                "timestamp": "2026-01-31T09:30:02Z",
                "ttl": "PT30S"
            })
        );
    }

    #[test]
    fn the_lifetime_ends_a_ttl_after_the_timestamp() {
        let context = request();
        assert_eq!(context.expires_at(), Some("2026-01-31T09:30:30Z".parse().unwrap()));
        assert_eq!(Context { ttl: None, ..context.clone() }.expires_at(), None);
        let last = Context { timestamp: Some(Timestamp::MAX), ..context };
        assert_eq!(last.expires_at(), Some(Timestamp::MAX));
        assert_eq!((last.country_code(), last.city_code()), (Some("IND"), Some("std:080")));
    }
}
