//! Amounts. Money is decimal, never floating point.

use rust_decimal::Decimal;

use crate::wire::wire_object;

wire_object! {
    /// A price (`Price`). Decimals are written as text.
    #[derive(Default)]
    pub struct Price {
        /// The currency (ISO 4217).
        pub currency: Option<String>,
        /// The price.
        pub value: Option<Decimal>,
        /// An estimate of it.
        pub estimated_value: Option<Decimal>,
        /// The price after calculation.
        pub computed_value: Option<Decimal>,
        /// The list price.
        pub listed_value: Option<Decimal>,
        /// The price on offer.
        pub offered_value: Option<Decimal>,
        /// The lowest it can be.
        pub minimum_value: Option<Decimal>,
        /// The highest it can be.
        pub maximum_value: Option<Decimal>,
    }
}

wire_object! {
    /// A measured amount (`Scalar`).
    #[derive(Default)]
    pub struct Scalar {
        /// `CONSTANT` or `VARIABLE`.
        pub r#type: Option<String> as "type",
        /// The amount.
        pub value: Option<Decimal>,
        /// An estimate of it.
        pub estimated_value: Option<Decimal>,
        /// The amount after calculation.
        pub computed_value: Option<Decimal>,
        /// From and to.
        pub range: Option<ScalarRange>,
        /// The unit, such as `km`.
        pub unit: Option<String>,
    }
}

wire_object! {
    /// From one amount to another (`Scalar.range`).
    #[derive(Default)]
    pub struct ScalarRange {
        /// The least.
        pub min: Option<Decimal>,
        /// The most.
        pub max: Option<Decimal>,
    }
}
