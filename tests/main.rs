//! The tests that see the product from outside, as one binary. What a single file promises is tested in that file.
//!
//! - [`balance`]: whether the sums of a ledger hold, asked wherever a detector is woken
//! - [`rules`]: every built-in rule holds its proof, every wrong rule is refused, looking rules up loses none
//! - [`floods`]: very many records in one log, very many logs at once
//! - [`hostile_files`]: damaged, odd and malicious logs: what is found and what is reported of each
//! - [`hostile_rules`]: rule files that are written to break what reads them
//! - [`lints`]: what `rules check` finds in a rule file, with its place
//! - [`sigma`]: Sigma as the standard defines it, one case a feature; [`sigma_oracles`]: the same asked of other engines
//! - [`lists`]: approved lists and the fields that are worked out of a record, as rules use them
//! - [`exceptions`]: what is silenced and what is not, by exceptions and overrides, and for how long
//! - [`fast_and_plain`]: the fast way to audit a log is held against the plain one; [`drawn_rules`]: with rules drawn by lot
//! - [`findings`]: grouping, ids, severity, sizes, and that everything that leaves is valid OCSF and harmless text
//! - [`notifications`]: every file in `events/notifications` says what it should
//! - [`flow`]: whole invocations between in-memory edges, every row of the README's failures among them
//! - [`publishing`]: what SNS may answer, and what becomes of each finding
//! - [`edges`]: the adapters, and answers of S3 and SNS that a local AWS never gives
//! - [`command_line`]: `bedrock-audit` as a user runs it
//! - [`pages`]: the pages that it writes about rules; [`coverage`]: which operation is watched by which rule, and what
//!   others publish
//! - [`end_to_end`]: the real `bootstrap` on a local AWS, woken over the Lambda Runtime API
//! - [`stories`]: the attacks told in `events/stories`, step by step
//! - [`ordinary_day`]: a day of work in twenty accounts is quiet, and no attack drowns in it
//! - [`faults`]: faults at every edge, thousands of times, and whether anything was lost
//! - [`replay`]: what was missed, driven through the same path by the command line
//! - [`samples`]: records to test with; [`ocsf_schema`]: the judge of findings

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod balance;
mod command_line;
mod coverage;
mod drawn_rules;
mod edges;
mod end_to_end;
mod exceptions;
mod fast_and_plain;
mod faults;
mod findings;
mod floods;
mod flow;
mod hostile_files;
mod hostile_rules;
mod lints;
mod lists;
mod notifications;
mod ocsf_schema;
mod ordinary_day;
mod pages;
mod publishing;
mod replay;
mod rules;
mod samples;
mod sigma;
mod sigma_oracles;
mod stories;
