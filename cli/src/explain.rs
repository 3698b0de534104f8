//! `scan --explain`: one record, and what each rule says of it and why. Rules that name other operations are only counted.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal as _, Write},
    path::Path,
};

use detection::{
    delivered_log::{LogReader, Names, RecordSink},
    record::{Record, mended},
    rules::{RuleRef, RuleSet, WhenHidden},
    text::{self, neutral},
};
use serde_json::{Value, json};

use crate::{
    Ended, Format, ScanArguments, complain, counted, exceptions, rules,
    scan::{self, Total},
};

/// What a rule says of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    /// It cannot be decided from what CloudTrail shows.
    NotVisible,
    /// An override puts it to rest.
    Disabled,
}

impl Answer {
    fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::NotVisible => "not visible",
            Self::Disabled => "disabled",
        }
    }
}

/// Every rule that could match the record, with its answer, and the others.
#[derive(Default)]
struct Asked {
    said: Vec<Said>,
    /// How many rules have names that are not the record's.
    others: u64,
    /// How many rules wait for a list that is empty.
    waiting: u64,
    /// The lists that they wait for.
    lists: BTreeSet<String>,
}

impl Asked {
    /// One line about the rules that were not asked.
    fn not_asked(&self) -> String {
        let others = format!("not asked: {} about other operations", counted(self.others, "rule"));
        if self.waiting == 0 {
            return others;
        }
        let lists: Vec<&str> = self.lists.iter().map(String::as_str).collect();
        format!("{others}, {} waiting for an entry in {}", counted(self.waiting, "rule"), lists.join(", "))
    }
}

/// One rule's answer.
struct Said {
    position: usize,
    answer: Answer,
    /// It gives a finding.
    fires: bool,
    not_visible: Vec<String>,
    why: Vec<String>,
}

pub(crate) fn explain(event_id: &str, arguments: &ScanArguments) -> io::Result<Ended> {
    let loaded = rules::load(arguments.rules.as_deref(), arguments.lists.as_deref())?;
    let rule_set = &loaded.rule_set;
    let mut total = Total::with(&loaded);
    let files = scan::files(&arguments.paths, &mut total);
    let mut found = None;
    for path in &files {
        match find(path, event_id, arguments.max_unpacked * 1024 * 1024) {
            Ok(Some(record)) => {
                found = Some((path, record));
                break;
            }
            Ok(None) => {}
            Err(error) => total.cannot_be_read(path, &error),
        }
    }
    let Some((path, record)) = found else {
        complain(&format!("no record with the eventID {event_id} is in what could be read"));
        return Ok(Ended::NotRead);
    };
    let value: Value = serde_json::from_str(&mended(&record)).map_err(io::Error::from)?;
    let asked = ask(rule_set, &record, &value)?;
    let out = &mut io::stdout().lock();
    let format = arguments.format.unwrap_or(if out.is_terminal() { Format::Table } else { Format::Json });
    match format {
        Format::Table => write_text(rule_set, &value, path, &asked, out)?,
        Format::Json => {
            write_json(rule_set, &asked.said, out)?;
            complain(&asked.not_asked());
        }
    }
    Ok(match (total.is_whole(), asked.said.iter().any(|said| said.fires)) {
        (false, _) => Ended::NotRead,
        (true, true) => Ended::Found,
        (true, false) => Ended::Clean,
    })
}

/// Keeps the first record with an eventID.
struct Search<'e> {
    event_id: &'e str,
    found: Option<Vec<u8>>,
}

impl RecordSink for Search<'_> {
    fn record(&mut self, bytes: &[u8], _names: Option<Names<'_>>) {
        let wanted = self.event_id.as_bytes();
        // Parsed only where the id stands at all, as it does in one record of thousands.
        if self.found.is_some() || !bytes.windows(wanted.len().max(1)).any(|window| window == wanted) {
            return;
        }
        let value: Option<Value> = serde_json::from_str(&mended(bytes)).ok();
        if value.is_some_and(|value| Record::new(&value).event_id() == Some(self.event_id)) {
            self.found = Some(bytes.to_vec());
        }
    }

    fn oversize_record(&mut self) {}
}

