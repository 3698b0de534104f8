//! The books of one invocation while it is under way: its ledger, why notices must come again, how logs ended, and what people
//! are to be told. Knows no edge.

use std::collections::BTreeSet;

use detection::{finding::Finding, ledger::Ledger};
use tracing::error;

use super::{
    ends::{End, Invocation, LogEnd, Settled, answer},
    told::Told,
};
use crate::{config::Config, notification::Notice};

/// Who must bring something again when it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Answerable {
    /// The notice at this place, which brought it.
    Notice(usize),
    /// Every notice: none of them brought it.
    Everybody,
}

/// What an invocation has come to so far.
pub(super) struct Books<'c> {
    config: &'c Config,
    pub(super) ledger: Ledger,
    pub(super) told: Told,
    /// Why each notice must come again, in their order.
    problems: Vec<Vec<String>>,
    logs: Vec<LogEnd>,
}

impl<'c> Books<'c> {
    pub(super) fn open(config: &'c Config, notices: &[Notice]) -> Self {
        let alert_threshold = config.alerts_topic_arn.is_some().then(|| config.alert_min_severity.as_str());
        let mut ledger = Ledger { items: notices.len() as u64, alert_threshold, ..Ledger::default() };
        ledger.test_events = notices.iter().map(|notice| notice.test_events).sum();
        let problems = notices.iter().map(|notice| notice.errors.iter().map(ToString::to_string).collect()).collect();
        Self { config, ledger, told: Told::default(), problems, logs: Vec::new() }
    }

    /// Notes why something must come again.
    pub(super) fn fail(&mut self, answerable: Answerable, why: &str) {
        match answerable {
            Answerable::Notice(at) => {
                if let Some(problems) = self.problems.get_mut(at) {
                    problems.push(why.to_owned());
                }
            }
            Answerable::Everybody => self.problems.iter_mut().for_each(|problems| problems.push(why.to_owned())),
        }
    }

    /// Enters what became of an object.
    pub(super) fn enter(&mut self, settled: Settled) {
        self.logs.push(LogEnd::of(&settled));
        let by = Answerable::Notice(settled.notice);
        self.ledger.logs.total += 1;
        match settled.end {
            End::Audited => self.ledger.logs.audited += 1,
            End::Skipped(folder) => self.ledger.skip(&folder),
            End::Gone => self.ledger.logs.gone += 1,
            End::Damaged => self.ledger.logs.damaged += 1,
            End::Failed(why) => {
                self.ledger.logs.failed += 1;
                self.fail(by, &why);
            }
        }
        if let Some(audited) = settled.audited {
            self.ledger.add_records(&audited.records);
            self.ledger.add_undecided(&audited.undecided);
            self.ledger.add_excepted(&audited.excepted, &audited.exceptions_shadowed);
            self.ledger.findings.total += audited.superseded;
            self.ledger.findings.superseded += audited.superseded;
        }
        self.ledger.findings.total += settled.shadowed + settled.superseded;
        self.ledger.findings.shadowed += settled.shadowed;
        self.ledger.findings.superseded += settled.superseded;
        self.enter_findings(by, settled.findings);
    }

    /// Enters what became of findings. Why some were not taken is noted, each reason once.
    pub(super) fn enter_findings(&mut self, by: Answerable, findings: Vec<(Finding, Result<(), String>)>) {
        self.ledger.findings.total += findings.len() as u64;
        let mut reasons = BTreeSet::new();
        for (finding, answer) in findings {
            match answer {
                Ok(()) => {
                    self.ledger.findings.published += 1;
                    if self.config.alerts_on(finding.severity) {
                        self.told.add(by, finding);
                    } else {
                        self.ledger.findings_below_alert_threshold += 1;
                    }
                }
                Err(why) => {
                    self.ledger.findings.failed += 1;
                    reasons.insert(why);
                }
            }
        }
        reasons.iter().for_each(|why| self.fail(by, why));
    }

    /// Enters that people were not told, so that whoever brought these findings brings them again.
    pub(super) fn enter_untold(&mut self, told: &Told, why: &str) {
        self.ledger.alerts_failed += 1;
        if told.answerable.contains(&Answerable::Everybody) {
            return self.fail(Answerable::Everybody, why);
        }
        told.answerable.iter().for_each(|by| self.fail(*by, why));
    }

    /// Closes the books.
    pub(super) fn close(self, from_queue: bool, notices: &[Notice], rule_set: &str) -> Invocation {
        let Self { mut ledger, problems, logs, .. } = self;
        for sum in ledger.imbalances() {
            error!(sum, "the ledger does not balance: this is a defect of bedrock-audit");
        }
        ledger.items_failed = problems.iter().filter(|problems| !problems.is_empty()).count() as u64;
        for problem in problems.iter().flatten() {
            error!(problem, "a notification is given back");
        }
        let answer = answer(from_queue, notices, problems.clone(), &ledger);
        Invocation { answer, ledger, rule_set: rule_set.to_owned(), logs, problems }
    }
}
