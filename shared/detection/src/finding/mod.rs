//! What leaves the house: a rule that matched records, or a file that could not be audited. Knows no topic and no Lambda.

mod about_file;
mod alert;
mod group;
mod ocsf;

use std::{collections::BTreeMap, sync::Arc};

pub(crate) use about_file::about_expiry;
pub use about_file::{FileProblem, about_file};
pub use alert::{Alert, ChatNotice, MOST_TOLD};
pub(crate) use group::{Fired, Groups};
pub use ocsf::Form;
use rsigma_parser::Level;

use crate::{
    record::{Actor, Asked, Outcome, Resource},
    rules::{About, Rule, severity_id},
    text,
};

/// Which delivered log something was found in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The bucket; nothing for a file on a disk.
    pub bucket: Option<String>,
    /// The key, or the file's path.
    pub key: String,
    /// When the log was read, in milliseconds since 1970: the time of findings whose records tell none.
    pub read_at_ms: i64,
}

impl Log {
    /// `s3://bucket/key`, or the path.
    #[must_use]
    pub fn location(&self) -> String {
        match &self.bucket {
            Some(bucket) => format!("s3://{bucket}/{}", self.key),
            None => self.key.clone(),
        }
    }
}

/// A rule that matched records of one delivered log, or something wrong with a file.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The same for the same records, however often and by whichever trail they are read.
    pub id: String,
    /// The same for the same rule, actor, place, call and outcome: a storm of two hours is one ticket.
    pub correlation_id: String,
    /// The rule.
    pub about: Arc<About>,
    /// The rule's level, adapted to the outcome.
    pub severity: Level,
    /// What became of the calls.
    pub outcome: Outcome,
    /// The version of the rule set that found it.
    pub rule_set: String,
    /// Where the records stand.
    pub log: Log,
    /// The account that the records were written for.
    pub account: Option<String>,
    /// The Region of the calls.
    pub region: Option<String>,
    /// The records, or what is wrong with the file.
    pub details: Details,
}

/// What a finding is about.
#[derive(Debug, Clone)]
pub enum Details {
    /// Records that matched a rule.
    Records(Box<Matched>),
    /// One sentence about a file.
    File(String),
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// The rule could not decide, because something is hidden, and asks to be heard then.
    Low,
    /// The rule matches, but something hidden could show that it is wrong.
    Medium,
    /// Nothing hidden could change it.
    High,
}

/// The records of one finding, summed up.
#[derive(Debug, Clone)]
pub struct Matched {
    /// `eventSource` of all.
    pub event_source: String,
    /// `eventName` of all.
    pub event_name: String,
    /// `errorCode` of all.
    pub error_code: Option<String>,
    /// Who made the calls.
    pub actor: Actor,
    /// How many records.
    pub count: u64,
    /// The earliest `eventTime`, in milliseconds since 1970.
    pub first_ms: Option<i64>,
    /// The latest.
    pub last_ms: Option<i64>,
    /// The first eventIDs, at most 1,000.
    pub event_ids: Vec<String>,
    /// How many different eventIDs there are.
    pub event_ids_total: u64,
    /// The first records whole, as JSON: at most ten, and 16 MiB in all findings of a log.
    pub records: Vec<String>,
    /// What the calls were about.
    pub resources: Tally<Resource>,
    /// `sourceIPAddress`, which is a service's name where a service made the call.
    pub addresses: Tally<String>,
    /// `userAgent`.
    pub user_agents: Tally<String>,
    /// Models that were named.
    pub models: Tally<String>,
    /// How sure it is: that of the surest record.
    pub confidence: Confidence,
    /// What the first record's request asked for, as far as it is shown.
    pub asked: Vec<Asked>,
    /// Fields of the rule that CloudTrail hid in some record, each with the reason.
    pub not_visible: BTreeMap<String, &'static str>,
    /// Lesser rules of the same family that matched some of the records too.
    pub related: Vec<Arc<About>>,
    /// Whether such a call changes something or hands out a credential.
    pub writes: bool,
    /// Whether the first record is in the console's event history.
    pub in_event_history: bool,
    /// Where AWS documents the operation.
    pub documentation: Option<String>,
}

impl Matched {
    /// What the calls were about, the most telling first.
    pub fn telling_resources(&self) -> impl Iterator<Item = &Resource> {
        let mut resources: Vec<&Resource> = self.resources.counts.keys().collect();
        resources.sort_by_key(|resource| resource.vagueness());
        resources.into_iter()
    }
}

/// How often different values were seen. Hostile logs cannot grow it: after fifty different ones the rest is only counted.
#[derive(Debug, Clone)]
pub struct Tally<T> {
    /// The different values, at most fifty, with how often each was seen.
    pub counts: BTreeMap<T, u64>,
    /// Sightings of values beyond those.
    pub others: u64,
}

impl<T> Default for Tally<T> {
    fn default() -> Self {
        Self { counts: BTreeMap::new(), others: 0 }
    }
}

impl<T: Ord> Tally<T> {
    /// Counts a value; one that is new is only named if its `size` is within what is `left`.
    pub(crate) fn add_within(&mut self, value: T, size: usize, left: &mut usize) {
        if let Some(count) = self.counts.get_mut(&value) {
            *count += 1;
            return;
        }
        match left.checked_sub(size) {
            Some(rest) if self.counts.len() < 50 => {
                *left = rest;
                self.counts.insert(value, 1);
            }
            _ => self.others += 1,
        }
    }
}

/// One of the ten message attributes, by which subscriptions filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// SNS's data type: `String` or `Number`.
    pub data_type: &'static str,
    /// Its value: printable ASCII, never empty.
    pub value: String,
}

