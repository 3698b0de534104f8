//! What was expected of a run against what became of it. Knows only what a subscriber, a mailbox and the parked queue hold.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt::Write as _,
};

use serde_json::Value;

use super::{
    edge::Delivered,
    kinds::{Hits, Kind},
    lambda::Handled,
    plan::Plan,
    rule_files::files_behind,
    world::World,
};

/// The title of the finding that a log is gone, which stands for all that was in it.
const REMOVED: &str = "A CloudTrail log was removed";
/// The title of the finding that a file is left out of the rules.
const LEFT_OUT: &str = "A rule file is wrong";

/// What there is to find.
pub(super) struct Expected {
    findings: BTreeMap<String, ExpectedFinding>,
}

struct ExpectedFinding {
    /// Where it is found: several logs may hold the same records.
    keys: BTreeSet<String>,
    /// A text that stands in whatever tells people of it.
    told_by: String,
    for_people: bool,
    /// The files in the bucket of rules without which nobody asks for it.
    rule_files: Vec<String>,
}

#[derive(Default)]
pub(super) struct Books {
    runs: u64,
    invocations: u64,
    pub(super) requests: u64,
    pub(super) hits: Hits,
    pub(super) delivered: Vec<Delivered>,
    /// How many of them before the causes were removed.
    pub(super) delivered_with_faults: usize,
    /// Notices that were parked while there were faults, and those that are still when there are none.
    pub(super) parked: Vec<usize>,
    pub(super) parked_for_ever: Vec<usize>,
    /// Every invocation.
    pub(super) handled: Vec<Handled>,
    /// Logs that the fault removed.
    pub(super) removed: HashSet<String>,
    /// Rule files without which a process started because of what they are, and those that somebody removed.
    pub(super) rules_left_out: HashSet<String>,
    pub(super) rules_removed: HashSet<String>,
    /// Faults in the bucket of rules that met a process with all of them in force.
    pub(super) struck_warm: u64,
    pub(super) wrong: Vec<String>,
    pub(super) problems: Vec<String>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    expected: u64,
    delivered: u64,
    duplicated: u64,
    parked: u64,
    removed: u64,
    left_out: u64,
    lost: u64,
    alerts: u64,
    alerts_lost: u64,
}

fn text<'a>(finding: &'a Value, pointer: &str) -> &'a str {
    finding.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn findings(delivered: &[Delivered]) -> impl Iterator<Item = &Value> {
    delivered.iter().filter_map(Delivered::finding)
}

fn is_removed(finding: &Value) -> bool {
    text(finding, "/finding_info/title").starts_with(REMOVED)
}

fn is_left_out(finding: &Value) -> bool {
    text(finding, "/finding_info/title") == LEFT_OUT
}

impl Expected {
    /// What the core finds in the logs, alone and with no corridor around it.
    pub(super) fn of(world: &World) -> Self {
        let mut findings: BTreeMap<String, ExpectedFinding> = BTreeMap::new();
        for finding in world.found_alone() {
            let id = text(&finding, "/finding_info/uid").to_owned();
            let target = text(&finding, "/resources/0/uid");
            let key = text(&finding, "/unmapped/log/key").to_owned();
            let about_target = target.starts_with("gr-");
            let told_by = if about_target { target.to_owned() } else { key.clone() };
            let for_people = finding["severity_id"].as_u64() >= Some(4);
            let rule_files = files_behind(text(&finding, "/finding_info/analytic/uid"));
            let new = ExpectedFinding { keys: BTreeSet::new(), told_by, for_people, rule_files };
            let expected = findings.entry(id).or_insert(new);
            expected.keys.insert(key);
        }
        Self { findings }
    }
}

fn hopeless(world: &World) -> impl Iterator<Item = usize> {
    world.notices.iter().enumerate().filter(|(_, notice)| notice.hopeless).map(|(at, _)| at)
}

