//! What people are told of at the end of an invocation: one message, the worst first. Knows no topic.

use std::collections::HashSet;

use detection::finding::{Finding, MOST_TOLD};

/// What people are told of: the worst findings, without their records, and how many more there are.
#[derive(Default)]
pub(super) struct Told {
    pub(super) worst: Vec<Finding>,
    pub(super) more: usize,
    /// The notices that brought them; none for what no notification brought.
    pub(super) notices: HashSet<Option<usize>>,
}

impl Told {
    pub(super) fn add(&mut self, notice: Option<usize>, mut finding: Finding) {
        finding.forget_records();
        self.notices.insert(notice);
        self.worst.push(finding);
        // The worst first, and of equals the first that came.
        self.worst.sort_by_key(|finding| std::cmp::Reverse(finding.severity_id()));
        self.more += self.worst.len().saturating_sub(MOST_TOLD);
        self.worst.truncate(MOST_TOLD);
    }
}