impl Finding {
    /// The title with the outcome in it.
    #[must_use]
    pub fn title(&self) -> String {
        match self.outcome {
            Outcome::NotApplicable => self.about.title.clone(),
            outcome => format!("{} ({})", self.about.title, outcome.as_str()),
        }
    }

    /// `Informational` ... `Critical`, as OCSF spells it.
    #[must_use]
    pub fn severity_name(&self) -> &'static str {
        match self.severity {
            Level::Informational => "Informational",
            Level::Low => "Low",
            Level::Medium => "Medium",
            Level::High => "High",
            Level::Critical => "Critical",
        }
    }

    /// 1 (informational) to 5 (critical).
    #[must_use]
    pub fn severity_id(&self) -> u8 {
        severity_id(self.severity)
    }

    /// What the rule protects; `other` for a rule that does not say.
    #[must_use]
    pub fn family(&self) -> &str {
        self.about.family.as_deref().unwrap_or("other")
    }

    /// How sure it is.
    #[must_use]
    pub fn confidence(&self) -> Confidence {
        self.matched().map_or(Confidence::High, |matched| matched.confidence)
    }

    /// Lets go of the records: enough to tell a person of it.
    pub fn forget_records(&mut self) {
        if let Details::Records(matched) = &mut self.details {
            matched.records = Vec::new();
            matched.event_ids.truncate(3);
        }
    }

    /// The matched records, unless the finding is about a file.
    #[must_use]
    pub fn matched(&self) -> Option<&Matched> {
        match &self.details {
            Details::Records(matched) => Some(matched),
            Details::File(_) => None,
        }
    }

    /// Where the first event stands in the event history of the AWS console, which keeps management events for 90 days. Nothing
    /// for other events, and where Region or eventID are not what AWS writes.
    #[must_use]
    pub fn console_link(&self) -> Option<String> {
        let plain = |text: &&String| {
            !text.is_empty()
                && text.len() <= 64
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let region = self.region.as_ref().filter(plain)?;
        let matched = self.matched().filter(|matched| matched.in_event_history)?;
        let id = matched.event_ids.first().filter(plain)?;
        let console = match region.split('-').take(2).collect::<Vec<_>>().as_slice() {
            ["cn", _] => "console.amazonaws.cn",
            ["us", "gov"] => "console.amazonaws-us-gov.com",
            _ => "console.aws.amazon.com",
        };
        Some(format!("https://{region}.{console}/cloudtrailv2/home?region={region}#/events/{id}"))
    }

    /// Pages to read: AWS's about the operation, then those that the rule names.
    pub fn pages(&self) -> impl Iterator<Item = &str> {
        let documentation = self.matched().and_then(|matched| matched.documentation.as_deref());
        let named = self.about.words().references.iter().map(String::as_str);
        documentation.into_iter().chain(named.filter(move |page| Some(*page) != documentation))
    }

    /// One sentence: what, who, where, how often.
    #[must_use]
    pub fn summary(&self) -> String {
        let place = match (&self.account, &self.region) {
            (Some(account), Some(region)) => format!(", in account {account}, {region}"),
            (Some(account), None) => format!(", in account {account}"),
            _ => String::new(),
        };
        let summary = match &self.details {
            Details::File(_) => self.story(),
            Details::Records(matched) => {
                let error = matched.error_code.as_ref().map_or(String::new(), |code| format!(" ({code})"));
                format!("{}{place}: {}{error}", self.story(), self.outcome.as_str())
            }
        };
        text::neutral(&summary, 1_000)
    }

    /// What was done, on what, by whom and how often; for a file, what is wrong with it.
    #[must_use]
    pub fn story(&self) -> String {
        let story = match &self.details {
            Details::File(problem) => format!("{}: {problem}", self.log.location()),
            Details::Records(matched) => {
                let named: Vec<&str> =
                    matched.telling_resources().map(|resource| resource.uid.as_str()).take(3).collect();
                let about = if named.is_empty() { String::new() } else { format!(" on {}", named.join(", ")) };
                let times = if matched.count == 1 { String::new() } else { format!(", {} times", matched.count) };
                format!("{}{about} by {}{times}", matched.event_name, matched.actor.in_words())
            }
        };
        text::neutral(&story, 1_000)
    }

    /// The ten message attributes. Raw delivery to SQS discards a message with more.
    #[must_use]
    pub fn attributes(&self) -> [Attribute; 10] {
        let text = |name, value: &str| {
            let value = text::ascii(value, 256);
            Attribute { name, data_type: "String", value: if value.is_empty() { "none".to_owned() } else { value } }
        };
        let matched = self.matched();
        [
            text("severity", self.severity_name()),
            Attribute { name: "severity_id", data_type: "Number", value: self.severity_id().to_string() },
            text("rule_id", &self.about.id),
            text("family", self.family()),
            text("outcome", self.outcome.as_str()),
            text("account", self.account.as_deref().unwrap_or_default()),
            text("region", self.region.as_deref().unwrap_or_default()),
            text("event_source", matched.map_or("", |matched| &matched.event_source)),
            text("event_name", matched.map_or("", |matched| &matched.event_name)),
            text("correlation_uid", &self.correlation_id),
        ]
    }
}

/// A rule's level, adapted to what became of the call.
#[must_use]
pub fn severity_of(rule: &Rule, outcome: Outcome) -> Level {
    match outcome {
        Outcome::Denied => rule.level_denied,
        Outcome::Failed => rule.level_failed,
        Outcome::Success | Outcome::NotApplicable => rule.about.level,
    }
}
