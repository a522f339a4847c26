//! Times. Instants are kept in UTC.

use jiff::Timestamp;

use crate::duration::Ttl;
use crate::wire::wire_object;

wire_object! {
    /// A time, in one of several forms (`Time`).
    #[derive(Default)]
    pub struct Time {
        /// What the time is for.
        pub label: Option<String>,
        /// An instant.
        pub timestamp: Option<Timestamp>,
        /// A length of time.
        pub duration: Option<Ttl>,
        /// From and to.
        pub range: Option<Range>,
        /// Days of the week, `1` (Monday) to `7`, separated by commas.
        pub days: Option<String>,
        /// A schedule.
        pub schedule: Option<Schedule>,
    }
}

wire_object! {
    /// From one instant to another (`Time.range`).
    #[derive(Default)]
    pub struct Range {
        /// The first instant.
        pub start: Option<Timestamp>,
        /// The last instant.
        pub end: Option<Timestamp>,
    }
}

wire_object! {
    /// Times that come again (`Schedule`).
    #[derive(Default)]
    pub struct Schedule {
        /// How often.
        pub frequency: Option<Ttl>,
        /// When not. The specification says instants; published messages say days: kept as written.
        pub holidays: Vec<String>,
        /// When. Kept as written, for the same reason.
        pub times: Vec<String>,
    }
}
