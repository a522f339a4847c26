//! Support.

use crate::ids::OrderId;
use crate::wire::wire_object;

wire_object! {
    /// A call for support, or where to find it (`Support`). Personal.
    #[derive(Default)]
    pub struct Support: private {
        /// What it is about: an order, an item, a fulfilment.
        pub ref_id: Option<String>,
        /// The order it is about. Not in Beckn 1.1.0; the health protocol's messages carry it.
        pub order_id: Option<OrderId>,
        /// Where to call back.
        pub callback_phone: Option<String>,
        /// Telephone number.
        pub phone: Option<String>,
        /// E-mail address.
        pub email: Option<String>,
        /// A page.
        pub url: Option<String>,
    }
}
