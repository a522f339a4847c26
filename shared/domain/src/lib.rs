//! The rules of a health service network: what can be booked, when, at what price, and what may
//! happen to a booking afterwards.
//!
//! Invariant of the crate: it is pure. Nothing here reads a clock, a file, the network or the
//! environment; the current time is always an argument called `now`. The same inputs give the
//! same answer on a laptop, in a test and in a deployed function.
//!
//! | module | question it answers |
//! |---|---|
//! | [`catalogue`] | which facilities, practitioners and services are there? |
//! | [`schedule`] | when does a practitioner work, in the clinic's own time? |
//! | [`slot`] | which start times can be booked, and how are they named? |
//! | [`quote`] | what does it cost, line by line? |
//! | [`order`] | what may happen to a booking, by whom, until when? |
//! | [`search`] | what did the consumer ask for? |
//! | [`snapshot`] | which services answer that, nearest or best first? |
//!
//! Values are parsed once, at the edge, into types that cannot hold anything wrong; after that no
//! function checks them again. Money is decimal. Instants are UTC; a clinic's working hours are
//! civil time in the clinic's zone.

pub mod catalogue;
pub mod order;
pub mod quote;
pub mod schedule;
pub mod search;
pub mod slot;
pub mod snapshot;

pub use catalogue::{
    Catalogue, CatalogueError, CityCode, ConsultationType, DepartmentId, Facility, FacilityId, Fee, Practitioner,
    PractitionerId, Service, ServiceId,
};
pub use order::{Event, Order, OrderId, Party, Refusal, RefusalReason, SlotClaim, State};
pub use quote::Quote;
pub use schedule::Schedule;
pub use search::Criteria;
pub use slot::{Slot, SlotId};
pub use snapshot::{Match, Snapshot};
