//! map
pub mod delivered_log;
pub mod operations;
pub mod record;
