//! Bytes of a delivered CloudTrail log and a rule set in, findings and counts out. No AWS, no async, no clock.
//!
//! - [`delivered_log`]: which objects are logs, and how bytes become records
//! - [`record`]: what one record says: who, what, where, and what became of it
//! - [`operations`]: what AWS publishes about Bedrock's operations; [`catalogue`]: what we think of each
//! - [`rules`]: Sigma rules, checked at load, looked up by what a record can match
//! - [`finding`]: what leaves the house: grouped, as OCSF for machines and as text for people
//! - [`audit`]: one log from its bytes to its findings
//! - [`ledger`]: the account whose sums must hold
//! - [`text`]: text from a trail made safe to show
//!
//! ```
//! use detection::{audit::Audit, delivered_log::Encoding, finding::Log, rules::RuleSet};
//!
//! let rules = RuleSet::load([]).rule_set;
//! let log = Log { bucket: None, key: "a-log.json".to_owned(), read_at_ms: 1_795_338_900_000 };
//! let mut audit = Audit::new(&rules, log, Encoding::Plain, 256 << 20);
//! audit.push(br#"{"Records":[{"eventSource":"bedrock.amazonaws.com","eventName":"DeleteGuardrail"}]}"#);
//! let audited = audit.finish();
//! assert_eq!(audited.findings[0].title(), "Bedrock guardrail deleted (success)");
//! ```

pub mod audit;
pub mod catalogue;
mod deflate;
pub mod delivered_log;
mod documentation;
pub mod finding;
mod ids;
pub mod ledger;
pub mod operations;
pub mod record;
pub mod rules;
pub mod text;
