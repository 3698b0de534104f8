//! `rules except`: from one finding to an exception from its rule, scoped, dated and proven. What is written has been checked as
//! everything else is. Values come from a record, so each is quoted, and none is a wildcard.

use std::{
    env,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use detection::{
    record::Record,
    rules::{Origin, RuleFile, UNKNOWN_OPERATION, exception_id, parse_day, proof::ExceptionProof},
    text::neutral,
};
use serde_json::{Value, json};
use time::{Date, Duration, OffsetDateTime};

use crate::{Ended, complain, exceptions::today, rules};

/// How long an exception is in force, unless its author says.
const DEFAULT_TERM_DAYS: i64 = 90;
/// How long ago the record may be for the exception to begin with it; else it begins today.
const OLDEST_RECORD_DAYS: i64 = 180;

#[derive(Debug, clap::Args)]
pub(crate) struct ExceptArguments {
    /// The finding: one line of `scan --format json` in a file, or `-` for standard input
    finding: PathBuf,
    /// Who answers for the exception; without it, who the environment variable USER names, and nothing is written if it is not
    /// set
    #[arg(long)]
    owner: Option<String>,
    /// Why it is right
    #[arg(long)]
    reason: Option<String>,
    /// The last day on which it is in force, at most a year ahead; without it, 90 days from today
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    expires: Option<Date>,
    /// The folder to write it to; it is made if it is not there
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// The folder with the rule, unless it is built in
    #[arg(long, value_name = "FOLDER")]
    rules: Option<PathBuf>,
    /// A file of lists in place of the built-in ones with the same names
    #[arg(long, value_name = "FILE")]
    lists: Option<PathBuf>,
}

fn day(text: &str) -> Result<Date, String> {
    parse_day(text).ok_or_else(|| "write a day as YYYY-MM-DD".to_owned())
}

/// A field of the record and its value there.
struct Scope {
    field: String,
    value: String,
    /// The record's change after which somebody, or something, else is meant.
    other: Value,
    /// What that is, after "because".
    because: &'static str,
}

/// What an exception says beside its scope.
struct Head {
    title: String,
    id: String,
    rule: String,
    owner: String,
    reason: String,
    date: Date,
    expires: Date,
}

pub(crate) fn except(arguments: &ExceptArguments) -> io::Result<Ended> {
    let finding = read(&arguments.finding)?;
    let text = |pointer: &str| finding.pointer(pointer).and_then(Value::as_str);
    let rule = text("/finding_info/analytic/uid").ok_or_else(|| wrong("it is no finding of bedrock-audit"))?;
    let document = finding.get("evidences").and_then(Value::as_array).into_iter().flatten();
    let document = document.filter_map(|evidence| evidence.get("data")).find(|data| data.get("eventName").is_some());
    let document = document.ok_or_else(|| {
        wrong("it carries no record; take it from `bedrock-audit scan --format json`, and not one about a file")
    })?;
    let record = Record::new(document);
    let scopes = scopes(&record, rule == UNKNOWN_OPERATION)?;

    let (date, expires) = term(&record, arguments.expires);
    let title = text("/finding_info/analytic/name").unwrap_or(rule);
    let begins = date.to_string();
    let values = scopes.iter().flat_map(|scope| [scope.field.as_str(), scope.value.as_str()]);
    let head = Head {
        id: exception_id([rule, begins.as_str()].into_iter().chain(values)),
        title: format!(
            "{}: excepted for {}",
            neutral(title, 100),
            neutral(&in_words(scopes.first().map_or("", |actor| &actor.value)), 150)
        ),
        rule: rule.to_owned(),
        owner: owner(arguments)?,
        reason: arguments.reason.clone().unwrap_or_else(|| {
            format!("no cause for alarm: finding {}", neutral(text("/finding_info/uid").unwrap_or("without an id"), 60))
        }),
        date,
        expires,
    };
    let exception = exception(&head, &scopes);
    let name = format!("except-{}-{}", slug(title), head.id.get(..8).unwrap_or(&head.id));
    let proof = proven(arguments, &name, &exception, document, &scopes)?;
    let written = |path: &Path, error: io::Error| {
        io::Error::new(error.kind(), format!("{} cannot be written: {error}", path.display()))
    };
    fs::create_dir_all(&arguments.out).map_err(|error| written(&arguments.out, error))?;
    // The proof first: an exception never lies there without it.
    for (ending, text) in [("proof.json", &proof), ("yml", &exception)] {
        let path = arguments.out.join(format!("{name}.{ending}"));
        write_new(&path, text).map_err(|error| written(&path, error))?;
        writeln!(io::stdout(), "{}", neutral(&path.display().to_string(), 1_000))?;
    }
    complain(&format!("in force from {date} to {expires} once both files are in your rules; look at the scope first"));
    Ok(Ended::Clean)
}

fn wrong(problem: &str) -> io::Error {
    io::Error::other(format!("the finding cannot be used: {problem}"))
}

fn read(path: &Path) -> io::Result<Value> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin().read_to_string(&mut text)
    } else {
        File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|error| io::Error::new(error.kind(), format!("{} cannot be read: {error}", path.display())))?;
    let mut findings = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    let finding = findings.next().unwrap_or(Ok(Value::Null)).map_err(|error| {
        wrong(&format!("it is not the JSON of one finding, one line of `scan --format json` ({error})"))
    })?;
    match findings.next() {
        None => Ok(finding),
        Some(_) => Err(wrong("there is more than one; take one line, the first with `sed -n 1p`")),
    }
}

