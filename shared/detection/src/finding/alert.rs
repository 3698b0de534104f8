//! Findings as a person reads them: one mail for an invocation, or one notice in a chat. Every text of a trail is made
//! harmless here, because a mail client or a chat would act on it.

use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Confidence, Details, FileProblem, Finding, Matched, ocsf::outcome_in_words};
use crate::{
    record::{Asked, Outcome},
    rules::Origin,
    text,
};

/// Findings that one alert tells in full; the others are counted, and are in the findings topic.
pub const MOST_TOLD: usize = 10;
/// SNS takes less than 100 characters.
const MOST_SUBJECT: usize = 99;
/// Bytes of a mail's text; SNS takes 256 KiB of anything.
const MOST_BODY: usize = 200 * 1024;
/// Bytes of a chat notice's text; Amazon Q Developer shows 8,000 characters.
const MOST_DESCRIPTION: usize = 7_900;
/// Values of a request that a mail tells.
const MOST_ASKED: usize = 10;
/// Pages that a mail names: the operation's own, and three of the rule's.
const MOST_PAGES: usize = 4;
/// The most characters of one value from a record.
const MOST_VALUE: usize = 300;

/// A plain-text message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Under 100 printable ASCII characters.
    pub subject: String,
    /// The message.
    pub body: String,
}

/// A custom notification of Amazon Q Developer in chat applications, which Slack and Teams show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatNotice {
    /// The JSON that is published.
    pub json: String,
}

impl Alert {
    /// One alert for these findings, worst first, and for `more` others that are no worse. Nothing for none.
    #[must_use]
    pub fn of(findings: &[&Finding], more: usize) -> Option<Self> {
        let findings = worst_first(findings);
        let worst = findings.first()?;
        let count = findings.len() + more;
        let mut body = String::new();
        if count > 1 {
            body.push_str(&format!("{count} findings, the worst first.\n\n"));
        }
        for finding in findings.iter().take(MOST_TOLD) {
            tell(finding, &mut body);
        }
        if let Some(more) = count.checked_sub(MOST_TOLD).filter(|more| *more > 0) {
            body.push_str(&format!("{more} more findings are not told here. All of them are in the findings topic.\n"));
        }
        shorten(&mut body, MOST_BODY);
        Some(Self { subject: subject(worst, count), body })
    }
}

impl ChatNotice {
    /// One notice for these findings, worst first, and for `more` others that are no worse. Nothing for none.
    #[must_use]
    pub fn of(findings: &[&Finding], more: usize) -> Option<Self> {
        let findings = worst_first(findings);
        let worst = findings.first()?;
        let count = findings.len() + more;
        let mut description = String::new();
        for finding in findings.iter().take(MOST_TOLD) {
            let (first, _) = times(finding);
            description.push_str(&format!(
                "*{}* {}\n{}\nsince {first}, in {}\n",
                finding.severity_name(),
                in_code(&finding.title()),
                in_code(&finding.summary()),
                in_code(&finding.log.location()),
            ));
            // Bare, because Slack and Teams write links differently. Both are made of letters, digits and hyphens alone.
            let documentation = finding.matched().and_then(|matched| matched.documentation.clone());
            for link in finding.console_link().into_iter().chain(documentation) {
                description.push_str(&format!("{link}\n"));
            }
            description.push('\n');
        }
        if let Some(more) = count.checked_sub(MOST_TOLD).filter(|more| *more > 0) {
            description.push_str(&format!("{more} more findings are in the findings topic.\n"));
        }
        shorten(&mut description, MOST_DESCRIPTION);
        let json = json!({
            "version": "1.0",
            "source": "custom",
            "id": worst.id,
            "content": {
                "textType": "client-markdown",
                "title": harmless(&subject(worst, count)),
                "description": description,
                "nextSteps": worst.about.words().respond.iter().map(|step| text::neutral(step, 500)).collect::<Vec<_>>(),
                "keywords": [worst.severity_name(), worst.family(), worst.outcome.as_str()],
            },
            "metadata": {"threadId": worst.correlation_id, "summary": text::neutral(&worst.about.title, 200)},
        });
        Some(Self { json: json.to_string() })
    }
}

/// Cuts a text at a line's end, and says that it was cut.
fn shorten(text: &mut String, most: usize) {
    if text.len() > most {
        let mut end = most;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.truncate(text.rfind('\n').map_or(end, |line| line + 1));
        text.push_str("... the rest is in the findings topic.\n");
    }
}

fn worst_first<'a>(findings: &[&'a Finding]) -> Vec<&'a Finding> {
    let mut findings = findings.to_vec();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity_id()));
    findings
}

