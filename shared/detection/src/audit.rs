//! One delivered log, from its bytes to its findings: the product in one line. Every record is counted once.

mod calls;
mod governed;

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;
use serde_json::Value;
use wide::u8x16;

use crate::{
    delivered_log::{Damage, Encoding, LogReader, Names, ObjectKind, RecordSink, classify},
    finding::{Confidence, FileProblem, Finding, Fired, Groups, Log, about_file},
    ledger::RecordCounts,
    record::{Record, Wanted, document, excerpt, legible},
    rules::{Candidates, Memory, Override, Question, RuleRef, RuleSet, Seen, Standing, Verdict, WhenHidden},
};
use calls::{Call, Calls};
use governed::Governed;

/// Positions of unreadable records that a finding names.
const MOST_NAMED: usize = 5;
/// Records of a log that are judged, those that cannot be read among them; what is dismissed unread costs nothing. What is
/// judged costs ten microseconds and stays in memory as a fingerprint. CloudTrail's files have a few ten thousand records; in
/// a forged one of a megabyte there may be ninety million.
const MOST_JUDGED: u64 = 300_000;
/// Values in a record that cost nothing extra. CloudTrail's records have some dozen.
const USUAL_VALUES: u64 = 100;
/// Values beyond these, in all records of a log that are judged: each costs up to half a microsecond, and a forged log has room for
/// a hundred million.
const MOST_VALUES: u64 = 5_000_000;

/// What became of one delivered log.
#[derive(Debug)]
pub struct Audited {
    /// Where it stands.
    pub log: Log,
    /// What was found in it, worst first; what is wrong with the file itself is among it.
    pub findings: Vec<Finding>,
    /// What became of its records.
    pub records: RecordCounts,
    /// Findings that a higher one of the same family stands for.
    pub superseded: u64,
    /// What would have been findings, by the id of the exception that silenced them.
    pub excepted: BTreeMap<String, u64>,
    /// What exceptions in shadow would have silenced, by their ids. It is told all the same.
    pub exceptions_shadowed: BTreeMap<String, u64>,
    /// How often each rule, by its id, could not decide because something is hidden, and kept silent.
    pub undecided: BTreeMap<String, u64>,
    /// Why it could not be read to its end.
    pub damage: Option<Damage>,
    /// Its unpacked size in bytes.
    pub unpacked: u64,
}

/// A delivered log being audited. Push its bytes as they arrive, then finish it.
pub struct Audit<'r> {
    reader: LogReader<Judge<'r>>,
    log: Log,
}

impl<'r> Audit<'r> {
    /// Begins a log. `limit` is the most bytes that it may unpack to.
    #[must_use]
    pub fn new(rule_set: &'r RuleSet, log: Log, encoding: Encoding, limit: u64) -> Self {
        Self { reader: LogReader::new(Judge::new(rule_set, Way::FAST), encoding, limit), log }
    }

    /// Takes the next bytes. After damage it answers `false`: more of them change nothing.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        self.reader.push(bytes)
    }

    /// Whether it is more than is read, which no further byte can undo.
    #[must_use]
    pub fn is_excess(&self) -> bool {
        self.reader.is_excess()
    }

    /// Ends the log. Only call it when the object has been pushed whole.
    #[must_use]
    pub fn finish(self) -> Audited {
        let (judge, unpacked, damage) = self.reader.finish();
        judge.finish(self.log, unpacked, damage)
    }
}

/// The plain way to audit a log of these records: each is parsed, and every rule in force is asked about every one, without any
/// shortcut. What the fast way gives is held against it in tests; it is in no binary.
#[cfg(feature = "plain")]
#[must_use]
pub fn audit_plainly<'a>(rule_set: &RuleSet, log: Log, records: impl IntoIterator<Item = &'a [u8]>) -> Audited {
    let plain = Way {
        look_up: |rule_set, _, _| rule_set.in_force(),
        read: RuleSet::read_plainly,
        parse: |record, _| document(record),
        ask: |question, rule| question.ask_plainly(rule),
    };
    let mut judge = Judge::new(rule_set, plain);
    let mut bytes = 0;
    for record in records {
        judge.record(record, None);
        bytes += record.len() as u64;
    }
    judge.finish(log, bytes, None)
}

/// How rules are asked about a record.
#[derive(Clone, Copy)]
struct Way {
    /// The rules to ask about a record with this source and name.
    look_up: for<'a> fn(&'a RuleSet, &str, &str) -> Candidates<'a>,
    /// Reads what they ask for.
    read: for<'a> fn(&'a RuleSet, &'a [u8], &mut Memory) -> Result<Question<'a>, serde_json::Error>,
    ask: fn(&mut Question<'_>, usize) -> Verdict,
    /// Parses those of its members that findings want.
    parse: fn(&[u8], Wanted<'_>) -> Result<Value, serde_json::Error>,
}

impl Way {
    const FAST: Self = Self {
        look_up: |rule_set, source, name| Candidates::LookedUp(rule_set.look_up(source, name)),
        read: RuleSet::read_into,
        ask: |question, rule| question.ask(rule),
        parse: excerpt,
    };
}

/// Asks the rules about each record.
struct Judge<'r> {
    rule_set: &'r RuleSet,
    way: Way,
    memory: Memory,
    calls: Calls<'r>,
    seen: Seen<'r>,
    groups: Groups<'r>,
    governed: Governed<'r>,
    counts: RecordCounts,
    /// Records that were looked at closely.
    judged: u64,
    /// Values in them beyond what records usually have.
    values: u64,
    unreadable: Vec<String>,
    undecided: BTreeMap<String, u64>,
}

