//! What people are told of at the end of an invocation: one message, the worst first. Knows no topic.

use std::collections::HashSet;

use detection::finding::{Finding, MOST_TOLD};

use super::books::Answerable;

/// What people are told of: the worst findings, without their records, and how many more there are.
#[derive(Default)]
pub(super) struct Told {
    pub(super) worst: Vec<Finding>,
    pub(super) more: usize,
    /// Who must bring them again if nobody can be told.
    pub(super) answerable: HashSet<Answerable>,
}

impl Told {
    pub(super) fn add(&mut self, by: Answerable, mut finding: Finding) {
        finding.forget_records();
        self.answerable.insert(by);
        self.worst.push(finding);
        // The worst first, and of equals the first that came.
        self.worst.sort_by_key(|finding| std::cmp::Reverse(finding.severity_id()));
        self.more += self.worst.len().saturating_sub(MOST_TOLD);
        self.worst.truncate(MOST_TOLD);
    }
}