fn find(path: &Path, event_id: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let (from, encoding) = scan::open(path)?;
    let mut reader = LogReader::new(Search { event_id, found: None }, encoding, limit);
    scan::pour(from, |bytes| reader.push(bytes))?;
    let (search, _, damage) = reader.finish();
    match (search.found, damage) {
        (Some(record), _) => Ok(Some(record)),
        (None, Some(damage)) => Err(io::Error::other(damage)),
        (None, None) => Ok(None),
    }
}

/// What every rule that could match says, those that give a finding first.
fn ask(rule_set: &RuleSet, bytes: &[u8], value: &Value) -> io::Result<Asked> {
    let mended = mended(bytes);
    let mut question = rule_set.read(bytes).or_else(|_| rule_set.read(mended.as_bytes())).map_err(io::Error::from)?;
    let record = Record::new(value);
    let candidates = rule_set.candidates(record.event_source(), record.event_name());
    let (mut asked, mut said) = (Asked::default(), Vec::new());
    for (position, rule) in rule_set.rules().iter().enumerate() {
        if let Some(list) = &rule.waits_for {
            asked.waiting += 1;
            asked.lists.insert(list.clone());
            continue;
        }
        if !candidates.contains(&position) {
            asked.others += 1;
            continue;
        }
        let at = RuleRef::At(position);
        if let Some(change) = question.at_rest(at) {
            let why = vec![exceptions::rest(change)];
            said.push(Said { position, answer: Answer::Disabled, fires: false, not_visible: Vec::new(), why });
            continue;
        }
        let verdict = question.ask(position);
        let mut fires = question.fires(position);
        let answer = match (verdict.matches, verdict.undecided) {
            (true, _) => Answer::Yes,
            (false, true) => Answer::NotVisible,
            (false, false) => Answer::No,
        };
        let (not_visible, mut why) = (question.not_visible(position), question.explain(position));
        if answer == Answer::NotVisible {
            why.push(match question.when_hidden(position) {
                WhenHidden::Alert => "`when_hidden: alert`: it fires all the same, with low confidence".to_owned(),
                WhenHidden::Ignore => "`when_hidden: ignore`: it keeps silent".to_owned(),
            });
        }
        if let Some(exception) = question.silenced_by(at).filter(|_| fires) {
            fires = false;
            why.push(exceptions::silence(exception));
        }
        said.push(Said { position, answer, fires, not_visible, why });
    }
    said.sort_by_key(|said| (!said.fires, said.answer as u8));
    Ok(Asked { said, ..asked })
}

fn write_json(rule_set: &RuleSet, said: &[Said], out: &mut impl Write) -> io::Result<()> {
    for said in said {
        let Some(rule) = rule_set.rules().get(said.position) else { continue };
        let line = json!({
            "rule": rule.about.id,
            "title": rule.about.title,
            "path": rule.path,
            "answer": said.answer.as_str(),
            "fires": said.fires,
            "fields_not_visible": said.not_visible,
            "why": said.why,
        })
        .to_string();
        writeln!(out, "{}", text::json(&line))?;
    }
    Ok(())
}

fn write_text(rule_set: &RuleSet, value: &Value, path: &Path, asked: &Asked, out: &mut impl Write) -> io::Result<()> {
    let record = Record::new(value);
    let headline = format!(
        "{} at {}, {}, in {}",
        record.event_name(),
        record.event_source(),
        record.text("eventTime").unwrap_or("no time"),
        scan::named(path)
    );
    writeln!(out, "{}", neutral(&headline, 1_000))?;
    for said in &asked.said {
        let Some(rule) = rule_set.rules().get(said.position) else { continue };
        writeln!(out, "\n{:<12} {}", said.answer.as_str(), neutral(&rule.about.title, 200))?;
        writeln!(out, "{:12} {}", "", neutral(&rule.path, 1_000))?;
        for why in &said.why {
            writeln!(out, "{:14} {}", "", neutral(why, 1_000))?;
        }
    }
    writeln!(out, "\n{}", neutral(&asked.not_asked(), 1_000))
}
