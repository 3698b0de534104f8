//! Findings about a file instead of a call: a log that is gone or damaged, records that cannot be read, a wrong rule file.
//! Silence about any of them would be a lost alert.

use std::sync::Arc;

use rsigma_parser::Level;

use super::{Details, Finding, Log};
use crate::{
    ids,
    record::Outcome,
    rules::{About, Stage},
};

/// What can be wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileProblem {
    /// A log that CloudTrail delivered is no longer there.
    LogRemoved,
    /// A log could not be read to its end.
    LogDamaged,
    /// Some records of a good log could not be read.
    RecordsUnreadable,
    /// A rule file from outside was left out.
    RuleRefused,
}

struct Words {
    id: &'static str,
    title: &'static str,
    description: &'static str,
    level: Level,
    respond: &'static [&'static str],
}

impl FileProblem {
    /// Which of them a finding is about, if any.
    pub(super) fn of(about: &About) -> Option<Self> {
        [Self::LogRemoved, Self::LogDamaged, Self::RecordsUnreadable, Self::RuleRefused]
            .into_iter()
            .find(|problem| problem.words().id == about.id)
    }

    fn words(self) -> Words {
        match self {
            Self::LogRemoved => Words {
                id: "ab0c6f0e-52f1-4b8e-9d0a-6a3e4f1c7d01",
                title: "A CloudTrail log was removed before it was audited, or after",
                description: "An object that CloudTrail delivered is no longer in the log bucket. Nobody removes logs in ordinary work: what stood in it may be what somebody wants to hide.",
                level: Level::High,
                respond: &[
                    "Find who removed it: look for DeleteObject and DeleteObjects on the log bucket in its S3 data events.",
                    "If the bucket has versions, bring it back: delete the delete marker, and have the log read again (docs/deploy.md, \"Reading logs again\").",
                    "Check the hour against CloudTrail's digest files: `aws cloudtrail validate-logs --trail-arn TRAIL --start-time TIME`.",
                ],
            },
            Self::LogDamaged => Words {
                id: "ab0c6f0e-52f1-4b8e-9d0a-6a3e4f1c7d02",
                title: "A CloudTrail log could not be audited to its end",
                description: "The object is complete as S3 has it, but it is not the gzipped JSON that CloudTrail writes. What stood before the damage was audited; what follows it was not.",
                level: Level::High,
                respond: &[
                    "Check the file against CloudTrail's digest: `aws cloudtrail validate-logs --trail-arn TRAIL --start-time TIME`. An invalid hash means that somebody changed it.",
                    "Look up the hour in CloudTrail's event history: it does not depend on the bucket.",
                    "If the log is only larger than the limit, raise it (`MaxUnpackedMiB` of the stack, `--max-unpacked` of the command line) and have the log read again.",
                ],
            },
            Self::RecordsUnreadable => Words {
                id: "ab0c6f0e-52f1-4b8e-9d0a-6a3e4f1c7d03",
                title: "Records of a CloudTrail log could not be read",
                description: "The log is whole, but some of its records are not what CloudTrail writes, so no rule could judge them. All others were audited.",
                level: Level::High,
                respond: &[
                    "Look at the records by the positions given.",
                    "Check the file against CloudTrail's digest: `aws cloudtrail validate-logs --trail-arn TRAIL --start-time TIME`.",
                ],
            },
            Self::RuleRefused => Words {
                id: "ab0c6f0e-52f1-4b8e-9d0a-6a3e4f1c7d04",
                title: "A rule file is wrong",
                description: "The file cannot be honoured exactly, so it is not in force; where there was a good version of it, that one is. All other rules are in force.",
                level: Level::High,
                respond: &[
                    "Mend the file as the message says; `bedrock-audit rules check FOLDER` shows whether it is right.",
                ],
            },
        }
    }
}

/// Builds the finding. `what` is the stable part of the problem, from which the id is made together with bucket and key;
/// `problem` is the sentence for people. `account` and `region` are those of the log, where known.
#[must_use]
pub fn about_file(
    kind: FileProblem,
    what: &str,
    problem: String,
    log: Log,
    rule_set: &str,
    account: Option<String>,
    region: Option<String>,
) -> Finding {
    let words = kind.words();
    let about = About {
        id: words.id.to_owned(),
        title: words.title.to_owned(),
        description: words.description.to_owned(),
        level: words.level,
        family: Some("being-watched".to_owned()),
        tags: Vec::new(),
        references: Vec::new(),
        false_positives: Vec::new(),
        respond: words.respond.iter().map(|step| (*step).to_owned()).collect(),
        version: None,
        stage: Stage::Live,
    };
    let bucket = log.bucket.as_deref().unwrap_or_default();
    Finding {
        id: ids::uuid(["file", words.id, bucket, &log.key, what]),
        correlation_id: ids::uuid(["file", words.id, bucket, what]),
        severity: words.level,
        about: Arc::new(about),
        outcome: Outcome::NotApplicable,
        rule_set: rule_set.to_owned(),
        log,
        account,
        region,
        details: Details::File(problem),
    }
}