/// The two names of a record that the reader did not find plainly written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ParsedNames<'a> {
    #[serde(borrow)]
    event_source: Cow<'a, str>,
    #[serde(borrow)]
    event_name: Cow<'a, str>,
}

impl<'r> Judge<'r> {
    fn new(rule_set: &'r RuleSet, way: Way) -> Self {
        Self {
            rule_set,
            way,
            memory: Memory::default(),
            calls: Calls::default(),
            seen: Seen::default(),
            groups: Groups::new(rule_set),
            governed: Governed::new(rule_set),
            counts: RecordCounts::default(),
            judged: 0,
            values: 0,
            unreadable: Vec::new(),
            undecided: BTreeMap::new(),
        }
    }

    fn finish(self, log: Log, unpacked: u64, damage: Option<Damage>) -> Audited {
        let (account, region) = match classify(&log.key) {
            ObjectKind::Log { account, region } => (Some(account), Some(region)),
            ObjectKind::Other { .. } => (None, None),
        };
        let about = |kind, what: &str, problem| {
            let version = self.rule_set.version();
            about_file(kind, what, problem, log.clone(), version, account.clone(), region.clone())
        };
        let counts = self.counts;
        let (mut findings, superseded) = self.groups.finish(&log);
        let (excepted, exceptions_shadowed, expired) =
            self.governed.finish(&log, account.as_deref(), region.as_deref());
        findings.extend(expired);
        if counts.unreadable > 0 {
            let problem = format!(
                "{} of {} records could not be read: {}{}",
                counts.unreadable,
                counts.total,
                self.unreadable.join("; "),
                if counts.unreadable > self.unreadable.len() as u64 { "; ..." } else { "" }
            );
            findings.push(about(FileProblem::RecordsUnreadable, "unreadable", problem));
        }
        if let Some(damage) = &damage {
            let problem = format!("{damage}; {} records before that were audited", counts.total);
            findings.push(about(FileProblem::LogDamaged, damage.kind(), problem));
        }
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity_id()));
        Audited {
            log,
            findings,
            records: counts,
            superseded,
            excepted,
            exceptions_shadowed,
            undecided: self.undecided,
            damage,
            unpacked,
        }
    }

    fn judge(&mut self, bytes: &[u8], call: Option<Call<'r>>) -> Result<bool, serde_json::Error> {
        let judged = match call {
            Some(Call { found, unknown }) => self.judge_call(bytes, Candidates::LookedUp(found), unknown),
            None => self.judge_text(bytes),
        };
        judged.or_else(|error| {
            // Names that are missing, or there twice, are not mended: which of two was meant is anybody's guess.
            if error.is_data() {
                return Err(error);
            }
            let legible = legible(bytes);
            let whole = document(legible.as_bytes()).map(|document| document.to_string()).unwrap_or(legible);
            self.judge_text(whole.as_bytes()).map_err(|_| error)
        })
    }

    fn judge_text(&mut self, bytes: &[u8]) -> Result<bool, serde_json::Error> {
        // Serde would take an array of two texts for the two names.
        if bytes.first() != Some(&b'{') {
            return Err(serde::de::Error::custom("a record is an object"));
        }
        let names: ParsedNames<'_> = serde_json::from_slice(bytes)?;
        let (source, name) = (names.event_source, names.event_name);
        let unknown = self.rule_set.operations().is_unknown(&source, &name);
        self.judge_call(bytes, (self.way.look_up)(self.rule_set, &source, &name), unknown)
    }

    /// `unknown`: it is a call of Bedrock's that nobody knows.
    fn judge_call(
        &mut self,
        bytes: &[u8],
        candidates: Candidates<'r>,
        unknown: bool,
    ) -> Result<bool, serde_json::Error> {
        if candidates.is_empty() && !unknown {
            return Ok(false);
        }
        let mut question = (self.way.read)(self.rule_set, bytes, &mut self.memory)?;
        let mut fired = self.asked(&mut question, candidates);
        if fired.is_empty() && !unknown {
            self.memory = question.into_memory();
            return Ok(false);
        }
        // Only what is found is ever turned into a document.
        let value = (self.way.parse)(bytes, &|member| self.groups.want(member, &fired))?;
        let record = Record::new(&value);
        // What a service tells of itself (`AwsServiceEvent`) has names of its own.
        let unknown = unknown && record.text("eventType").is_none_or(|kind| kind == "AwsApiCall");
        if unknown {
            fired.extend(fired_by_unknown(&question));
        }
        let matched = !fired.is_empty();
        let told = self.governed.told(&mut question, &record, &self.groups, fired);
        self.groups.add(&record, bytes, &told);
        self.memory = question.into_memory();
        Ok(matched)
    }

    /// Asks the candidates, and gives those that fire. Those that could not decide are counted.
    fn asked(&mut self, question: &mut Question<'_>, candidates: Candidates<'r>) -> Vec<Fired> {
        let mut fired = Vec::new();
        for position in question.open(candidates, &mut self.seen) {
            let rule = RuleRef::At(position);
            // A rule at rest is not asked; once its rest has expired, it is again.
            let change = change_in_force(question, rule);
            if change.is_some_and(|change| change.disabled) {
                continue;
            }
            let overridden = change.is_some();
            let verdict = (self.way.ask)(question, position);
            let confidence = match (verdict.matches, verdict.undecided) {
                (true, false) => Confidence::High,
                (true, true) => Confidence::Medium,
                (false, true) if question.when_hidden(position) == WhenHidden::Alert => Confidence::Low,
                (false, true) => {
                    let rule = self.rule_set.rules().get(position).map(|rule| rule.about.id.clone());
                    *self.undecided.entry(rule.unwrap_or_default()).or_default() += 1;
                    continue;
                }
                (false, false) => continue,
            };
            fired.push(Fired { rule, overridden, confidence, not_visible: question.not_visible(position) });
        }
        fired
    }

    fn not_readable(&mut self, why: &str) {
        self.counts.unreadable += 1;
        if self.unreadable.len() < MOST_NAMED {
            self.unreadable.push(format!("record {} ({why})", self.counts.total));
        }
    }
}

