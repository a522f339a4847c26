//! Ratings.

use crate::wire::{wire_enum, wire_object};

wire_enum! {
    /// What is rated (`Rating.rating_category`).
    pub enum RatingCategory {
        /// An item.
        Item = "Item",
        /// An order.
        Order = "Order",
        /// A fulfilment.
        Fulfillment = "Fulfillment",
        /// A provider.
        Provider = "Provider",
        /// An agent.
        Agent = "Agent",
        /// The support.
        Support = "Support",
    }
}

wire_object! {
    /// A rating (`Rating`).
    #[derive(Default)]
    pub struct Rating {
        /// What is rated.
        pub rating_category: Option<RatingCategory>,
        /// The id of what is rated.
        pub id: Option<String>,
        /// The value given, as the network defines it.
        pub value: Option<String>,
    }
}
