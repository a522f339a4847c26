//! Who pays.

use super::{City, Organization, State, Time};
use crate::wire::wire_object;

wire_object! {
    /// The billing details of an order (`Billing`). Personal.
    #[derive(Default)]
    pub struct Billing: private {
        /// The payer's name.
        pub name: Option<String>,
        /// The payer's organisation.
        pub organization: Option<Organization>,
        /// The billing address, as one text.
        pub address: Option<String>,
        /// State or region.
        pub state: Option<State>,
        /// City.
        pub city: Option<City>,
        /// E-mail address.
        pub email: Option<String>,
        /// Telephone number.
        pub phone: Option<String>,
        /// When.
        pub time: Option<Time>,
        /// Tax number.
        pub tax_id: Option<String>,
    }
}
