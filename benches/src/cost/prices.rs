//! List prices, us-east-1, in dollars: what is paid for use, without free tiers and discounts.
//!
//! Invariant: every price is here and nowhere else, as AWS lists it.

/// When they were looked up.
pub const AS_OF: &str = "November 2026";

/// A request to an HTTP API of at most 512 KB.
pub const HTTP_REQUEST: f64 = 1.00e-6;
/// An invocation of a Lambda function.
pub const INVOCATION: f64 = 0.20e-6;
/// A second of a Lambda function with 1 GB, arm64.
pub const GB_SECOND: f64 = 0.000_013_333_4;
/// A write request unit of a DynamoDB table on demand.
pub const WRITE_UNIT: f64 = 0.625e-6;
/// A read request unit of one.
pub const READ_UNIT: f64 = 0.125e-6;
/// A request to a standard queue of SQS.
pub const SQS_REQUEST: f64 = 0.40e-6;
/// A byte that CloudWatch Logs takes in.
pub const LOG_BYTE: f64 = 0.50e-9;
/// The same in a log group for infrequent access.
pub const INFREQUENT_LOG_BYTE: f64 = 0.25e-9;
/// A byte that leaves AWS for the internet.
pub const BYTE_OUT: f64 = 0.09e-9;
/// What CloudWatch Logs adds to the bytes of every line.
pub const LOG_LINE_BYTES: f64 = 26.0;