fn subject(worst: &Finding, count: usize) -> String {
    let place = worst.account.as_deref().map_or(String::new(), |account| format!(" in {}", text::ascii(account, 20)));
    let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
    let outcome = match worst.outcome {
        Outcome::NotApplicable => String::new(),
        outcome => format!(" ({})", outcome.as_str()),
    };
    let (start, end) = (format!("[bedrock-audit] {}: ", worst.severity_name()), format!("{outcome}{place}{more}"));
    // The end is kept whole: it says what became of it, whose account it is, and that there is more.
    let room = MOST_SUBJECT.saturating_sub(start.len() + end.len());
    let mut title = text::ascii(&worst.about.title, MOST_SUBJECT);
    if title.len() > room {
        title.truncate(room.saturating_sub(3));
        title.truncate(title.trim_end().rfind(' ').unwrap_or(title.len()));
        title.push_str("...");
    }
    text::ascii(&format!("{start}{title}{end}"), MOST_SUBJECT)
}

fn tell(finding: &Finding, body: &mut String) {
    let safe = |value: &str| text::neutral(value, MOST_VALUE);
    let mut line = |name: &str, value: &str| {
        body.push_str(&format!("{name:<15} {value}\n"));
    };
    line("Finding", &format!("[{}] {}", finding.severity_name().to_uppercase(), safe(&finding.title())));
    let description = &finding.about.words().description;
    if !description.is_empty() {
        let why: Vec<&str> = description.split_whitespace().collect();
        line("Why it matters", &text::neutral(&format!("{}{}", only_tried(finding), why.join(" ")), 700));
    }
    match &finding.details {
        Details::File(problem) => line("What happened", &safe(problem)),
        Details::Records(matched) => {
            let mut what =
                format!("{} at {}: {}", matched.event_name, matched.event_source, outcome_in_words(finding.outcome));
            if let Some(code) = &matched.error_code {
                what.push_str(&format!(" ({code})"));
            }
            if matched.count > 1 {
                what.push_str(&format!(", {} times", matched.count));
            }
            line("What happened", &safe(&what));
            for resource in matched.telling_resources().take(8) {
                line("", &safe(&format!("{}: {}", resource.kind, resource.uid)));
            }
            // What the call was about has been told.
            let told = |asked: &&Asked| {
                asked.value.is_empty() || matched.resources.counts.keys().any(|resource| resource.uid == asked.value)
            };
            for (at, asked) in matched.asked.iter().filter(|asked| !told(asked)).take(MOST_ASKED).enumerate() {
                let asked = format!("{}: {}", text::neutral(&asked.path, 120), text::neutral(&asked.value, 160));
                line(if at == 0 { "Asked for" } else { "" }, &asked);
            }
            line("Who", &safe(&matched.actor.in_words()));
            line("", &safe(&matched.actor.uid));
            if let Some(credential) = &matched.actor.credential {
                line("", &safe(&format!("with the credential {credential}")));
            }
            let times = |count: u64| if matched.count > 1 { format!(" ({count} times)") } else { String::new() };
            for (address, count) in matched.addresses.counts.iter().take(5) {
                line("From", &safe(&format!("{address}{}", times(*count))));
            }
            for (agent, count) in matched.user_agents.counts.iter().take(3) {
                line("With", &format!("{}{}", text::neutral(agent, 80), times(*count)));
            }
        }
    }
    let account = finding.account.as_deref().unwrap_or("unknown account");
    line("Where", &safe(&format!("{account}, {}", finding.region.as_deref().unwrap_or("unknown Region"))));
    let (first, last) = times(finding);
    line("When", &if first == last { first } else { format!("{first} to {last}") });
    let hidden = finding.matched().map(not_visible).filter(|hidden| !hidden.is_empty());
    let sure = match (finding.confidence(), hidden) {
        _ if finding.matched().is_none() => "high: it is what bedrock-audit itself met".to_owned(),
        (Confidence::High, None) => "high: everything that the rule asks for is visible".to_owned(),
        (Confidence::High, Some(hidden)) => format!("high, although CloudTrail does not show {hidden}"),
        (Confidence::Medium, hidden) => {
            format!("medium: CloudTrail does not show {}, which could excuse it", hidden.unwrap_or_default())
        }
        (Confidence::Low, hidden) => {
            format!("low: CloudTrail does not show {}, which decides it", hidden.unwrap_or_default())
        }
    };
    line("How sure", &safe(&sure));
    for (at, cause) in finding.about.words().false_positives.iter().enumerate() {
        line(if at == 0 { "May be harmless" } else { "" }, &safe(cause));
    }
    for (at, step) in finding.about.words().respond.iter().enumerate() {
        let step = text::neutral(&filled_in(step, finding), 2_000);
        line(if at == 0 { "What to do" } else { "" }, &format!("{}. {step}", at + 1));
    }
    line("Raw record", &safe(&finding.log.location()));
    let ids = finding.matched().map(|matched| (matched.event_ids.as_slice(), matched.event_ids_total));
    if let Some((ids, total)) = ids.filter(|(ids, _)| !ids.is_empty()) {
        let shown: Vec<&str> = ids.iter().take(3).map(String::as_str).collect();
        let more = if total > 3 { format!(" and {} more", total - 3) } else { String::new() };
        line("", &safe(&format!("eventID {}{more}", shown.join(", "))));
    }
    if let Some(link) = finding.console_link() {
        line("", &link);
    }
    for (at, page) in finding.pages().take(MOST_PAGES).enumerate() {
        line(if at == 0 { "Read more" } else { "" }, &safe(page));
    }
    line("Reproduce", &reproduce(finding));
    line("Ids", &format!("finding {}, rule {}", finding.id, safe(&finding.about.id)));
    body.push('\n');
}

