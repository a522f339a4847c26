//! How, where and by whom a service is given.

use jiff::Timestamp;

use super::{Agent, Contact, Customer, Descriptor, Location, Person, TagGroup, Time};
use crate::ids::FulfillmentId;
use crate::wire::wire_object;

wire_object! {
    /// One way and time of fulfilling an order (`Fulfillment`): an appointment, in health.
    #[derive(Default)]
    pub struct Fulfillment {
        /// Its id.
        pub id: Option<FulfillmentId>,
        /// Its type, such as `OPD` or `TELECONSULTATION`; each network has its own list.
        pub r#type: Option<String> as "type",
        /// Whether it can be rated.
        pub rateable: Option<bool>,
        /// Its rating.
        pub rating: Option<String>,
        /// Where it stands.
        pub state: Option<FulfillmentState>,
        /// Whether it can be tracked.
        pub tracking: Option<bool>,
        /// Who receives it.
        pub customer: Option<Customer>,
        /// Who gives it.
        pub agent: Option<Agent>,
        /// Whom to ask about it.
        pub contact: Option<Contact>,
        /// What it comes in.
        pub vehicle: Option<Vehicle>,
        /// Its places and times, `start` and `end` among them.
        pub stops: Vec<Stop>,
        /// The way between the stops.
        pub path: Option<String>,
        /// Anything else.
        pub tags: Vec<TagGroup>,
    }
}

wire_object! {
    /// Where a fulfilment stands (`FulfillmentState`).
    #[derive(Default)]
    pub struct FulfillmentState {
        /// The state's code and name.
        pub descriptor: Option<Descriptor>,
        /// Since when.
        pub updated_at: Option<Timestamp>,
        /// By whom it was set.
        pub updated_by: Option<String>,
    }
}

wire_object! {
    /// One place and time of a fulfilment (`Stop`).
    #[derive(Default)]
    pub struct Stop {
        /// Its id.
        pub id: Option<String>,
        /// The stop before it.
        pub parent_stop_id: Option<String>,
        /// Where.
        pub location: Option<Location>,
        /// `start`, `end` or another.
        pub r#type: Option<String> as "type",
        /// When.
        pub time: Option<Time>,
        /// What to do there.
        pub instructions: Option<Descriptor>,
        /// Whom to call there.
        pub contact: Option<Contact>,
        /// Who is there.
        pub person: Option<Person>,
        /// What lets one in.
        pub authorization: Option<Authorization>,
    }
}

wire_object! {
    /// A token that proves the right to a stop (`Authorization`). Secret.
    #[derive(Default)]
    pub struct Authorization: private {
        /// Its kind.
        pub r#type: Option<String> as "type",
        /// The token.
        pub token: Option<String>,
        /// From when it holds.
        pub valid_from: Option<Timestamp>,
        /// Until when it holds.
        pub valid_to: Option<Timestamp>,
        /// Whether it holds.
        pub status: Option<String>,
    }
}

wire_object! {
    /// A vehicle, such as an ambulance (`Vehicle`).
    #[derive(Default)]
    pub struct Vehicle: private {
        /// Its category.
        pub category: Option<String>,
        /// How many it seats.
        pub capacity: Option<i64>,
        /// Who made it.
        pub make: Option<String>,
        /// Its model.
        pub model: Option<String>,
        /// Its size.
        pub size: Option<String>,
        /// Its variant.
        pub variant: Option<String>,
        /// Its colour.
        pub color: Option<String>,
        /// What drives it.
        pub energy_type: Option<String>,
        /// Its number plate.
        pub registration: Option<String>,
        /// How many wheels it has.
        pub wheels_count: Option<String>,
        /// What it can carry; the wire name is misspelt in the specification.
        pub cargo_volume: Option<String> as "cargo_volumne",
        /// Whether a wheelchair gets in.
        pub wheelchair_access: Option<String>,
        /// Its code.
        pub code: Option<String>,
        /// Its emission standard.
        pub emission_standard: Option<String>,
    }
}
