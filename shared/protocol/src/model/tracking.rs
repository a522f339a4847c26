//! Where a fulfilment is.

use super::Location;
use crate::wire::{wire_enum, wire_object};

wire_enum! {
    /// Whether tracking is on (`Tracking.status`).
    pub enum TrackingStatus {
        /// On.
        Active = "active",
        /// Off.
        Inactive = "inactive",
    }
}

wire_object! {
    /// Where a fulfilment is (`Tracking`).
    #[derive(Default)]
    pub struct Tracking {
        /// Its id.
        pub id: Option<String>,
        /// A page that shows it.
        pub url: Option<String>,
        /// Where it is now.
        pub location: Option<Location>,
        /// Whether tracking is on.
        pub status: Option<TrackingStatus>,
    }
}