/// `role DataScience` for the ARN of a role; what is no ARN as it is.
fn in_words(actor: &str) -> String {
    match actor.strip_prefix("arn:").and_then(|arn| arn.splitn(5, ':').nth(4)) {
        Some(named) => named.replacen('/', " ", 1),
        None => actor.to_owned(),
    }
}

fn owner(arguments: &ExceptArguments) -> io::Result<String> {
    let known = arguments.owner.clone().or_else(|| env::var("USER").ok()).or_else(|| env::var("USERNAME").ok());
    known
        .filter(|owner| !owner.trim().is_empty())
        .ok_or_else(|| io::Error::other("USER is not set; say who answers for it with --owner"))
}

/// Its first day and its last: the record's own day is among them, unless it is long ago.
fn term(record: &Record<'_>, expires: Option<Date>) -> (Date, Date) {
    let today = today();
    let after = |days: i64| today.checked_add(Duration::days(days)).unwrap_or(today);
    let day = record.time_ms().and_then(|ms| OffsetDateTime::from_unix_timestamp(ms.div_euclid(1_000)).ok());
    let day = day.map(OffsetDateTime::date).filter(|day| *day <= today && *day >= after(-OLDEST_RECORD_DAYS));
    (day.unwrap_or(today), expires.unwrap_or_else(|| after(DEFAULT_TERM_DAYS)))
}

/// What the exception is limited to: who, in which account and, if the call named one, on what.
fn scopes(record: &Record<'_>, unknown_operation: bool) -> io::Result<Vec<Scope>> {
    let mut scopes = vec![actor(record).ok_or_else(|| wrong("its record does not say who made the call"))?];
    // What is no ARN says little alone: a service is named in the calls that it makes for people, too.
    if scopes.iter().all(|scope| !scope.field.ends_with("arn"))
        && let Some(kind) = record.text("userIdentity.type")
    {
        scopes.push(Scope {
            field: "userIdentity.type".to_owned(),
            value: kind.to_owned(),
            other: nested("userIdentity.type", json!(format!("{kind}Else"))),
            because: "another kind of actor does it",
        });
    }
    if let Some(account) = record.text("recipientAccountId") {
        let other = if account == "444455556666" { "111122223333" } else { "444455556666" };
        scopes.push(Scope {
            field: "recipientAccountId".to_owned(),
            value: account.to_owned(),
            other: json!({ "recipientAccountId": other }),
            because: "it happened in another account",
        });
    }
    scopes.extend(target(record));
    if unknown_operation {
        scopes.push(Scope {
            field: "eventName".to_owned(),
            value: record.event_name().to_owned(),
            other: json!({ "eventName": format!("{}Otherwise", record.event_name()) }),
            because: "it is another call",
        });
    }
    Ok(scopes)
}

