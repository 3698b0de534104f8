//! What the fuzz targets hold the product to, each a function over bytes, so that a finding of a fuzzer can be run as a test.
//!
//! - [`rule_loading`]: whatever a rule file says, it is refused or can be asked
//! - [`record_evaluation`]: a record is judged as the plain way judges it, and looking rules up loses none
//! - [`delivered_log`]: any bytes in pieces of any size; generated hostile logs both ways
//! - [`deflate`]: any bytes as deflated data, held against `flate2`
//! - [`notification`]: whatever wakes the detector, nothing is dropped unsaid
//! - [`finding`]: what is found in a record is valid OCSF, harmless text, and the same when it is found again
//! - [`sns_message`]: messages and batches keep to what SNS takes

pub mod deflate;
pub mod delivered_log;
pub mod finding;
pub mod notification;
#[path = "../ocsf_schema.rs"]
mod ocsf_schema;
pub mod record_evaluation;
pub mod rule_loading;
pub mod sns_message;
