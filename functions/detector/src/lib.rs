//! The Lambda: everything that touches AWS, and nothing else. What is found is decided in `detection`.
//!
//! - [`notification`]: what wakes us, decoded from every shape it comes in
//! - [`handler`]: the corridor of one invocation, between two edges that it knows only by what they must do
//! - [`log_bucket`]: the edge to S3
//! - [`findings_topic`]: the edge to SNS
//! - [`live_rules`]: the rules in force, renewed while the function is warm
//! - [`rules_prefix`]: the edge to S3 where more rules are
//! - [`aws_error`]: what AWS said, in a few words
//! - [`sdk`]: how patient the clients of both edges are
//! - [`config`]: the environment, checked at start
//! - [`deployed`]: all of that put together, for the Lambda and for whoever replays what it missed

pub mod aws_error;
pub mod config;
pub mod deployed;
pub mod findings_topic;
pub mod handler;
pub mod live_rules;
pub mod log_bucket;
pub mod notification;
pub mod rules_prefix;
pub mod sdk;
