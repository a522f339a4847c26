//! What is on offer: catalogue, providers, categories, offers.

use jiff::Timestamp;
use serde_json::Value;

use super::{Descriptor, Fulfillment, Item, Location, Payment, TagGroup, Time};
use crate::duration::Ttl;
use crate::ids::ProviderId;
use crate::wire::wire_object;

wire_object! {
    /// What one provider platform offers (`Catalog`).
    #[derive(Default)]
    pub struct Catalog {
        /// The platform's own words.
        pub descriptor: Option<Descriptor>,
        /// Ways of fulfilment common to all providers.
        pub fulfillments: Vec<Fulfillment>,
        /// Ways of payment common to all providers.
        pub payments: Vec<Payment>,
        /// Offers common to all providers.
        pub offers: Vec<Offer>,
        /// The providers.
        pub providers: Vec<Provider>,
        /// Until when the catalogue holds.
        pub exp: Option<Timestamp>,
        /// How long the catalogue holds.
        pub ttl: Option<Ttl>,
    }
}

wire_object! {
    /// A provider of services: a hospital, a clinic, a laboratory (`Provider`).
    #[derive(Default)]
    pub struct Provider {
        /// Its id.
        pub id: Option<ProviderId>,
        /// Its name and pictures.
        pub descriptor: Option<Descriptor>,
        /// The category it belongs to.
        pub category_id: Option<String>,
        /// Its rating.
        pub rating: Option<String>,
        /// When it is open.
        pub time: Option<Time>,
        /// Its categories (specialities).
        pub categories: Vec<Category>,
        /// Its ways and times of fulfilment.
        pub fulfillments: Vec<Fulfillment>,
        /// Its ways of payment.
        pub payments: Vec<Payment>,
        /// Its locations.
        pub locations: Vec<Location>,
        /// Its offers.
        pub offers: Vec<Offer>,
        /// Its items (services).
        pub items: Vec<Item>,
        /// Until when the entry holds.
        pub exp: Option<Timestamp>,
        /// Whether it can be rated.
        pub rateable: Option<bool>,
        /// How long the entry holds. The specification says a whole number here and a duration elsewhere,
        /// without a unit: kept as it came.
        pub ttl: Option<Value>,
        /// Anything else.
        pub tags: Vec<TagGroup>,
    }
}

wire_object! {
    /// A group of items, such as a speciality (`Category`).
    #[derive(Default)]
    pub struct Category {
        /// Its id.
        pub id: Option<String>,
        /// The category it is part of.
        pub parent_category_id: Option<String>,
        /// Its name and code.
        pub descriptor: Option<Descriptor>,
        /// When it is available.
        pub time: Option<Time>,
        /// How long the entry holds.
        pub ttl: Option<Value>,
        /// Anything else.
        pub tags: Vec<TagGroup>,
    }
}

wire_object! {
    /// A special offer (`Offer`).
    #[derive(Default)]
    pub struct Offer {
        /// Its id.
        pub id: Option<String>,
        /// What it is.
        pub descriptor: Option<Descriptor>,
        /// Where it holds.
        pub location_ids: Vec<String>,
        /// For which categories.
        pub category_ids: Vec<String>,
        /// For which items.
        pub item_ids: Vec<String>,
        /// When it holds.
        pub time: Option<Time>,
        /// Anything else.
        pub tags: Vec<TagGroup>,
    }
}