/// What stands before a description of what did not happen.
fn only_tried(finding: &Finding) -> &'static str {
    let writes = finding.matched().is_some_and(|matched| matched.writes);
    match finding.outcome {
        Outcome::Denied if writes && !finding.about.asks_outcome => "It was tried and refused. Had it succeeded: ",
        Outcome::Failed if writes && !finding.about.asks_outcome => "It was tried and failed. Had it succeeded: ",
        _ => "",
    }
}

/// The fields that are not visible, each with the reason.
fn not_visible(matched: &Matched) -> String {
    let fields = matched.not_visible.iter().map(|(field, why)| format!("{field} ({why})"));
    fields.collect::<Vec<_>>().join(", ")
}

/// The command that shows the same finding on one's own machine.
fn reproduce(finding: &Finding) -> String {
    let location = text::neutral(&finding.log.location(), 2_000);
    // A key may hold anything; in single quotes a shell takes it as it is.
    let quoted = format!("'{}'", location.replace('\'', r"'\''"));
    match FileProblem::of(&finding.about) {
        Some(FileProblem::RuleRefused) => "bedrock-audit rules check FOLDER, with the folder of that file".to_owned(),
        Some(FileProblem::ExceptionExpired | FileProblem::OverrideExpired) => {
            "bedrock-audit rules list --rules FOLDER, with the folder of your rules".to_owned()
        }
        Some(FileProblem::LogRemoved) => format!("aws s3 ls {quoted}"),
        _ if finding.log.bucket.is_some() => format!("aws s3 cp {quoted} - | {}", scan(finding, "-")),
        _ => scan(finding, &quoted),
    }
}

/// The command that scans a log with the rules and the lists that gave the finding.
fn scan(finding: &Finding, log: &str) -> String {
    match (finding.about.origin, finding.about.reads_your_lists) {
        (Origin::BuiltIn, false) => format!("bedrock-audit scan {log}"),
        (Origin::BuiltIn, true) => format!("bedrock-audit scan --lists FILE {log} (FILE: your lists)"),
        (Origin::Outside, false) => format!("bedrock-audit scan --rules FOLDER {log} (FOLDER: your rules)"),
        (Origin::Outside, true) => {
            format!("bedrock-audit scan --rules FOLDER --lists FILE {log} (FOLDER: your rules, FILE: your lists)")
        }
    }
}

/// A step with `REGION` and `KEY` (the access key id) filled in, so that its commands can be copied. Only values that no shell
/// takes for anything else.
fn filled_in(step: &str, finding: &Finding) -> String {
    let plain = |value: Option<&String>| {
        let is_plain = |value: &&String| value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        value.filter(|value| !value.is_empty() && !value.starts_with('-')).filter(is_plain).cloned()
    };
    let key = plain(finding.matched().and_then(|matched| matched.actor.credential.as_ref()));
    // A session's key cannot be switched off: there the step is about a user's.
    let of_session = key.as_deref().filter(|key| key.starts_with("ASIA"));
    let switched_off = of_session.map(|key| format!("--access-key-id {key}"));
    let known = [("REGION", plain(finding.region.as_ref())), ("KEY", key)];
    let word = |word: &str| known.iter().find(|(name, _)| *name == word).and_then(|(_, value)| value.clone());
    let mut filled = String::with_capacity(step.len());
    let mut rest = step;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(from.len());
        let (name, after) = from.split_at(end);
        filled.push_str(before);
        filled.push_str(word(name).as_deref().unwrap_or(name));
        rest = after;
    }
    filled.push_str(rest);
    match switched_off {
        Some(key) => filled.replace(&key, "--access-key-id KEY"),
        None => filled,
    }
}

/// First and last time, in UTC.
fn times(finding: &Finding) -> (String, String) {
    let shown = |ms: Option<i64>| {
        ms.and_then(|ms| OffsetDateTime::from_unix_timestamp(ms.div_euclid(1_000)).ok())
            .and_then(|time| time.format(&Rfc3339).ok())
            .unwrap_or_else(|| "at an unknown time".to_owned())
    };
    match finding.matched() {
        Some(matched) => (shown(matched.first_ms), shown(matched.last_ms)),
        None => (shown(Some(finding.log.read_at_ms)), shown(Some(finding.log.read_at_ms))),
    }
}

/// Inside a code span nothing is formatted.
fn in_code(value: &str) -> String {
    format!("`{}`", harmless(&text::neutral(value, MOST_VALUE)))
}

/// Links, mentions and the end of a code span are made impossible.
fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '`' => '\'',
            '<' => '‹',
            '>' => '›',
            '&' => '＆',
            '@' => '＠',
            c => c,
        })
        .collect()
}