fn commas(bytes: &[u8]) -> u64 {
    let (parts, rest) = bytes.as_chunks::<16>();
    let mut commas = rest.iter().filter(|byte| **byte == b',').count() as u64;
    // Sixteen are counted at once, each in a byte of its own: as many as fit into one.
    for parts in parts.chunks(255) {
        let mut counts = u8x16::ZERO;
        for part in parts {
            // What is equal is -1.
            counts -= u8x16::new(*part).simd_eq(u8x16::splat(b','));
        }
        commas += counts.to_array().iter().map(|count| u64::from(*count)).sum::<u64>();
    }
    commas
}

/// The override of a rule that is in force when the record was written.
fn change_in_force<'r>(question: &Question<'r>, rule: RuleRef) -> Option<&'r Override> {
    question.override_of(rule).filter(|(_, standing)| *standing == Standing::InForce).map(|(change, _)| change)
}

/// The rule about operations that nobody knows, which has no condition, unless it is at rest.
fn fired_by_unknown(question: &Question<'_>) -> Option<Fired> {
    let rule = RuleRef::UnknownOperation;
    let change = change_in_force(question, rule);
    if change.is_some_and(|change| change.disabled) {
        return None;
    }
    let overridden = change.is_some();
    Some(Fired { rule, overridden, confidence: Confidence::High, not_visible: Vec::new() })
}

impl RecordSink for Judge<'_> {
    /// A record that no rule can want is not parsed: it counts as unmatched, even if a parser would not take what it holds
    /// besides its names. Whoever reads it with other eyes finds the same two names in it, for they are there once each, among its
    /// own members and without escapes; all else is left to [`Judge::judge`].
    fn record(&mut self, bytes: &[u8], names: Option<Names<'_>>) {
        self.counts.total += 1;
        let known = names.and_then(|names| self.calls.get(names));
        if known.is_none() && names.is_some_and(|names| self.rule_set.dismisses(names, bytes)) {
            self.counts.unmatched += 1;
            return;
        }
        self.judged += 1;
        // Commas in texts are counted, too: it is an estimate.
        self.values += commas(bytes).saturating_sub(USUAL_VALUES);
        let call = known.or_else(|| names.map(|names| self.calls.look_up(self.rule_set, names)));
        match self.judge(bytes, call) {
            Ok(true) => self.counts.matched += 1,
            Ok(false) => self.counts.unmatched += 1,
            // Place and kind only: the parser's message may quote the record.
            Err(error) => {
                let why = match error.classify() {
                    _ if bytes.first() != Some(&b'{') => "it is no object",
                    serde_json::error::Category::Data => "it has no eventSource and eventName, or has one twice",
                    _ => "it is not JSON",
                };
                self.not_readable(&format!("{why}, at its byte {}", error.column()));
            }
        }
    }

    fn oversize_record(&mut self) {
        self.counts.total += 1;
        self.judged += 1;
        self.not_readable("it is larger than any CloudTrail record");
    }

    fn gives_up(&self) -> bool {
        self.judged > MOST_JUDGED || self.values > MOST_VALUES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_are_counted_wherever_they_stand() {
        for length in [0, 1, 15, 16, 17, 300, 16 * 255 - 1, 16 * 255, 16 * 255 + 17, 20_000] {
            for every in [1, 2, 3, 50] {
                let text: Vec<u8> = (0..length).map(|at| if at % every == 0 { b',' } else { 0xd3 }).collect();
                assert_eq!(
                    commas(&text),
                    text.iter().filter(|byte| **byte == b',').count() as u64,
                    "{length}, {every}"
                );
            }
        }
    }
}
