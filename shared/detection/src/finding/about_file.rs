//! Findings about a file instead of a call: a log that is gone or damaged, records that cannot be read, a wrong rule file.
//! Silence about any of them would be a lost alert.

use std::sync::Arc;

use rsigma_parser::Level;
use time::Date;

use super::{Details, Finding, Log};
use crate::{
    ids,
    record::Outcome,
    rules::{self, About, Origin, Stage},
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
    /// An exception would have silenced what stands in the log, and has expired.
    ExceptionExpired,
    /// A rule found something in the log whose override has expired.
    OverrideExpired,
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
        [
            Self::LogRemoved,
            Self::LogDamaged,
            Self::RecordsUnreadable,
            Self::RuleRefused,
            Self::ExceptionExpired,
            Self::OverrideExpired,
        ]
        .into_iter()
        .find(|problem| problem.words().id == about.id)
    }

    fn words(self) -> Words {
        match self {
            Self::LogRemoved => Words {
                id: "ab0c6f0e-52f1-4b8e-9d0a-6a3e4f1c7d01",
                title: "A CloudTrail log was removed",
                description: "An object that CloudTrail delivered is no longer in the log bucket, whether it had been audited or not. Nobody removes logs in ordinary work: what stood in it may be what somebody wants to hide.",
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
                description: "The file was read as far as it goes, and it is not the gzipped JSON that CloudTrail writes. What stood before the damage was audited; what follows it was not.",
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
            Self::ExceptionExpired => Words {
                id: "ab0c6f0e-52f1-4b8e-9d0a-6a3e4f1c7d06",
                title: "An exception has expired",
                description: "What somebody once asked not to be told of has happened again, and the time for which they asked is over. It is told again.",
                level: Level::Low,
                respond: &[
                    "Ask its owner whether it is still right. If so, renew its `date` and `expires`; if not, remove the file and its proof.",
                ],
            },
            Self::OverrideExpired => Words {
                id: "ab0c6f0e-52f1-4b8e-9d0a-6a3e4f1c7d07",
                title: "An override of a rule has expired",
                description: "Somebody changed a rule for a time, and that time is over. The rule is again as it is written.",
                level: Level::Low,
                respond: &[
                    "Ask its owner whether it is still right. If so, renew its `date` and `expires`; if not, remove it from overrides.yml.",
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
    let said = rules::Words {
        description: words.description.to_owned(),
        respond: words.respond.iter().map(|step| (*step).to_owned()).collect(),
        ..rules::Words::default()
    };
    let about = About {
        id: words.id.to_owned(),
        title: words.title.to_owned(),
        level: words.level,
        family: Some("being-watched".to_owned()),
        asks_outcome: false,
        stage: Stage::Live,
        version: None,
        origin: Origin::BuiltIn,
        reads_your_lists: false,
        words: said.into(),
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

/// Builds the finding about an exception or override that has expired. Its id is that of the exception, or of the overridden
/// rule, and the day: it repeats with every log of that day, and is recognised.
#[expect(clippy::too_many_arguments, reason = "they are those of `about_file`, and what the id is made from")]
pub(crate) fn about_expiry(
    kind: FileProblem,
    of: &str,
    day: Date,
    problem: String,
    log: Log,
    rule_set: &str,
    account: Option<&str>,
    region: Option<&str>,
) -> Finding {
    let day = day.to_string();
    let (account, region) = (account.map(str::to_owned), region.map(str::to_owned));
    let finding = about_file(kind, &day, problem, log, rule_set, account, region);
    let kind = finding.about.id.as_str();
    Finding {
        id: ids::uuid(["expired", kind, of, day.as_str()]),
        correlation_id: ids::uuid(["expired", kind, of]),
        ..finding
    }
}