impl Books {
    /// Closes the books of one run.
    pub(super) fn reconcile(&mut self, world: &World, expected: &Expected) {
        (self.runs, self.invocations) = (1, self.handled.len() as u64);
        let parked: BTreeSet<&str> = self
            .parked
            .iter()
            .filter_map(|notice| world.notices.get(*notice))
            .flat_map(|notice| notice.keys.iter().map(String::as_str))
            .collect();
        let still_parked: BTreeSet<usize> = self.parked_for_ever.iter().copied().collect();
        let hopeless: BTreeSet<usize> = hopeless(world).collect();
        if still_parked != hopeless {
            self.problems.push(format!("parked without a cause: {still_parked:?}, and not {hopeless:?}"));
        }
        let (with_faults, _) = self.delivered.split_at(self.delivered_with_faults);
        let ids = |delivered: &[Delivered]| -> BTreeSet<String> {
            findings(delivered).map(|finding| text(finding, "/finding_info/uid").to_owned()).collect()
        };
        let (before, after) = (ids(with_faults), ids(&self.delivered));
        let told_gone: BTreeSet<&str> = findings(&self.delivered)
            .filter(|finding| is_removed(finding))
            .map(|finding| text(finding, "/unmapped/log/key"))
            .collect();
        let told_left_out: BTreeSet<&str> = findings(&self.delivered)
            .filter(|finding| is_left_out(finding))
            .map(|finding| text(finding, "/unmapped/log/key"))
            .collect();
        for (id, finding) in &expected.findings {
            self.counts.expected += 1;
            let gone = finding.keys.iter().all(|key| self.removed.contains(key) && told_gone.contains(key.as_str()));
            let is_parked = finding.keys.iter().any(|key| parked.contains(key.as_str()));
            let left_out = finding.rule_files.iter().any(|file| {
                self.rules_removed.contains(file)
                    || (self.rules_left_out.contains(file) && told_left_out.contains(file.as_str()))
            });
            if before.contains(id) {
                self.counts.delivered += 1;
            } else if gone {
                self.counts.removed += 1;
            } else if is_parked && after.contains(id) {
                self.counts.parked += 1;
            } else if left_out {
                self.counts.left_out += 1;
            } else {
                self.counts.lost += 1;
                let what = if is_parked { "parked, and lost when it was moved back" } else { "lost" };
                self.problems.push(format!("finding {id} of {:?} was {what}", finding.keys));
            }
            if finding.for_people && after.contains(id) {
                self.counts.alerts += 1;
                // Whoever could not be told before the log was removed is told that it was.
                let told_gone = gone && finding.keys.iter().any(|key| self.people_read(key));
                // A retry without the rule has nothing to tell: its owner took it away, or people are told of the file itself.
                let without_rule = !self.concluded_with(world, id, finding)
                    && finding.rule_files.iter().any(|file| {
                        self.rules_removed.contains(file)
                            || (self.rules_left_out.contains(file) && self.people_read(file))
                    });
                if !told_gone && !without_rule && !self.people_know(world, finding) {
                    self.counts.alerts_lost += 1;
                    self.problems.push(format!("nobody was told of finding {id} of {:?}", finding.keys));
                }
            }
        }
        // A finding that nobody expects is a part of a log, or has an id that is not stable.
        for finding in findings(&self.delivered) {
            let id = text(finding, "/finding_info/uid");
            let removed = is_removed(finding) && self.removed.contains(text(finding, "/unmapped/log/key"));
            let left_out = is_left_out(finding) && self.hits.keys().any(|kind| kind.place().is_rules());
            if !expected.findings.contains_key(id) && !removed && !left_out {
                let title = text(finding, "/finding_info/title");
                self.problems.push(format!("finding {id} ({title}) is in no log"));
            }
        }
        let all = findings(&self.delivered).count();
        self.counts.duplicated += (all - after.len()) as u64;
        let wrong = std::mem::take(&mut self.wrong);
        self.problems.extend(wrong);
    }

    fn people_read(&self, what: &str) -> bool {
        self.delivered.iter().any(|delivered| matches!(delivered, Delivered::Alert(text) if text.contains(what)))
    }

