//! What a consumer is looking for.

use super::{Category, Descriptor, Fulfillment, Item, Offer, Payment, Provider, TagGroup};
use crate::wire::wire_object;

wire_object! {
    /// A search (`Intent`): each part given narrows the result.
    #[derive(Default)]
    pub struct Intent {
        /// Free words.
        pub descriptor: Option<Descriptor>,
        /// The provider looked for.
        pub provider: Option<Provider>,
        /// Where, when and by whom.
        pub fulfillment: Option<Fulfillment>,
        /// How to pay.
        pub payment: Option<Payment>,
        /// The speciality looked for.
        pub category: Option<Category>,
        /// The offer looked for.
        pub offer: Option<Offer>,
        /// The service looked for.
        pub item: Option<Item>,
        /// Anything else.
        pub tags: Vec<TagGroup>,
    }
}