/// A session by its role: its own name is another one tomorrow.
fn actor(record: &Record<'_>) -> Option<Scope> {
    let paths = [
        "userIdentity.sessionContext.sessionIssuer.arn",
        "userIdentity.arn",
        "userIdentity.principalId",
        "userIdentity.invokedBy",
        "additionalEventData.jwt.claims.sub",
    ];
    let (field, value) = paths.iter().find_map(|path| Some((*path, record.text(path)?)))?;
    let somebody_else = somebody_else(value);
    let mut other = nested(field, json!(somebody_else));
    if field != "userIdentity.arn" && record.text("userIdentity.arn").is_some() {
        json_patch::merge(&mut other, &nested("userIdentity.arn", json!(somebody_else)));
    }
    Some(Scope { field: field.to_owned(), value: value.to_owned(), other, because: "somebody else does it" })
}

/// A name beside the actor's, in the same account.
fn somebody_else(value: &str) -> String {
    match value.rsplit_once('/') {
        Some((before, name)) if name != "somebody-else" => format!("{before}/somebody-else"),
        _ => format!("{value}-or-somebody-else"),
    }
}

/// The most telling thing that the caller named at the request's top level.
fn target(record: &Record<'_>) -> Option<Scope> {
    let mut targets = record.targets();
    targets.sort_by_key(|target| target.vagueness());
    targets.into_iter().find_map(|target| {
        let plain = target.kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let field = format!("requestParameters.{}", target.kind);
        (plain && record.text(&field) == Some(target.uid.as_str())).then(|| Scope {
            other: nested(&field, json!(format!("{}-another", target.uid))),
            field,
            value: target.uid,
            because: "it is about something else",
        })
    })
}

/// A document with this value at a path.
fn nested(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |value, member| json!({ member: value }))
}

fn exception(head: &Head, scopes: &[Scope]) -> String {
    let Head { title, id, rule, owner, reason, date, expires } = head;
    let [title, rule, owner, reason] = [title, rule, owner, reason].map(|text| quoted(text));
    let lines: Vec<String> = scopes
        .iter()
        .map(|scope| format!("        {}|cased: {}\n", scope.field, quoted(&literal(&scope.value))))
        .collect();
    format!(
        "title: {title}\nid: {id}\nlogsource:\n    product: aws\n    service: cloudtrail\nowner: {owner}\nreason: {reason}\n\
         date: {date}\nexpires: {expires}\nfilter:\n    rules:\n        - {rule}\n    selection:\n{}    condition: not selection\n",
        lines.concat()
    )
}

/// The proof of the exception, the first that holds: it is the rule's business which other records it still fires on.
fn proven(
    arguments: &ExceptArguments,
    name: &str,
    exception: &str,
    record: &Value,
    scopes: &[Scope],
) -> io::Result<String> {
    let file = RuleFile { path: format!("{name}.yml"), text: exception.to_owned(), origin: Origin::Outside };
    let rule_set = rules::with(file.clone(), arguments.rules.as_deref(), arguments.lists.as_deref())?;
    let position = rule_set.exceptions().iter().position(|exception| exception.path == file.path);
    let position = position.ok_or_else(|| wrong("the exception from it was not taken"))?;
    let mut why = Vec::new();
    for scope in scopes {
        let proof = json!({
            "base": record,
            "silences": [{"because": "this was found, and is no cause for alarm", "change": {}}],
            "still_alerts": [{"because": scope.because, "change": scope.other}],
        });
        let text = serde_json::to_string_pretty(&proof).map_err(io::Error::other)? + "\n";
        why = ExceptionProof::parse(&text).map_err(io::Error::other)?.failures(&rule_set, position);
        if why.is_empty() {
            return Ok(text);
        }
    }
    Err(wrong(&format!("no proof of an exception from it holds: {}", why.join("; "))))
}

/// Sigma text that means these characters and no others.
fn literal(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '\\' | '*' | '?') {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

/// A text between YAML's double quotes, in which nothing is anything else.
fn quoted(value: &str) -> String {
    let mut text = String::from('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            ' '..='~' => text.push(c),
            c if u32::from(c) <= 0xffff => text.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => text.push_str(&format!("\\U{:08X}", u32::from(c))),
        }
    }
    text.push('"');
    text
}

/// A title as a part of a file's name.
fn slug(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<String> = words.take(6).map(str::to_ascii_lowercase).collect();
    words.join("-").chars().take(60).collect()
}

/// Takes nothing's place.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}