    /// Whether, of some notice of the finding's logs, the last invocation published the finding: its rule was in force then.
    fn concluded_with(&self, world: &World, id: &str, finding: &ExpectedFinding) -> bool {
        let is_concerned = |keys: &[String]| keys.iter().any(|key| finding.keys.contains(key));
        let concerned = world.notices.iter().enumerate().filter(|(_, notice)| is_concerned(&notice.keys));
        let last_of = |notice| self.handled.iter().rfind(|invocation| invocation.notices.contains(&notice));
        concerned.filter_map(|(notice, _)| last_of(notice)).any(|invocation| {
            let delivered = self.delivered.get(invocation.delivered.clone()).unwrap_or_default();
            findings(delivered).any(|published| text(published, "/finding_info/uid") == id)
        })
    }

    /// Whether an alert tells of a finding, by name or among those that it only counts.
    fn people_know(&self, world: &World, finding: &ExpectedFinding) -> bool {
        self.handled.iter().any(|invocation| {
            let handled = invocation.notices.iter().filter_map(|notice| world.notices.get(*notice));
            let concerned = handled.flat_map(|notice| &notice.keys).any(|key| finding.keys.contains(key));
            self.delivered.get(invocation.delivered.clone()).unwrap_or_default().iter().any(|delivered| match delivered
            {
                Delivered::Alert(text) => {
                    text.contains(&finding.told_by) || (concerned && text.contains("more findings are not told here"))
                }
                Delivered::Finding(_) => false,
            })
        })
    }

    /// Takes over what was wrong with the plain run, in which all must go well.
    pub(super) fn add_plain(&mut self, plain: Self) {
        if plain.counts.parked > 0 {
            self.problems.push(format!("{} findings were parked without a fault", plain.counts.parked));
        }
        self.problems.extend(plain.problems.iter().map(|problem| format!("without a fault: {problem}")));
    }

    /// Adds the books of other runs.
    pub(super) fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.invocations += other.invocations;
        self.requests += other.requests;
        self.struck_warm += other.struck_warm;
        for (kind, count) in other.hits {
            *self.hits.entry(kind).or_default() += count;
        }
        self.problems.extend(other.problems);
        let (counts, others) = (&mut self.counts, other.counts);
        counts.expected += others.expected;
        counts.delivered += others.delivered;
        counts.duplicated += others.duplicated;
        counts.parked += others.parked;
        counts.removed += others.removed;
        counts.left_out += others.left_out;
        counts.lost += others.lost;
        counts.alerts += others.alerts;
        counts.alerts_lost += others.alerts_lost;
    }

    /// Says of every problem in which run it was, and with which faults.
    pub(super) fn blame(&mut self, number: u64, seed: u64, plan: &Plan) {
        for problem in &mut self.problems {
            *problem = format!("run {number} of seed {seed}: {problem} ({plan:?})");
        }
    }

    pub(super) fn report(&self, what: &str, seed: u64, kinds: &[Kind]) -> String {
        let counts = &self.counts;
        let injected: u64 = self.hits.values().sum();
        let mut report = format!(
            "fault bench, {what}, seed {seed}: {} runs, {} invocations, {} requests, {injected} faults of {} kinds\n",
            self.runs,
            self.invocations,
            self.requests,
            self.hits.len()
        );
        for kind in kinds {
            let hits = self.hits.get(kind).copied().unwrap_or_default();
            writeln!(report, "  {:<24}{hits:>9}", format!("{kind:?}")).unwrap();
        }
        for (what, count) in [
            ("findings expected", counts.expected),
            ("  delivered", counts.delivered),
            ("  parked, then delivered", counts.parked),
            ("  log removed, and told", counts.removed),
            ("  rule left out, and told", counts.left_out),
            ("  LOST", counts.lost),
            ("duplicates delivered", counts.duplicated),
            ("findings for people", counts.alerts),
            ("  NOBODY TOLD", counts.alerts_lost),
            ("rules struck while in force", self.struck_warm),
            ("problems", self.problems.len() as u64),
        ] {
            writeln!(report, "{what:<28}{count:>9}").unwrap();
        }
        report
    }
}
